// The side editor of one panel. It changes a draft, which the server draws into the panel as one types; nothing is
// stored until Save, so that nobody else's wall shows half a thought.

import { call } from "../api.js";
import { savesOf } from "../saves.js";
import { toast } from "../shell.js";
import { undoable } from "../undo.js";
import { control, labelled, tell } from "./form.js";
import { typePicker } from "./gallery.js";
import { queryFields, set } from "./queries.js";

const TYPING_MS = 40;
const copy = (value) => structuredClone(value);
const same = (a, b) => JSON.stringify(a) === JSON.stringify(b);
const get = (object, path) => path.split(".").reduce((value, key) => value?.[key], object);

/** What the API takes: fields that are empty are left out. */
function wire({ id, ...draft }, names) {
  const options = copy(draft.options);
  for (const name of ["tags", "groupBy"]) if (options[name] && !Object.keys(options[name]).length) delete options[name];
  return { ...(names ? { id } : {}), ...draft, options };
}

export function openEditor(frames, form, first, base, { closed }) {
  const { state } = frames;
  const panelId = first.id, isNew = base === null;
  let draft = copy(first), before = copy(first), timer = 0, baseVersion = base?.version ?? null, autoTitle = isNew;
  const focused = document.activeElement;

  const aside = document.createElement("aside");
  aside.className = "editor";
  aside.setAttribute("aria-label", "Panel editor");
  const head = document.createElement("header"), heading = document.createElement("h2"), shut = document.createElement("button");
  heading.textContent = isNew ? "New panel" : "Edit panel";
  Object.assign(shut, { type: "button", className: "quiet", textContent: "✕", title: "Close without saving (Esc)" });
  shut.setAttribute("aria-label", "Close without saving");
  head.append(heading, shut);
  const body = document.createElement("div"), foot = document.createElement("footer");
  body.className = "editor-body";
  const note = document.createElement("p"), cancel = document.createElement("button"), store = document.createElement("button");
  note.className = "wrong";
  note.setAttribute("role", "status");
  Object.assign(cancel, { type: "button", className: "button", textContent: "Cancel" });
  Object.assign(store, { type: "button", className: "button primary", textContent: "Save", title: "Save (Ctrl+S)" });
  store.dataset.action = "save";
  foot.append(note, cancel, store);
  aside.append(head, body, foot);

  // -- the draft ------------------------------------------------------------------------------------------------
  let sent = "", sentAt = 0;
  const send = () => {
    sentAt = performance.now();
    state.draft = sent = JSON.stringify(wire(draft, true));
  };
  /** Show what is stored, unless somebody edits the next panel already. */
  const dropDraft = () => { if (state.draft === sent) state.draft = ""; };
  /** The first change is drawn at once, those that follow closely together. */
  const changed = () => {
    clearTimeout(timer);
    timer = setTimeout(send, Math.max(0, sentAt + TYPING_MS - performance.now()));
  };
  const option = (name, value) => { set(draft.options, name, value); changed(); };

  // -- fields ---------------------------------------------------------------------------------------------------
  function section(title, ...content) {
    const box = document.createElement("section"), name = document.createElement("h3");
    name.textContent = title;
    box.append(name, ...content);
    return box;
  }

  const optionList = document.createElement("div");
  const queryList = queryFields(form.query, draft, {
    changed,
    metricChosen: (metric, index) => { if (autoTitle && index === 0) { draft.title = metric || "New panel"; title.value = draft.title; } },
  });
  function drawOptions() {
    const heeded = new Set(form.types.find((type) => type.type === draft.type)?.options ?? []);
    const groups = new Map();
    // A list of alerts heeds tags, which otherwise stand with the queries: it has no metric to complete them from.
    const sources = { tags: async () => ({}) };
    for (const spec of [...form.options, ...form.query]) {
      if (!heeded.has(spec.name)) continue;
      const element = control(spec, get(draft.options, spec.name), (value) => option(spec.name, value), sources);
      const field = labelled(spec, element);
      field.dataset.field = `options.${spec.name}`;
      const group = spec.group || groups.keys().next().value;
      if (!groups.has(group)) groups.set(group, []);
      groups.get(group).push(field);
    }
    optionList.replaceChildren(...[...groups].map(([name, fields]) => {
      const grid = document.createElement("div");
      grid.className = "fields";
      grid.append(...fields);
      return section(name, grid);
    }));
  }

  const asked = section("What it shows", queryList);
  /** Words ask for no metric. */
  const drawAsked = () => { asked.hidden = !(form.types.find((type) => type.type === draft.type)?.asks ?? true); };

  const titleField = { name: "title", label: "Title", kind: "text", empty: "" };
  const titleBox = labelled(titleField, control(titleField, draft.title, (value) => { autoTitle = false; draft.title = value ?? ""; changed(); }));
  const title = titleBox.querySelector("input");
  drawOptions();
  body.append(section("Type", typePicker(form.types, draft.type, (type) => { draft.type = type; changed(); drawOptions(); drawAsked(); })), titleBox, asked, optionList);
  drawAsked();

  // -- what the server says of it -------------------------------------------------------------------------------
  const problems = () => {
    const map = state.draft_problems, wrong = map instanceof Map ? map : new Map(Object.entries(map));
    let placed = false;
    for (const field of aside.querySelectorAll("[data-field]")) {
      const key = [...wrong.keys()].find((path) => path === field.dataset.field || path.startsWith(`${field.dataset.field}.`));
      tell(field, key && wrong.get(key));
      placed ||= Boolean(key);
    }
    const rest = !placed && wrong.size ? [...wrong.values()][0] : "";
    note.textContent = rest ? `${rest[0].toUpperCase()}${rest.slice(1)}.` : "";
    store.disabled = wrong.size > 0;
  };
  state.properties.draft_problems.change.connect(problems);

  /** Somebody else saved: it matters only where it was this panel. */
  const followed = async () => {
    if (isNew || frames.version <= baseVersion) return;
    const dashboard = await call("GET", `/dashboards/${frames.boot.dashboardId}`).catch(() => null);
    if (!dashboard || !aside.isConnected) return;
    const panel = dashboard.panels.find((one) => one.id === panelId);
    if (!panel) return toast("Somebody else deleted this panel.", { tone: "bad", action: ["Close", () => end()], seconds: 30 });
    const { position: _one, ...theirs } = panel, { position: _two, ...mine } = base.panel;
    if (same(theirs, mine)) baseVersion = dashboard.version;
  };
  frames.addEventListener("version", followed);

  // -- ending ---------------------------------------------------------------------------------------------------
  function end() {
    clearTimeout(timer);
    state.properties.draft_problems.change.disconnect(problems);
    frames.removeEventListener("version", followed);
    document.removeEventListener("keydown", keyed);
    aside.remove();
    document.body.classList.remove("with-editor");
    frames.panel(panelId)?.classList.remove("edited");
    if (focused?.isConnected) focused.focus();
    closed();
  }

  /** Close without saving; what was changed can be taken up again. */
  function close(quietly = false) {
    const left = copy(draft);
    end();
    dropDraft();
    if (!quietly && !same(left, before)) {
      toast("Changes of the panel were dropped", { seconds: 8, action: ["Edit again", () => again(left)] });
    }
    return true;
  }

  const again = (left) => {
    import("./mode.js").then(({ resume }) => resume(frames, left, base));
  };

  async function save() {
    if (store.disabled) return;
    clearTimeout(timer);
    send();
    const body = wire(draft, false), was = before, left = copy(draft), version = isNew ? null : baseVersion;
    end();
    const { position, ...change } = body;
    const done = await savesOf(frames).send({
      what: "The panel", method: isNew ? "POST" : "PUT",
      path: isNew ? `/dashboards/${frames.boot.dashboardId}/panels` : `/panels/${panelId}`,
      body: isNew ? body : change, version,
      back: dropDraft, again: () => again(left),
    });
    if (!done) return;
    // The stored panel takes the draft's place once the page has it: else the old one would show for a moment.
    savesOf(frames).shown().then(dropDraft);
    if (isNew) toast("Panel added");
    else {
      undoable("Panel saved", async () => {
        const { position: _, ...old } = wire(was, false);
        await savesOf(frames).send({ what: "The panel", method: "PUT", path: `/panels/${panelId}`, body: old });
      });
    }
  }

  const keyed = (event) => {
    if ((event.ctrlKey || event.metaKey) && event.key.toLowerCase() === "s") {
      event.preventDefault();
      save();
    } else if (event.key === "Escape" && !event.defaultPrevented && !document.querySelector("dialog[open], .menu:not([hidden])")) {
      event.preventDefault();
      close();
    }
  };
  document.addEventListener("keydown", keyed);
  shut.addEventListener("click", () => close());
  cancel.addEventListener("click", () => close());
  store.addEventListener("click", save);

  document.body.append(aside);
  document.body.classList.add("with-editor");
  if (isNew) send();
  const show = () => {
    const panel = frames.panel(panelId);
    panel?.classList.add("edited");
    panel?.scrollIntoView({ block: "nearest" });
  };
  show();
  if (isNew) frames.addEventListener("cards", () => setTimeout(show), { once: true });
  (isNew ? (asked.hidden ? optionList : queryList).querySelector("input, textarea") : title).focus({ preventScroll: true });
  return { panelId, save, close };
}
