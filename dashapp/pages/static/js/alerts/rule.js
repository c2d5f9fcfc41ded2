// One rule: its form, and beside it what it would have done, anew with every change.

import { call, Failure } from "../api.js";
import { openDialog } from "../dialog.js";
import { control, labelled, tell } from "../edit/form.js";
import { Frames } from "../frames.js";
import { bindHover } from "../hover.js";
import { onTheme, toast } from "../shell.js";
import * as timeaxis from "../timeaxis.js";
import { deliveries, element, row, stateChip, table, writeMoment, writeReason, writeSince, writeSpan, writeTags, writeValue } from "./shown.js";

const boot = JSON.parse(document.getElementById("boot").textContent);
const asked = new URLSearchParams(location.search);
const form = document.getElementById("rule");
const side = (role) => document.querySelector(`[data-role="${role}"]`);
const RANGES = [["1", "24 h"], ["7", "7 d"], ["30", "30 d"]];
const DAY_MS = 86_400_000;
let stored = boot.rule;
let rule = await begin();
// A notification's link names the time that it is about.
const then = [asked.get("from"), asked.get("to")].map((text) => Date.parse(text ?? ""));
const hasThen = boot.rule && then[0] < then[1];
if (hasThen) RANGES.unshift(["then", "Then"]);
let days = hasThen ? "then" : "7";

/** The stored rule, a copy of another, or a fresh one with what the link says. */
async function begin() {
  if (boot.rule) return structuredClone(boot.rule);
  const made = { ...boot.fresh };
  if (asked.has("copy")) {
    const other = await call("GET", `/alerts/${asked.get("copy")}`).catch(() => null);
    if (other) return { ...made, ...other, name: `${other.name} (copy)` };
  }
  for (const name of ["name", "query", "aggregation", "function", "condition", "duration", "severity", "step"]) if (asked.get(name)) made[name] = asked.get(name);
  if (asked.get("threshold")) made.threshold = Number(asked.get("threshold"));
  if (asked.has("groupBy")) made.groupBy = asked.getAll("groupBy").flatMap((one) => one.split(",")).filter(Boolean);
  for (const pair of asked.getAll("tags").flatMap((one) => one.split(","))) {
    const at = pair.indexOf("=");
    if (at > 0) made.tags = { ...made.tags, [pair.slice(0, at)]: pair.slice(at + 1) };
  }
  return made;
}

// -- the form ---------------------------------------------------------------------------------------------------------
const refreshers = [];
const sources = {
  metrics: async (text) => (await call("GET", `/metrics?limit=50&q=${encodeURIComponent(text)}`)).map(({ name, description }) => ({ value: name, note: description ?? "" })),
  tags: async () => (rule.query ? call("GET", `/metrics/${encodeURIComponent(rule.query)}/tags`) : {}),
  onMetric: (refresh) => refreshers.push(refresh),
};

function read(name) {
  const [outer, inner] = name.split(".");
  return inner ? rule[outer]?.[inner] ?? null : rule[outer];
}

function write(name, value) {
  const [outer, inner] = name.split(".");
  if (!inner) rule[outer] = name === "function" ? value || null : value;
  else {
    const whole = { type: rule.notification?.type ?? "", target: rule.notification?.target ?? "", [inner]: value ?? "" };
    rule.notification = whole.type ? whole : null;
    form.querySelector('[data-field="notification.target"]').hidden = !whole.type;
    kept = whole;
  }
  if (name === "query") for (const refresh of refreshers) refresh();
  if (!name.startsWith("notification") && !["name", "severity", "enabled"].includes(name)) previewSoon();
  else if (name === "severity") previewSoon();
}
let kept = rule.notification ?? { type: "", target: "" };

for (const { group, fields } of boot.form) {
  const set = element("fieldset"), legend = element("legend", "", group);
  set.disabled = !boot.mayChange;
  set.append(legend);
  for (const spec of fields) set.append(labelled(spec, control(spec, read(spec.name), (value) => write(spec.name, value), sources)));
  form.append(set);
}
form.querySelector('[data-field="notification.target"]').hidden = !rule.notification;

function complain(details = {}) {
  for (const field of form.querySelectorAll(".field")) {
    const name = field.dataset.field;
    tell(field, details[name] ?? Object.entries(details).find(([path]) => path.replace(/^(body|rule)\./, "").split(".")[0] === name)?.[1] ?? "");
  }
}

