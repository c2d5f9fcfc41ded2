// The lists of rules, events and silences. They bring themselves up to date while the page can be seen.

import { call } from "../api.js";
import { openDialog } from "../dialog.js";
import { onKey } from "../keys.js";
import { dropdown, toast } from "../shell.js";
import { courses } from "./courses.js";
import { deliveries, element, emptyMessage, link, row, sentence, stateChip, table, writeMoment, writeReason, writeSince, writeSpan, writeTags, writeValue } from "./shown.js";
import { silenceForm } from "./silence.js";

const EVERY_MS = 10_000;
const PAGE_SIZE = 50;
const boot = JSON.parse(document.getElementById("boot").textContent);
const box = document.querySelector("[data-list]");
const banner = document.querySelector(".banner");
const pager = document.querySelector(".pager");
const asked = new URLSearchParams(location.search);
const view = ["rules", "history", "silences"].includes(asked.get("view")) ? asked.get("view") : "rules";
const FILTERS = {
  rules: { state: ["firing", "pending", "ok", "nodata", "error", "disabled"], severity: ["critical", "warning", "info"] },
  history: { state: ["firing", "resolved"], severity: ["critical", "warning", "info"] },
  silences: {},
};
const open = new Set();
const mayChange = (one) => boot.isAdmin || (boot.mayCreate && one.ownerId === boot.userId);

// -- filters, kept in the link --------------------------------------------------------------------------------------
function keep() {
  const url = new URL(location.href);
  url.search = asked;
  history.replaceState(null, "", url);
}

for (const one of document.querySelectorAll("[data-view]")) if (one.dataset.view === view) one.setAttribute("aria-current", "page");
for (const name of ["state", "severity"]) {
  const group = document.querySelector(`[data-filter="${name}"]`);
  const choices = FILTERS[view][name] ?? [];
  group.hidden = !choices.length;
  for (const choice of choices) {
    const pill = element("label"), input = element("input");
    Object.assign(input, { type: "checkbox", value: choice, checked: asked.getAll(name).includes(choice) });
    input.addEventListener("change", () => {
      // Events are asked for by one status or by all.
      if (view === "history") for (const other of group.querySelectorAll(":checked")) other.checked = other === input;
      asked.delete(name);
      for (const { value } of group.querySelectorAll(":checked")) asked.append(name, value);
      asked.delete("page");
      keep();
      show();
    });
    pill.append(input, choice === "nodata" ? "no data" : choice);
    group.append(pill);
  }
}
const search = document.querySelector('[data-filter="q"]');
search.hidden = view !== "rules";
search.value = asked.get("q") ?? "";
let typing = 0;
search.addEventListener("input", () => {
  clearTimeout(typing);
  typing = setTimeout(() => {
    if (search.value) asked.set("q", search.value); else asked.delete("q");
    asked.delete("page");
    keep();
    show();
  }, 150);
});
onKey("/", "Search", () => search.focus());
onKey("n", "New rule", () => { if (boot.mayCreate) location.href = "/alerts/new"; });

// -- asking -----------------------------------------------------------------------------------------------------------
const query = (names) => {
  const wanted = new URLSearchParams();
  for (const name of names) for (const value of asked.getAll(name)) wanted.append(name === "state" && view === "history" ? "status" : name, value);
  wanted.set("page", asked.get("page") ?? "1");
  wanted.set("pageSize", PAGE_SIZE);
  return wanted;
};

async function list(path, names) {
  const answer = await fetch(`/api/v1${path}?${query(names)}`);
  const body = await answer.json().catch(() => ({}));
  if (!answer.ok) throw new Error(body.error ?? `the server answered ${answer.status}`);
  return body;
}

function pages({ total, page, pageSize }) {
  const last = Math.max(1, Math.ceil(total / pageSize));
  pager.hidden = last === 1;
  const go = (to, text) => {
    const button = element("button", "button small", text);
    button.type = "button";
    button.disabled = to < 1 || to > last;
    button.onclick = () => { asked.set("page", to); keep(); show(); };
    return button;
  };
  pager.replaceChildren(go(page - 1, "Previous"), element("span", "", `${page} of ${last}`), go(page + 1, "Next"));
}

let running = 0;
async function show() {
  const mine = ++running;
  try {
    const shown = await VIEWS[view]();
    if (mine !== running) return;
    // What somebody is at stays under their hands.
    if (document.querySelector("[data-list] .menu:not([hidden])")) return;
    const focused = document.activeElement?.closest?.("[data-key]")?.dataset.key;
    box.replaceChildren(...shown);
    if (focused) box.querySelector(`[data-key="${CSS.escape(focused)}"]`)?.focus();
    banner.hidden = true;
    if (view === "rules") courses(box);
  } catch (error) {
    if (mine !== running) return;
    banner.textContent = `This list is not fresh: ${error.message.replace(/\.$/, "")}. It is tried again by itself.`;
    banner.hidden = false;
    if (box.ariaBusy === "true") box.replaceChildren();
  }
  box.setAttribute("aria-busy", "false");
}

