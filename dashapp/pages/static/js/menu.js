// A panel's menu. What its entries do is loaded when one is chosen.

import { full } from "./cards.js";
import { copyText, dropdown, toast } from "./shell.js";

// One menu for all panels: it is made of the panel it opens for.
let menu = null;

function entries(frames, card, panel) {
  const isPlot = Boolean(card.plot), hasData = card.kind !== "text";
  const own = frames.boot.canEdit && card.panel_id !== "new";
  const edit = (name) => async () => (await import(frames.boot.editor))[name](frames, card.panel_id);
  return [
    own && ["edit", "Edit", edit("editPanel")],
    ["full", panel.classList.contains("full") ? "Leave full screen" : "Full screen", () => full(panel)],
    hasData && ["data", "Show data", async () => (await import("./data.js")).showData(card)],
    hasData && ["csv", "Download data (CSV)", async () => (await import("./data.js")).downloadCsv(card)],
    isPlot && ["picture", "Download picture (PNG)", async () => (await import("./picture.js")).downloadPicture(frames, card, panel)],
    !frames.boot.alone && ["link", "Copy link", () => {
      const url = new URL(location.href);
      url.searchParams.set("panel", card.panel_id);
      url.searchParams.delete("edit");
      copyText(url.href, "Link copied: it opens this panel in full screen.");
    }],
    hasData && !frames.boot.alone && ["alert", "Make an alert of this", () => makeAlert(frames, card)],
    own && ["duplicate", "Duplicate", edit("duplicatePanel")],
    own && ["delete", "Delete", edit("deletePanel")],
  ].filter(Boolean);
}

/** The alert's form knows what the panel asks for. */
async function makeAlert(frames, card) {
  const { call } = await import("./api.js");
  try {
    const { panels } = await call("GET", `/dashboards/${frames.boot.dashboardId}`);
    const { title, query, options } = panels.find((panel) => panel.id === card.panel_id);
    const asked = new URLSearchParams({ query, name: title });
    for (const name of ["aggregation", "function"]) if (options[name]) asked.set(name, options[name]);
    for (const [key, value] of Object.entries(options.tags ?? {})) {
      // What stands for several values is no filter of a rule; it has an instance for each.
      const values = [value].flat().flatMap((one) => frames.valuesOf(one));
      if (values.length === 1) asked.append("tags", `${key}=${values[0]}`);
      else if (!(options.groupBy ?? []).includes(key)) asked.append("groupBy", key);
    }
    for (const key of options.groupBy ?? []) asked.append("groupBy", key);
    const threshold = options.thresholds?.critical ?? options.thresholds?.warning;
    if (threshold !== undefined && threshold !== null) asked.set("threshold", threshold);
    location.href = `/alerts/new?${asked}`;
  } catch (error) {
    toast(`The panel's query could not be read: ${error.message}.`, { tone: "bad" });
  }
}

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