const SENT = ["name", "query", "aggregation", "function", "tags", "groupBy", "step", "condition", "threshold", "duration", "noData", "severity", "enabled", "notification"];
const definition = () => Object.fromEntries(SENT.map((name) => [name, rule[name]]));
const isChanged = () => boot.mayChange && JSON.stringify(definition()) !== before;
let before = JSON.stringify(definition());
let leaving = false;
addEventListener("beforeunload", (event) => { if (!leaving && isChanged()) event.preventDefault(); });

form.addEventListener("submit", async (event) => {
  event.preventDefault();
  const body = definition();
  try {
    if (stored) {
      stored = await call("PUT", `/alerts/${stored.id}`, { ...body, version: stored.version });
      rule = structuredClone(stored);
      before = JSON.stringify(definition());
      complain();
      document.querySelector("h1").textContent = stored.name;
      toast("Rule saved");
      follow();
    } else {
      const made = await call("POST", "/alerts", body);
      leaving = true;
      location.href = `/alerts/${made.id}`;
    }
  } catch (error) {
    complain(error.details);
    if (error.status === 409) {
      toast("Somebody else changed this rule in the meantime.", { tone: "bad", seconds: 30, actions: [["Reload", () => { leaving = true; location.reload(); }],
        ["Overwrite", async () => { stored = { ...stored, version: (await call("GET", `/alerts/${stored.id}`)).version }; form.requestSubmit(); }]] });
    } else toast(`The rule could not be saved: ${error.message}.`, { tone: "bad", seconds: 12 });
    form.querySelector("[aria-invalid=true]")?.focus();
  }
});

// -- what it would have done ------------------------------------------------------------------------------------------
const preview = document.querySelector(".preview"), verdict = document.querySelector(".verdict"), note = document.querySelector(".panel-note");
const frames = new Frames({ canEdit: false });
window.dashapp = { frames };
bindHover(frames);
let timer = 0, under = null;

for (const [value, label] of RANGES) {
  const pill = element("label"), input = element("input");
  Object.assign(input, { type: "radio", name: "range", value, checked: value === days });
  input.addEventListener("change", () => { days = value; judge(); });
  pill.append(input, label);
  side("range").append(pill);
}

function previewSoon() {
  clearTimeout(timer);
  timer = setTimeout(judge, 150);
}

function say(text, more = "") {
  verdict.replaceChildren(text, " ", element("small", "", more));
}

async function judge() {
  under?.abort();
  if (!rule.query || rule.threshold === null || rule.threshold === "") {
    preview.dataset.state = "empty";
    return say("", rule.query ? "Give a threshold to see what the rule would have done." : "Choose a metric to see what the rule would have done.");
  }
  under = new AbortController();
  const mine = under;
  preview.dataset.state = "loading";
  const now = Math.floor(Date.now() / 1000) * 1000;
  const [start, end] = days === "then" ? [then[0], Math.min(then[1], now)] : [now - days * DAY_MS, now];
  const body = { rule: { ...definition(), name: rule.name || "preview", notification: null }, start: new Date(start).toISOString(), end: new Date(end).toISOString() };
  try {
    const answer = await fetch("/alerts/preview", { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body), signal: mine.signal });
    const found = await answer.json().catch(() => ({}));
    if (!answer.ok) throw new Failure((found.error ?? `the server answered ${answer.status}`).replace(/\.$/, ""), answer.status, found.details);
    complain();
    await draw(found.data);
  } catch (error) {
    if (error.name === "AbortError" || mine !== under) return;
    preview.dataset.state = "error";
    say("", `${error.message[0].toUpperCase()}${error.message.slice(1)}.`);
    complain(error.details);
  }
}

/** What it comes to, over the time that can be judged. */
function verdictOf({ summary, start, end, judgedFrom }) {
  if (!judgedFrom) return "Too little history to judge by";
  const judged = new Date(end) - new Date(judgedFrom);
  const told = judged < 0.95 * (new Date(end) - new Date(start)) ? summary.replace(/ in [^,]+/, ` in the ${writeSpan(judged)} that can be judged`) : summary;
  return told.startsWith("fired") ? `Would have ${told}` : told[0].toUpperCase() + told.slice(1);
}