// -- rules --------------------------------------------------------------------------------------------------------------
function ruleRow(rule) {
  const what = element("div");
  what.append(link(`/alerts/${rule.id}`, rule.name));
  if (rule.pausedUntil) what.append(" ", element("span", "state", "paused"));
  if (rule.silenced) what.append(" ", element("span", "state", "silenced"));
  what.append(element("small", "", sentence(rule)));
  if (rule.error) what.append(element("span", "wrong", rule.error));
  if (rule.instanceCount > 1) {
    const more = element("button", "more", open.has(rule.id) ? "Hide its alerts" : `Show its ${rule.instanceCount} alerts`);
    more.type = "button";
    more.dataset.key = `more ${rule.id}`;
    more.onclick = () => { if (open.has(rule.id)) open.delete(rule.id); else open.add(rule.id); show(); };
    what.append(more);
  }
  const course = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  course.classList.add("course");
  course.setAttribute("viewBox", "0 0 120 28");
  course.setAttribute("preserveAspectRatio", "none");
  course.setAttribute("aria-hidden", "true");
  course.dataset.severity = rule.severity;
  course.rule = rule;
  const severity = element("span", "severity", rule.severity);
  severity.dataset.severity = rule.severity;
  const made = row([
    stateChip(rule.state, rule.error ?? ""), [what, "what"], [writeValue(rule.value), "number"], [writeSince(rule.since), "number wide"],
    [course, "wide"], [severity, "wide"], [toggle(rule), "do"], [menuButton(rule), "do"],
  ], rule.enabled ? "" : "off");
  made.dataset.rule = rule.id;
  return made;
}

function instanceRows(rule) {
  if (!open.has(rule.id)) return [];
  return rule.instances.map((one) => row([
    stateChip(one.state), [writeTags(one.tags) || "all series", "what"], [writeValue(one.value), "number"], [writeSince(one.since), "number wide"], ["", "wide"], ["", "wide"], "", "",
  ], "instance"));
}

function toggle(rule) {
  const input = element("input", "toggle");
  Object.assign(input, { type: "checkbox", checked: rule.enabled, disabled: !mayChange(rule) });
  input.setAttribute("role", "switch");
  input.setAttribute("aria-label", `${rule.name} is enabled`);
  input.dataset.key = `toggle ${rule.id}`;
  input.addEventListener("change", async () => {
    const wanted = input.checked;
    running += 1; // what is on its way was asked before
    try {
      await call("PUT", `/alerts/${rule.id}`, { enabled: wanted });
      show();
    } catch (error) {
      input.checked = !wanted;
      toast(`“${rule.name}” could not be ${wanted ? "enabled" : "disabled"}: ${error.message}.`, { tone: "bad" });
    }
  });
  return input;
}

async function act(what, path, method = "POST", body = {}) {
  try {
    await call(method, path, body);
    toast(what);
  } catch (error) {
    toast(`That didn't work: ${error.message}.`, { tone: "bad", seconds: 12 });
  }
  show();
}

function menuButton(rule) {
  if (!boot.mayCreate) return "";
  const button = element("button", "row-menu", "⋮");
  button.type = "button";
  button.dataset.key = `menu ${rule.id}`;
  button.setAttribute("aria-label", `Menu of ${rule.name}`);
  button.setAttribute("aria-haspopup", "menu");
  const entries = [["Silence …", () => silence({ ruleId: rule.id, ruleName: rule.name })], ["Duplicate", () => { location.href = `/alerts/new?copy=${rule.id}`; }]];
  if (mayChange(rule)) {
    entries.unshift(["Edit", () => { location.href = `/alerts/${rule.id}`; }]);
    if (rule.pausedUntil) entries.push(["Resume", () => act(`“${rule.name}” tells again.`, `/alerts/${rule.id}/resume`)]);
    else entries.push(["Pause", () => act(`“${rule.name}” is paused: it is judged, and nobody is told.`, `/alerts/${rule.id}/pause`)]);
    if (rule.notification) entries.push(["Send a test", () => sendTest(rule)]);
    entries.push(["Delete", () => remove(rule)]);
  }
  button.addEventListener("click", () => {
    const menu = element("div", "menu");
    menu.hidden = true;
    menu.setAttribute("role", "menu");
    for (const [label] of entries) {
      const entry = element("button", "", label);
      Object.assign(entry, { type: "button", role: "menuitem" });
      menu.append(entry);
    }
    document.body.append(menu);
    const { right, bottom } = button.getBoundingClientRect();
    Object.assign(menu.style, { position: "fixed", top: `${Math.min(bottom + 4, innerHeight - 36 * entries.length - 16)}px`, right: `${innerWidth - right}px`, left: "auto" });
    const all = [...menu.children];
    dropdown(button, menu, (entry) => entries[all.indexOf(entry)][1](), "button", { bound: false, closed: () => menu.remove() }).open();
  });
  return button;
}

