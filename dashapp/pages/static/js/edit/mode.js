// Edit mode: what the page's script loads when somebody edits a dashboard.

import { call, definitionOf } from "../api.js";
import { isTyping, onKey } from "../keys.js";
import { savesOf } from "../saves.js";
import { toast } from "../shell.js";
import { undoable } from "../undo.js";
import { openEditor } from "./editor.js";
import { openGallery } from "./gallery.js";
import { openSettings } from "./settings.js";
import { styled } from "./style.js";

let bar = null;
let editor = null;
let unbind = [];

/** What every panel type and option is: asked once. */
let form = null;
const theForm = () => (form ??= call("GET", "/panels/types").catch((error) => { form = null; throw error; }));

const told = (error) => toast(`This could not be opened: ${error.message}.`, { tone: "bad" });

function button(label, title, run, tone = "") {
  const element = document.createElement("button");
  Object.assign(element, { type: "button", className: `button ${tone}`.trim(), textContent: label, title });
  element.addEventListener("click", run);
  return element;
}

function keepLink(editing) {
  const url = new URL(location.href);
  if (editing) url.searchParams.set("edit", "1");
  else url.searchParams.delete("edit");
  history.replaceState(null, "", url);
}

export async function start(frames) {
  await styled(frames.boot);
  if (bar) return;
  document.body.classList.add("editing");
  const edit = document.querySelector('[data-action="edit"]');
  bar = document.createElement("div");
  bar.className = "edit-bar";
  bar.append(
    button("Settings", "Name, description, who sees it", () => openSettings(frames)),
    button("Add panel", "Add a panel (a)", () => addPanel(frames)),
  );
  edit.before(bar);
  edit.textContent = "Done";
  edit.title = "Stop editing (e)";
  keepLink(true);
  unbind = [onKey("a", "Add a panel", () => addPanel(frames)), onKey("s", "Save", () => editor?.save())];
  const press = (event) => pressed(frames, event);
  document.addEventListener("keydown", press);
  unbind.push(() => document.removeEventListener("keydown", press));
  heads(frames);
  frames.addEventListener("cards", () => heads(frames));
  // From here on the page draws by itself: what isn't saved is nobody else's to see.
  frames.state.editing = true;
}

/** In edit mode a panel's header can be reached by keyboard, to move the panel and to open its editor. */
function heads(frames) {
  for (const { panel, card } of frames.shown.values()) {
    const head = panel.querySelector(".panel-head");
    if (!bar) { head.removeAttribute("tabindex"); continue; }
    head.tabIndex = 0;
    head.setAttribute("role", "group");
    head.setAttribute("aria-label", `${card.title}: arrows move, Shift with arrows resizes, Enter edits, Delete deletes`);
    if (head.dataset.edit) continue;
    head.dataset.edit = "";
    head.addEventListener("dblclick", () => { if (bar) editPanel(frames, card.panel_id); });
  }
}

const STEPS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

function pressed(frames, event) {
  const panel = event.target.classList?.contains("panel-head") && event.target.closest(".panel");
  if (!panel || event.ctrlKey || event.metaKey || event.altKey || isTyping(event.target)) return;
  const id = panel.dataset.panelId, step = STEPS[event.key];
  if (step) {
    const [x, y] = step;
    frames.grid.nudge(id, event.shiftKey ? { dw: x, dh: y } : { dx: x, dy: y });
  } else if (event.key === "Enter") editPanel(frames, id);
  else if (event.key === "Delete" || event.key === "Backspace") deletePanel(frames, id);
  else return;
  event.preventDefault();
}

export async function stop(frames) {
  if (!bar || (editor && !editor.close())) return;
  bar.remove();
  bar = null;
  for (const end of unbind) end();
  document.body.classList.remove("editing");
  const edit = document.querySelector('[data-action="edit"]');
  edit.textContent = "Edit";
  edit.title = "Edit (e)";
  heads(frames);
  frames.state.editing = false;
  keepLink(false);
}

