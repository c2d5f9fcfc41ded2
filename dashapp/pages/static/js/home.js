// The list of dashboards: search, create, duplicate, delete; small pictures.

import { call, duplicate } from "./api.js";
import { onKey } from "./keys.js";
import { dropdown, toast } from "./shell.js";
import { undoable } from "./undo.js";

const items = () => [...document.querySelectorAll(".cards > li")];
const input = document.querySelector(".search input");

// -- search -------------------------------------------------------------------------------------------------------
function search() {
  const words = input.value.trim().toLowerCase().split(/\s+/).filter(Boolean);
  for (const item of items()) {
    const text = item.querySelector(".words").textContent.toLowerCase();
    item.hidden = !words.every((word) => text.includes(word));
  }
  show();
}

/** Headings and messages that fit what is there. */
function show() {
  const all = items(), visible = all.filter((item) => !item.hidden);
  for (const section of document.querySelectorAll(".cards-page section")) section.hidden = !section.querySelector("li:not([hidden])");
  document.querySelector('[data-role="no-dashboards"]').hidden = all.length > 0;
  const nothing = document.querySelector('[data-role="nothing-found"]');
  nothing.hidden = visible.length > 0 || all.length === 0;
  nothing.querySelector("p").textContent = `No dashboard's name or description has “${input.value}”.`;
}

input.addEventListener("input", search);
input.addEventListener("keydown", (event) => {
  if (event.key === "Escape") { input.value = ""; search(); input.blur(); }
  if (event.key === "Enter" || event.key === "ArrowDown") {
    const first = items().find((item) => !item.hidden)?.querySelector("a");
    if (event.key === "Enter") first?.click(); else first?.focus();
    event.preventDefault();
  }
});
onKey("/", "Search", () => { input.focus(); input.select(); });

// -- create, duplicate, delete ------------------------------------------------------------------------------------
for (const button of document.querySelectorAll('[data-action="create"]')) {
  button.addEventListener("click", async () => {
    button.disabled = true;
    try {
      const names = new Set(items().map((item) => item.querySelector("h3").textContent.trim()));
      let name = "New dashboard";
      for (let number = 2; names.has(name); number += 1) name = `New dashboard ${number}`;
      location.href = `/d/${(await call("POST", "/dashboards", { name })).id}?edit=new`;
    } catch (error) {
      button.disabled = false;
      toast(`The dashboard could not be created: ${error.message}.`, { tone: "bad" });
    }
  });
}

async function copy(item) {
  try {
    location.href = `/d/${(await duplicate(item.dataset.id)).id}?edit=1`;
  } catch (error) {
    toast(`The copy could not be made: ${error.message}.`, { tone: "bad" });
  }
}

async function restore(id, name) {
  try {
    await call("POST", `/dashboards/${id}/restore`);
    return true;
  } catch (error) {
    toast(`“${name}” could not be restored: ${error.message}.`, { tone: "bad" });
    return false;
  }
}

/** Gone at once; back where it was when that fails or is undone. */
async function remove(item) {
  const { id } = item.dataset, name = item.querySelector("h3 span").textContent;
  const list = item.parentElement, after = item.nextElementSibling;
  const back = () => { list.insertBefore(item, after?.parentElement === list ? after : null); show(); item.querySelector("a").focus(); };
  (after ?? item.previousElementSibling)?.querySelector("a").focus();
  item.remove();
  show();
  try {
    await call("DELETE", `/dashboards/${id}`);
    undoable(`“${name}” deleted`, async () => { if (await restore(id, name)) { back(); toast(`“${name}” is back`); } });
  } catch (error) {
    back();
    toast(`“${name}” could not be deleted: ${error.message}.`, { tone: "bad" });
  }
}

let open = null;
function menu(item, button) {
  const again = open?.button === button;
  open?.close();
  if (again) return;
  const list = document.createElement("div");
  list.className = "menu";
  list.hidden = true;
  list.setAttribute("role", "menu");
  const entries = [["open", "Open", () => item.querySelector("a").click()]];
  const mine = "mayChange" in item.dataset, create = document.querySelector('[data-action="create"]') !== null;
  if (mine) entries.push(["edit", "Edit", () => { location.href = `/d/${item.dataset.id}?edit=1`; }]);
  if (create) entries.push(["duplicate", "Duplicate", () => copy(item)]);
  if (mine) entries.push(["delete", "Delete", () => remove(item)]);
  const runs = new Map();
  for (const [name, label, run] of entries) {
    const entry = document.createElement("button");
    Object.assign(entry, { type: "button", role: "menuitem", textContent: label });
    entry.dataset.entry = name;
    runs.set(entry, run);
    list.append(entry);
  }
  item.append(list);
  Object.assign(list.style, { top: "36px", right: "8px" });
  const control = dropdown(button, list, (entry) => runs.get(entry)(), "button", { bound: false, closed: () => { list.remove(); open = null; } });
  open = { button, close: control.close };
  control.open();
}

document.querySelector(".cards-page").addEventListener("click", (event) => {
  const button = event.target.closest(".panel-menu");
  if (button) menu(button.closest("li"), button);
});

// -- a dashboard that its own page deleted ------------------------------------------------------------------------
const deleted = sessionStorage.getItem("dashapp-deleted");
if (deleted) {
  sessionStorage.removeItem("dashapp-deleted");
  const { id, name } = JSON.parse(deleted);
  undoable(`“${name}” deleted`, async () => { if (await restore(id, name)) location.href = `/d/${id}`; });
}

// -- pictures -----------------------------------------------------------------------------------------------------
async function draw() {
  const answer = await fetch("/pictures").catch(() => null);
  if (!answer?.ok) return;
  const { data } = await answer.json();
  for (const item of items()) {
    const course = data[item.dataset.id];
    if (!course) continue;
    // The newest bucket begins a little before now: the picture of what goes on ends at its edge all the same.
    const [end] = course.at(-1).at(-1), width = 280 / (end > 0.95 ? end : 1);
    const stretches = course.map((stretch) => stretch.map(([x, y]) => `${(x * width).toFixed(1)} ${(60 - y * 52).toFixed(1)}`));
    const [fill, line] = item.querySelectorAll(".picture path");
    // Of what stands alone, a dot.
    const paths = stretches.map((points) => `M${points.join("L")}${points.length > 1 ? "" : "h.1"}`);
    line.setAttribute("d", paths.join(""));
    fill.setAttribute("d", paths.map((path, at) => `${path}L${stretches[at].at(-1).split(" ")[0]} 64L${stretches[at][0].split(" ")[0]} 64Z`).join(""));
  }
}
draw();
