// Dragging over a plot zooms to that time.

const isTimed = (panel) => ["line", "area", "heatmap"].includes(panel?.dataset.panelType);

/** Tell `zoom` the bounds in Unix ms that somebody dragged over a plot, and `out` of two quick presses. */
export function bindZoom(frames, { zoom, out }) {
  const grid = document.querySelector("main");
  let drag = null;
  const end = () => {
    drag?.shade.remove();
    drag = null;
    document.body.classList.remove("zooming");
  };
  const at = (event) => {
    const { left, right } = drag.view.frame.bbox;
    return Math.min(right, Math.max(left, event.clientX - drag.box.left));
  };
  grid.addEventListener("pointerdown", (event) => {
    const panel = event.target.closest?.(".panel"), plot = event.target.closest?.(".plot-box")?.querySelector(".plot");
    if (event.button || event.pointerType === "touch" || !plot || !isTimed(panel) || event.target.closest("button, a")) return;
    const view = frames.view(panel.dataset.panelId), box = plot.getBoundingClientRect();
    const x = event.clientX - box.left;
    if (!view?.frame || x < view.frame.bbox.left || x > view.frame.bbox.right) return;
    const shade = document.createElement("div");
    shade.className = "zoom";
    drag = { view, box, shade, x, pointer: event.pointerId };
    plot.parentElement.append(shade);
    grid.setPointerCapture(event.pointerId);
    event.preventDefault();
  });
  grid.addEventListener("pointermove", (event) => {
    if (!drag || event.pointerId !== drag.pointer) return;
    const x = at(event), { top, height } = drag.view.frame.bbox;
    const offset = drag.box.left - drag.shade.parentElement.getBoundingClientRect().left;
    document.body.classList.add("zooming");
    Object.assign(drag.shade.style, { left: `${offset + Math.min(x, drag.x)}px`, width: `${Math.abs(x - drag.x)}px`, top: `${top}px`, height: `${height}px` });
  });
  grid.addEventListener("pointerup", (event) => {
    if (!drag || event.pointerId !== drag.pointer) return;
    const x = at(event), { x_scale: scale } = drag.view.frame;
    const [low, high] = [Math.min(x, drag.x), Math.max(x, drag.x)];
    if (high - low > 5) zoom(scale.invert(low), scale.invert(high));
    end();
  });
  grid.addEventListener("pointercancel", end);
  addEventListener("keydown", (event) => { if (event.key === "Escape" && drag) { end(); event.stopPropagation(); } }, { capture: true });
  grid.addEventListener("dblclick", (event) => {
    // The grid holds the pointer, and so is the event's target.
    const under = document.elementFromPoint(event.clientX, event.clientY);
    if (isTimed(under?.closest(".panel")) && under.closest(".plot-box")) out();
  });
}