export const toggle = (frames) => (bar ? stop(frames) : start(frames));

const stored = (frames) => call("GET", `/dashboards/${frames.boot.dashboardId}`);

async function edit(frames, draft, base) {
  if (editor && !editor.close()) return;
  const [known] = await Promise.all([theForm(), start(frames)]);
  editor = openEditor(frames, known, draft, base, { closed: () => { editor = null; } });
}

/** The gallery, and then the editor of the new panel. */
export async function addPanel(frames) {
  try {
    const [known, metrics] = await Promise.all([theForm(), call("GET", "/metrics?limit=200"), start(frames)]);
    if (editor && !editor.close()) return;
    openGallery(known.types, (type) => {
      const { query, options, title } = suggestion(known.types.find((one) => one.type === type), metrics);
      const { w, h } = known.types.find((one) => one.type === type).position;
      const y = Math.max(0, ...frames.layout().map((item) => item.y + item.h));
      edit(frames, { id: "new", title, type, query, options, position: { x: 0, y, w, h } }, null).catch(told);
    });
  } catch (error) { told(error); }
}

const FIRST = ["cpu.usage", "memory.used", "disk.used"];
const WORDS = "**What this shows**, whom to call, and where to look next: write it in Markdown.";
const UNITS = ["percent", "bytes", "bytes/s", "seconds", "ms", "ops/s"];

/** What a new panel shows until somebody says otherwise: a metric that there is, in its unit. */
function suggestion(type, metrics) {
  if (!type.asks) return { query: "", options: type.type === "text" ? { content: WORDS } : {}, title: type.label };
  const metric = FIRST.map((name) => metrics.find((one) => one.name === name)).find(Boolean) ?? metrics[0];
  const options = metric && UNITS.includes(metric.unit) ? { unit: metric.unit } : {};
  return { query: metric?.name ?? "", options, title: metric?.name ?? "New panel" };
}

export async function editPanel(frames, panelId) {
  try {
    const dashboard = await stored(frames);
    const panel = dashboard.panels.find((one) => one.id === panelId);
    if (panel) await edit(frames, { id: panelId, ...definitionOf(panel) }, { version: dashboard.version, panel });
  } catch (error) { told(error); }
}

export async function duplicatePanel(frames, panelId) {
  try {
    const { panels } = await stored(frames);
    const { position: { w, h }, ...rest } = definitionOf(panels.find((one) => one.id === panelId));
    const made = await savesOf(frames).send({
      what: "The copy", method: "POST", path: `/dashboards/${frames.boot.dashboardId}/panels`, body: { ...rest, position: { w, h } },
    });
    if (!made) return;
    undoable("Panel duplicated", () => remove(frames, made.id));
    frames.panel(made.id)?.scrollIntoView({ block: "nearest" });
  } catch (error) { told(error); }
}

const remove = (frames, panelId) => savesOf(frames).send({ what: "The deletion", method: "DELETE", path: `/panels/${panelId}` });

/** Gone at once; the server follows, and Undo brings the same panel back. */
export async function deletePanel(frames, panelId) {
  if (editor?.panelId === panelId) editor.close(true);
  const panel = frames.panel(panelId), item = panel?.parentElement;
  if (!item) return;
  const title = frames.card(panelId).title;
  item.classList.add("leaving");
  const done = await savesOf(frames).send({
    what: "The deletion", method: "DELETE", path: `/panels/${panelId}`, back: () => item.classList.remove("leaving"),
  });
  if (!done) return;
  undoable(`“${title}” deleted`, async () => {
    try {
      await call("POST", `/panels/${panelId}/restore`);
      toast(`“${title}” is back`);
    } catch (error) {
      toast(`“${title}” could not be restored: ${error.message}.`, { tone: "bad" });
    }
  });
}

/** Take up a draft that was dropped or could not be saved. */
export const resume = (frames, draft, base) => edit(frames, draft, base).then(() => { frames.state.draft = JSON.stringify(draft); });
