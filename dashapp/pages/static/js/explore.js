// Explore: any metrics in one plot. The link holds everything that is asked; a live range asks again by itself.

import { call, Failure } from "./api.js";
import { ask, choice, field, input } from "./ask.js";
import { bindFull } from "./cards.js";
import { control, labelled, tell } from "./edit/form.js";
import { typePicker } from "./edit/gallery.js";
import { queryFields, set } from "./edit/queries.js";
import { Frames } from "./frames.js";
import { bindHover } from "./hover.js";
import { onKey } from "./keys.js";
import { isOfPanel, pythonOf, readLink, writeLink } from "./queries.js";
import { RangeControl } from "./range.js";
import { copyText, onTheme, toast } from "./shell.js";
import * as timeaxis from "./timeaxis.js";

const TYPING_MS = 120, FRESH_MS = 10_000, MOST_LISTED = 200;
const OPTIONS = ["unit", "calculation", "stack", "limit", "step"];
const boot = JSON.parse(document.getElementById("boot").textContent);
const one = (selector) => document.querySelector(selector);
const panel = one("[data-panel-id]"), message = panel.querySelector(".panel-message"), told = one(".answers"), banner = one(".banner");
const form = one(".explore-form"), dot = one("[data-connection]");
const shown = { type: "line", query: "", options: {} };
/** The range, as a dashboard's session has it. */
const state = { start: boot.start, end: boot.end, refresh: "10s", setv(values) { Object.assign(this, values); } };
let answers = [];

timeaxis.install(window.Bokeh);
const frames = new Frames(boot);
Object.assign(frames, { state, unsaved: () => definition(), steps: () => answers.map((answer) => answer.step), retry: () => draw() });
window.dashapp = { frames };

/** What the API takes; null while no metric is chosen. */
function definition() {
  if (!shown.query) return null;
  const options = structuredClone(shown.options);
  for (const query of [options, ...(options.queries ?? [])]) {
    for (const name of ["tags", "groupBy"]) if (query[name] && !Object.keys(query[name]).length) delete query[name];
  }
  if (options.queries) options.queries = options.queries.filter((query) => query.query);
  const names = [shown.query, ...(options.queries ?? []).map((query) => query.query)];
  return { title: [...new Set(names)].join(", ").slice(0, 200), type: shown.type, query: shown.query, options };
}

// -- the link ---------------------------------------------------------------------------------------------------------
function keepLink(push = false) {
  const url = new URL(location.href);
  for (const name of new Set(url.searchParams.keys())) if (isOfPanel(name)) url.searchParams.delete(name);
  writeLink(shown, url.searchParams);
  if (url.href !== location.href) history[push ? "pushState" : "replaceState"](null, "", url);
}

function fromLink() {
  Object.assign(shown, readLink(new URLSearchParams(location.search)));
  drawForm();
}

// -- the form ---------------------------------------------------------------------------------------------------------
let timer = 0;
function changed() {
  keepLink();
  mark();
  clearTimeout(timer);
  timer = setTimeout(draw, TYPING_MS);
}

/** The query that a metric of the list goes to. */
let current = 0;
let queries = null;

function drawForm() {
  const heading = document.createElement("h2"), fields = document.createElement("div");
  heading.textContent = "What is shown";
  queries = queryFields(boot.form.query, shown, { changed, metricChosen: (metric, index) => unitOf(metric, index) });
  fields.className = "fields";
  const drawOptions = () => {
    const heeded = boot.form.types.find((type) => type.type === shown.type)?.options ?? [];
    fields.replaceChildren(...boot.form.options.filter(({ name }) => OPTIONS.includes(name) && heeded.includes(name)).map((spec) => {
      const element = labelled(spec, control(spec, shown.options[spec.name], (value) => { set(shown.options, spec.name, value === "" ? null : value); changed(); }));
      element.dataset.field = `options.${spec.name}`;
      return element;
    }));
  };
  drawOptions();
  form.replaceChildren(heading, queries, typePicker(boot.form.types, shown.type, (type) => { shown.type = type; drawOptions(); changed(); }), fields);
}
form.addEventListener("submit", (event) => event.preventDefault());
form.addEventListener("focusin", (event) => {
  const at = [...form.querySelectorAll(".query")].indexOf(event.target.closest(".query"));
  if (at >= 0) current = at;
});

function complain(details = {}) {
  const wrong = Object.entries(details).map(([path, words]) => [path.replace(/^panel\./, ""), words]);
  for (const box of form.querySelectorAll("[data-field]")) {
    tell(box, wrong.find(([path]) => path === box.dataset.field || path.startsWith(`${box.dataset.field}.`))?.[1] ?? "");
  }
}

