// Dragging and resizing panels on the 12-column grid; the layout is saved 500 ms after the last change.

import { toast } from "./shell.js";

const QUIET_MS = 500;

export function bindGrid(boot, state) {
  const element = document.querySelector(".grid-stack");
  const wide = matchMedia("(min-width: 768px)");
  const editable = () => boot.canEdit && wide.matches;
  const grid = window.GridStack.init({
    column: 12, cellHeight: 76, margin: 4, animate: !matchMedia("(prefers-reduced-motion: reduce)").matches,
    handle: '[data-role="drag"]', draggable: { handle: '[data-role="drag"]', cancel: ".panel-menu", scroll: true },
    resizable: { handles: "se" }, staticGrid: !editable(), auto: true,
    // One column on a phone is the style sheet's doing: gridstack's own would change what is stored.
    columnOpts: { breakpoints: [] },
  }, element);
  for (const node of grid.engine.nodes) node.maxH = 8;
  document.body.classList.toggle("can-edit", boot.canEdit);
  wide.addEventListener("change", () => grid.setStatic(!editable()));

  const layout = () => grid.engine.nodes.map(({ id, x, y, w, h }) => ({ i: id, x, y, w, h }));
  let saved = layout(), version = state.layout_version, timer = 0, saving = Promise.resolve();

  const show = (wanted) => grid.load(wanted.map(({ i, x, y, w, h }) => ({ id: i, x, y, w, h })), false);
  const same = (a, b) => JSON.stringify(sorted(a)) === JSON.stringify(sorted(b));
  const sorted = (items) => [...items].sort((a, b) => a.i.localeCompare(b.i));

  async function save(undoing = false) {
    const wanted = layout(), before = saved;
    if (same(wanted, before)) return;
    try {
      const answer = await fetch(`/api/v1/dashboards/${boot.dashboardId}`, {
        method: "PUT", headers: { "Content-Type": "application/json" }, body: JSON.stringify({ layout: wanted, version }),
      });
      const body = await answer.json();
      if (answer.status === 409) {
        toast("Somebody else changed this dashboard in the meantime.", { tone: "bad", action: ["Reload", () => location.reload()], seconds: 30 });
        return show(before);
      }
      if (!answer.ok) throw new Error(body.error);
      version = body.data.version;
      saved = wanted;
      element.dataset.saved = version;
      toast(undoing ? "Layout restored" : "Layout saved", undoing ? {} : {
        action: ["Undo", () => { show(before); saving = saving.then(() => save(true)); }],
      });
    } catch (error) {
      show(before);
      toast(`The layout could not be saved: ${error.message}`, { tone: "bad", seconds: 12 });
    }
  }

  // Only what a person did is saved: gridstack also reports what it tidied up by itself.
  grid.on("dragstop resizestop", () => {
    clearTimeout(timer);
    timer = setTimeout(() => { saving = saving.then(() => save()); }, QUIET_MS);
  });
  grid.on("dragstart resizestart", () => clearTimeout(timer));
  return grid;
}