async function draw(found) {
  await frames.show(found.picture);
  say(verdictOf(found));
  const notes = [];
  if (!found.judgedFrom) notes.push("There is too little history to judge by.");
  else if (new Date(found.judgedFrom) > new Date(found.start)) notes.push(`Judged from ${writeMoment(found.judgedFrom)}: before, there is too little history.`);
  if (found.truncated) notes.push("Some alerts or periods are left out.");
  note.textContent = notes.join(" ");
  note.hidden = !notes.length;
  const fired = found.periods.filter((one) => one.state === "firing");
  side("periods").hidden = !fired.length;
  side("periods").querySelector(".scroll").replaceChildren(table(["From", "For", ["Value", "number"], "Alert"], fired.slice(-50).reverse().map((one) => [
    writeMoment(one.start), one.end ? writeSpan(new Date(one.end) - new Date(one.start)) : "still firing", [writeValue(one.value), "number"], [writeTags(one.tags), "what"],
  ])));
}

// -- how it stands ------------------------------------------------------------------------------------------------------
async function follow() {
  if (!stored) return;
  try {
    const [now, events] = await Promise.all([call("GET", `/alerts/${stored.id}`), call("GET", `/alerts/${stored.id}/history?pageSize=50`)]);
    const chip = stateChip(now.state, now.error ?? "");
    side("state").replaceChildren(chip, ...(now.pausedUntil ? [" ", element("span", "state", "paused")] : []));
    const pause = document.querySelector('[data-action="pause"]');
    if (pause) pause.textContent = now.pausedUntil ? "Resume" : "Pause";
    stored = { ...stored, pausedUntil: now.pausedUntil };
    side("instances").hidden = !now.instances.length && !now.error;
    const rows = now.instances.map((one) => row([stateChip(one.state), [writeTags(one.tags) || "all series", "what"], [writeValue(one.value), "number"], [writeSince(one.since), "number"]]));
    side("instances").querySelector(".scroll").replaceChildren(...(now.error ? [element("p", "wrong", now.error)] : []), table(["State", "Alert", ["Value", "number"], ["For", "number"]], rows));
    side("history").hidden = !events.length;
    side("history").querySelector(".scroll").replaceChildren(table(["", "Alert", ["Value", "number"], "Fired", ["For", "number"], ["Told", "wide"]], events.map((event) => [
      stateChip(event.status), [[writeTags(event.tags), writeReason(event.reason)].filter(Boolean).join(" · "), "what"], [writeValue(event.value), "number"], writeMoment(event.triggeredAt),
      [writeSpan((event.resolvedAt ? new Date(event.resolvedAt) : Date.now()) - new Date(event.triggeredAt)), "number"], [deliveries(event), "wide"],
    ])));
  } catch { /* the next round shows it */ }
}

const on = (action, run) => document.querySelector(`[data-action="${action}"]`)?.addEventListener("click", run);
on("pause", async () => {
  try {
    await call("POST", `/alerts/${stored.id}/${stored.pausedUntil ? "resume" : "pause"}`, {});
    toast(stored.pausedUntil ? "It tells again." : "Paused: it is judged, and nobody is told.");
    follow();
  } catch (error) { toast(`That didn't work: ${error.message}.`, { tone: "bad" }); }
});
on("test", async () => {
  try {
    const { sent, error } = await call("POST", `/alerts/${stored.id}/test`, {});
    toast(sent ? "The test was delivered." : `The test could not be delivered: ${error}`, sent ? {} : { tone: "bad", seconds: 15 });
  } catch (error) { toast(`The test could not be sent: ${error.message}.`, { tone: "bad", seconds: 12 }); }
});
on("delete", () => openDialog(`Delete “${stored.name}”?`, (body, dialog) => {
  body.append(element("p", "", "What fires is resolved and told so; its history stays."));
  const buttons = element("div", "buttons"), cancel = element("button", "button", "Keep it"), go = element("button", "button danger", "Delete");
  cancel.type = go.type = "button";
  cancel.onclick = () => dialog.close();
  go.onclick = async () => {
    try {
      await call("DELETE", `/alerts/${stored.id}`);
      leaving = true;
      location.href = "/alerts";
    } catch (error) { dialog.close(); toast(`It could not be deleted: ${error.message}.`, { tone: "bad" }); }
  };
  buttons.append(cancel, go);
  body.append(buttons);
}));

timeaxis.install(window.Bokeh);
onTheme(() => judge());
follow();
await judge();
setInterval(() => { if (document.visibilityState === "visible") follow(); }, 10_000);
performance.mark("dashapp-ready");