function connection(kind, words) {
  dot.dataset.connection = kind;
  dot.title = words;
  dot.setAttribute("aria-label", words);
}

// -- the plot ---------------------------------------------------------------------------------------------------------
let under = null;

function cover(sentence, kind) {
  panel.dataset.state = kind;
  message.hidden = false;
  message.querySelector("p").textContent = sentence;
  message.querySelector("button").hidden = kind !== "error";
  panel.querySelector(".legend").hidden = true;
  told.replaceChildren();
}

const bold = (text) => Object.assign(document.createElement("b"), { textContent: text });

/** Where the numbers come from, once for each kind of answer. */
function tellAnswers() {
  const seen = new Map();
  for (const { table, resolution, step, samples, points } of answers) {
    const key = `${table} ${resolution} ${step} ${samples}`;
    const known = seen.get(key) ?? { table, resolution, step, samples, points: 0 };
    known.points += points;
    seen.set(key, known);
  }
  told.replaceChildren(...[...seen.values()].flatMap(({ table, resolution, step, samples, points }, at) => [
    ...(at ? ["; "] : []), "Step ", bold(step), " · resolution ", bold(resolution), " · from ", bold(table), ` · ${points} points`, ...(samples ? [" · ", bold("raw samples")] : []),
  ]));
}

async function draw() {
  clearTimeout(timer);
  under?.abort();
  const wanted = definition();
  for (const action of ["python", "add"]) { const button = one(`[data-action="${action}"]`); if (button) button.disabled = !wanted; }
  panel.querySelector(".panel-menu").hidden = !wanted;
  if (!wanted) {
    answers = [];
    panel.querySelector("h2").textContent = "";
    complain();
    return cover(known ? "Choose a metric to see it: type its name, or pick one from the list." : known === 0 ? "There are no metrics yet. The host agent, dashapp ingest or your own programs send them; the documentation of the API says how." : "", "empty");
  }
  const mine = under = new AbortController();
  try {
    const answer = await fetch("/explore/picture", {
      method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify({ panel: wanted, from: state.start, to: state.end }), signal: mine.signal,
    });
    if (answer.status === 401) location.href = `/login?next=${encodeURIComponent(location.pathname + location.search)}`;
    const found = await answer.json().catch(() => ({}));
    if (!answer.ok) throw new Failure((found.error ?? `the server answered ${answer.status}`).replace(/\.$/, ""), answer.status, found.details);
    complain();
    banner.hidden = true;
    await frames.show(found.data.picture);
    ({ answers } = found.data);
    tellAnswers();
    connection(...(state.end === "now" ? ["live", "Live, refreshing every 10 s"] : ["paused", "Not refreshing"]));
    performance.mark("dashapp-drawn");
  } catch (error) {
    if (error.name === "AbortError" || mine !== under) return;
    complain(error.details);
    // Half a name is no reason to take the plot away.
    if (frames.root && Object.keys(error.details ?? {}).length) return;
    if (frames.root) {
      banner.textContent = `What you see is not fresh: ${error instanceof TypeError ? "the server doesn't answer" : error.message}.`;
      banner.hidden = false;
      connection("lost", "Connection lost");
    } else cover(`${error.message[0].toUpperCase()}${error.message.slice(1)}.`, "error");
  } finally {
    if (mine === under) under = null;
  }
}

setInterval(() => {
  if (state.end === "now" && !document.hidden && !under && !document.body.classList.contains("zooming")) draw();
}, FRESH_MS);
document.addEventListener("visibilitychange", () => { if (!document.hidden && state.end === "now") draw(); });
onTheme(() => { if (frames.root) draw(); });

// -- the metrics there are --------------------------------------------------------------------------------------------
const search = one(".catalog input"), list = one(".catalog tbody"), count = one('[data-role="count"]');
const infos = new Map();
/** How many metrics there are; undefined until the first answer. */
let known;

function mark() {
  const names = new Set([shown.query, ...(shown.options.queries ?? []).map((query) => query.query)]);
  for (const button of list.querySelectorAll("button")) button.setAttribute("aria-pressed", String(names.has(button.textContent)));
}

/** The first query's metric says the unit, unless one was chosen for it. */
function unitOf(metric, index) {
  if (index) return;
  const unit = infos.get(metric)?.unit ?? "";
  if (!boot.form.options.find((spec) => spec.name === "unit").choices.some((choice) => choice.value === unit)) return;
  if (infos.has(metric)) { set(shown.options, "unit", unit || null); const select = form.querySelector('[data-field="options.unit"] select'); if (select) select.value = unit; }
}

