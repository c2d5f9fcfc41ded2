// Dragging and resizing panels on the 12-column grid; the layout is saved 500 ms after the last change.

const QUIET_MS = 500;

/** The style sheet has put the panels in their places: gridstack is only needed to move them. */
function load(address) {
  return new Promise((resolve, reject) => {
    const script = Object.assign(document.createElement("script"), { src: address, onload: resolve, onerror: reject });
    document.head.append(script);
  });
}

export async function bindGrid(frames) {
  const { boot } = frames;
  const element = document.querySelector(".grid-stack");
  await load(boot.gridstack);
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

  const sorted = (items) => [...items].sort((a, b) => a.i.localeCompare(b.i));
  const same = (a, b) => JSON.stringify(sorted(a)) === JSON.stringify(sorted(b));
  const layout = () => grid.engine.nodes.filter((node) => node.id !== "new").map(({ id, x, y, w, h }) => ({ i: id, x, y, w, h }));
  const show = (wanted) => grid.load(wanted.map(({ i, x, y, w, h }) => ({ id: i, x, y, w, h })), false);
  /** What the server holds, as the grid shows it: it moves panels that lie on each other. */
  let saved = layout(), timer = 0, busy = false, base = null;

  async function save({ undo = true } = {}) {
    busy = false;
    const wanted = layout(), before = saved, version = base;
    base = null;
    if (same(wanted, before)) return follow(frames.layout());
    saved = wanted;
    const { savesOf } = await import("./saves.js");
    const { undoable } = await import("./undo.js");
    const done = await savesOf(frames).send({
      what: "The layout", method: "PUT", path: `/dashboards/${boot.dashboardId}`, body: { layout: wanted }, version,
      back: () => { saved = frames.layout(); show(saved); },
    });
    if (!done) return;
    element.dataset.saved = frames.version;
    const { toast } = await import("./shell.js");
    if (undo) undoable("Layout saved", () => { show(before); return save({ undo: false }); });
    else toast("Layout restored");
  }

  const soon = () => {
    clearTimeout(timer);
    timer = setTimeout(save, QUIET_MS);
  };
  const begin = () => {
    clearTimeout(timer);
    busy = true;
    base ??= frames.version;
  };
  // Only what a person did is saved: gridstack also reports what it tidied up by itself.
  grid.on("dragstart resizestart", begin);
  grid.on("dragstop resizestop", soon);

  /** Take the stored layout, unless somebody here is moving something. */
  function follow(wanted) {
    if (busy) return;
    const here = new Map(grid.engine.nodes.map((node) => [node.id, node]));
    const moved = wanted.filter(({ i, x, y, w, h }) => {
      const node = here.get(i);
      return node && (node.x !== x || node.y !== y || node.w !== w || node.h !== h);
    });
    if (moved.length && !same(wanted.filter(({ i }) => i !== "new"), saved)) show(wanted);
    for (const { i, h } of wanted) here.get(i)?.el.style.setProperty("--h", h);
    saved = layout();
  }

  return {
    follow,
    adopt(item, place) {
      grid.makeWidget(item, place);
      const node = grid.engine.nodes.find(({ id }) => id === place.id);
      if (node) node.maxH = 8;
      saved = layout();
    },
    drop(item) {
      grid.removeWidget(item, true, false);
      saved = layout();
    },
    layout, show,
    /** Move or resize by keyboard, as if dragged. */
    nudge(panelId, { dx = 0, dy = 0, dw = 0, dh = 0 }) {
      const node = grid.engine.nodes.find(({ id }) => id === panelId);
      if (!node || !editable()) return;
      begin();
      const w = Math.max(1, Math.min(12 - node.x, node.w + dw)), h = Math.max(1, Math.min(8, node.h + dh));
      grid.update(node.el, { x: Math.max(0, Math.min(12 - w, node.x + dx)), y: Math.max(0, node.y + dy), w, h });
      soon();
    },
  };
}