async function sendTest(rule) {
  try {
    const { sent, error } = await call("POST", `/alerts/${rule.id}/test`, {});
    toast(sent ? "The test was delivered." : `The test could not be delivered: ${error}`, sent ? {} : { tone: "bad", seconds: 15 });
  } catch (error) {
    toast(`The test could not be sent: ${error.message}.`, { tone: "bad", seconds: 12 });
  }
}

/** Asks first: a rule that is deleted doesn't come back. */
function remove(rule) {
  openDialog(`Delete “${rule.name}”?`, (body, dialog) => {
    body.append(element("p", "", "What fires is resolved and told so; its history stays."));
    const buttons = element("div", "buttons"), cancel = element("button", "button", "Keep it"), go = element("button", "button danger", "Delete");
    cancel.type = go.type = "button";
    cancel.onclick = () => dialog.close();
    go.onclick = () => { dialog.close(); act(`“${rule.name}” is deleted.`, `/alerts/${rule.id}`, "DELETE", undefined); };
    buttons.append(cancel, go);
    body.append(buttons);
  });
}

async function rules() {
  const { data, meta } = await list("/alerts", ["state", "severity", "q"]);
  pages(meta);
  if (!data.length) {
    const filtered = ["state", "severity", "q"].some((name) => asked.has(name));
    return [filtered ? emptyMessage("No rule fits these filters", "Take one away to see more.")
      : emptyMessage("No rules yet", "A rule watches a metric and tells somebody when its value is wrong for a while. You see what it would have done before you save it.",
        boot.mayCreate ? link("/alerts/new", "New rule", "button primary") : null)];
  }
  const rows = data.flatMap((rule) => [ruleRow(rule), ...instanceRows(rule)]);
  return [table(["State", "Rule", ["Value", "number"], ["For", "number wide"], ["Last hour", "wide"], ["Severity", "wide"], "On", ""], rows)];
}

// -- history ------------------------------------------------------------------------------------------------------------
async function events() {
  const { data, meta } = await list("/alerts/history", ["state", "severity"]);
  pages(meta);
  if (!data.length) return [emptyMessage("Nothing has fired", "Each firing and its end will stand here, with who was told.")];
  return [table(["", "Alert", ["Value", "number"], ["Fired", "wide"], ["For", "number"], ["Told", "wide"]], data.map((event) => {
    const what = element("div");
    what.append(link(`/alerts/${event.ruleId}`, event.ruleName), element("small", "", [writeTags(event.tags), writeReason(event.reason)].filter(Boolean).join(" · ") || event.severity));
    const end = event.resolvedAt ? new Date(event.resolvedAt) : Date.now();
    return row([stateChip(event.status), [what, "what"], [writeValue(event.value), "number"], [writeMoment(event.triggeredAt), "wide"],
      [writeSpan(end - new Date(event.triggeredAt)), "number"], [deliveries(event), "wide"]]);
  }))];
}

// -- silences -----------------------------------------------------------------------------------------------------------
async function silences() {
  const { data, meta } = await list("/alerts/silences", []);
  pages(meta);
  if (!data.length) return [emptyMessage("No silences", "A silence keeps firing alerts from being told for a while, during maintenance for instance. They are judged and shown all the same.")];
  const names = new Map((await call("GET", "/alerts?pageSize=200").catch(() => [])).map((rule) => [rule.id, rule.name]));
  return [table(["", "What is silent", "Until", ["By", "wide"], ""], data.map((one) => {
    const what = element("div");
    const parts = [one.ruleId ? `rule “${names.get(one.ruleId) ?? "deleted"}”` : "", one.severity ?? "", writeTags(one.tags)].filter(Boolean);
    what.append(element("b", "", parts.join(", ") || "everything"), element("small", "", one.reason));
    const end = element("button", "button small", "End now");
    end.type = "button";
    end.onclick = () => act("The silence has ended; what still fires is told now.", `/alerts/silences/${one.id}`, "DELETE", undefined);
    return row([stateChip(one.active ? "active" : "later"), [what, "what"], writeMoment(one.endsAt), [one.createdBy, "wide"], mayChange(one) ? end : ""]);
  }))];
}

const silence = (about) => silenceForm(about, () => { if (view !== "silences") toast("The silence holds from now on."); show(); });
document.querySelector('[data-action="silence"]')?.addEventListener("click", () => silence({}));

const VIEWS = { rules, history: events, silences };
await show();
setInterval(() => { if (document.visibilityState === "visible") show(); }, EVERY_MS);
document.addEventListener("visibilitychange", () => { if (document.visibilityState === "visible") show(); });
performance.mark("dashapp-ready");