function choose(metric) {
  const more = shown.options.queries ?? [];
  const at = Math.min(current, more.length);
  if (at) more[at - 1] = { query: metric };
  else {
    // Another metric has other tags.
    shown.query = metric;
    for (const name of ["tags", "groupBy", "alias", "function", "aggregation"]) delete shown.options[name];
    unitOf(metric, 0);
  }
  keepLink(true);
  drawForm();
  mark();
  draw();
}

let listing = 0;
async function drawList() {
  const mine = ++listing;
  try {
    const found = await call("GET", `/metrics?limit=${MOST_LISTED + 1}&q=${encodeURIComponent(search.value)}`);
    if (mine !== listing) return;
    for (const info of found) infos.set(info.name, info);
    if (!search.value && known !== found.length) { known = found.length; if (!shown.query) draw(); }
    list.replaceChildren(...found.slice(0, MOST_LISTED).map(({ name, unit, type, description }) => {
      const row = document.createElement("tr"), button = document.createElement("button");
      Object.assign(button, { type: "button", textContent: name });
      row.insertCell().append(button);
      for (const words of [unit, type, description]) row.insertCell().textContent = words ?? "";
      row.cells[2].className = "wide";
      row.cells[3].title = description ?? "";
      return row;
    }));
    count.textContent = found.length > MOST_LISTED ? `The first ${MOST_LISTED}; search to see others.`
      : found.length ? `${found.length} metric${found.length === 1 ? "" : "s"}` : search.value ? `No metric's name contains “${search.value}”.` : "No metrics yet.";
    mark();
  } catch (error) {
    count.textContent = `The list could not be read: ${error.message}.`;
  }
}
let searching = 0;
search.addEventListener("input", () => { clearTimeout(searching); searching = setTimeout(drawList, TYPING_MS); });
list.addEventListener("click", (event) => { const button = event.target.closest("button"); if (button) choose(button.textContent); });
onKey("/", "Search metrics", () => search.focus());
onKey("r", "Refresh now", () => draw());

// -- elsewhere --------------------------------------------------------------------------------------------------------
one('[data-action="python"]').addEventListener("click", () => {
  copyText(pythonOf(definition(), state, frames.steps()), "Copied: it gives the same numbers in a notebook.");
});

one('[data-action="add"]')?.addEventListener("click", async () => {
  try {
    const every = await call("GET", "/dashboards?pageSize=200");
    const own = every.filter((dashboard) => boot.isAdmin || dashboard.ownerId === boot.userId);
    const panelOf = definition(), { w, h } = boot.form.types.find((type) => type.type === shown.type).position;
    const which = choice("which", [...own.map(({ id, name }) => [id, name]), ["", "A new dashboard"]], own[0]?.id ?? "");
    const title = input({ name: "title", value: panelOf.title, maxLength: 200, required: true });
    const name = field("Name of the dashboard", input({ name: "name", value: panelOf.title, maxLength: 200 }));
    const follow = () => { name.hidden = which.value !== ""; };
    which.addEventListener("change", follow);
    follow();
    let made = null;
    const done = await ask({
      title: "Add to a dashboard", confirm: "Add", fields: [field("Dashboard", which), name, field("Title of the panel", title)],
      async act(given) {
        const body = { ...panelOf, title: given.get("title"), position: { w, h } };
        if (given.get("which")) {
          await call("POST", `/dashboards/${given.get("which")}/panels`, body);
          made = own.find((dashboard) => dashboard.id === given.get("which"));
        } else made = await call("POST", "/dashboards", { name: given.get("name") || body.title, panels: [body] });
      },
    });
    if (done && made) toast(`Added to “${made.name}”`, { seconds: 12, action: ["Open it", () => { location.href = `/d/${made.id}`; }] });
  } catch (error) {
    toast(`The dashboards could not be read: ${error.message}.`, { tone: "bad" });
  }
});

// -- begin ------------------------------------------------------------------------------------------------------------
new RangeControl(frames, state, () => draw());
addEventListener("popstate", () => { fromLink(); mark(); draw(); });
bindHover(frames);
bindFull();
fromLink();
if (boot.problem) { banner.textContent = boot.problem; banner.hidden = false; }
drawList();
await draw();
if (!shown.query) search.focus({ preventScroll: true });
performance.mark("dashapp-ready");
