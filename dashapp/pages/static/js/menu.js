// A panel's menu. What its entries do is loaded when one is chosen.

import { full } from "./cards.js";
import { copyText, dropdown, toast } from "./shell.js";

// One menu for all panels: it is made of the panel it opens for.
let menu = null;

function entries(frames, card, panel) {
  const isPlot = Boolean(card.plot), hasData = card.kind !== "text";
  const { alone } = frames.boot; // a file, with no server behind it
  const own = frames.boot.canEdit && card.panel_id !== "new";
  const edit = (name) => async () => (await import(frames.boot.editor))[name](frames, card.panel_id);
  return [
    own && ["edit", "Edit", edit("editPanel")],
    ["full", panel.classList.contains("full") ? "Leave full screen" : "Full screen", () => full(panel)],
    hasData && ["data", "Show data", async () => (await import("./data.js")).showData(card)],
    hasData && ["csv", "Download data (CSV)", async () => (await import("./data.js")).downloadCsv(card)],
    isPlot && ["picture", "Download picture (PNG)", async () => (await import("./picture.js")).downloadPicture(frames, card, panel)],
    !alone && ["link", "Copy link", () => {
      const url = new URL(location.href);
      if (!frames.unsaved) url.searchParams.set("panel", card.panel_id);
      url.searchParams.delete("edit");
      copyText(url.href, frames.unsaved ? "Link copied: it shows this plot." : "Link copied: it opens this panel in full screen.");
    }],
    hasData && !alone && !frames.unsaved && ["explore", "Explore", elsewhere(frames, card, (found, { exploreLink }) => { location.href = exploreLink(found); })],
    hasData && !alone && ["python", "Copy as Python", elsewhere(frames, card, async (found, { pythonOf }) => {
      await copyText(pythonOf(found, frames.state, frames.steps?.()), "Copied: it gives the same numbers in a notebook.");
    })],
    hasData && !alone && ["alert", "Make an alert of this", elsewhere(frames, card, (found, { alertLink }) => { location.href = alertLink(found); })],
    own && ["duplicate", "Duplicate", edit("duplicatePanel")],
    own && ["delete", "Delete", edit("deletePanel")],
  ].filter(Boolean);
}

/** The panel's definition, its variables replaced by what is chosen; a page that stores none has its own. */
async function definition(frames, card) {
  if (frames.unsaved) return frames.unsaved();
  const { call } = await import("./api.js");
  const { panels } = await call("GET", `/dashboards/${frames.boot.dashboardId}`);
  const panel = panels.find((one) => one.id === card.panel_id);
  for (const query of [panel.options, ...(panel.options.queries ?? [])]) {
    const tags = Object.entries(query.tags ?? {}).map(([key, value]) => [key, [value].flat().flatMap((one) => frames.valuesOf(one))]);
    query.tags = Object.fromEntries(tags.filter(([, values]) => values.length).map(([key, values]) => [key, values.length > 1 ? values : values[0]]));
  }
  return { ...panel, title: card.title };
}

/** Do something with the panel's definition, and with what makes links and programs of it. */
const elsewhere = (frames, card, act) => async () => {
  try {
    const [panel, queries] = await Promise.all([definition(frames, card), import("./queries.js")]);
    await act(panel, queries);
  } catch (error) {
    toast(`The panel's query could not be read: ${error.message}.`, { tone: "bad" });
  }
};

export function bindMenu(frames, panel) {
  const button = panel.querySelector(".panel-menu");
  // The header drags; the button in it doesn't.
  button.addEventListener("pointerdown", (event) => event.stopPropagation());
  button.addEventListener("click", () => openMenu(button, () => entries(frames, frames.card(panel.dataset.panelId), panel)));
}

/** Open a menu of `entries()`, each [name, label, function], under a button; close it where it is open. */
export function openMenu(button, entries) {
  const again = menu?.button === button;
  menu?.close();
  if (again) return;
  const list = document.createElement("div");
  list.className = "menu";
  list.hidden = true;
  list.setAttribute("role", "menu");
  const runs = new Map();
  for (const [name, label, run] of entries()) {
    const entry = document.createElement("button");
    Object.assign(entry, { type: "button", role: "menuitem", textContent: label });
    entry.dataset.entry = name;
    runs.set(entry, run);
    list.append(entry);
  }
  document.body.append(list);
  const control = dropdown(button, list, (entry) => runs.get(entry)(), "button", { bound: false, closed: () => { list.remove(); menu = null; } });
  menu = { button, close: control.close };
  // In its place before it takes the focus: the page would scroll to where it was.
  const { right, bottom } = button.getBoundingClientRect();
  Object.assign(list.style, { position: "fixed", top: "8px", left: "auto", right: `${innerWidth - right}px` });
  control.open();
  list.style.top = `${Math.max(8, Math.min(bottom + 4, innerHeight - list.offsetHeight - 8))}px`;
}
