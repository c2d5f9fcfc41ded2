// Many plots built at once. Bokeh builds one after the other and, for each, writes styles and asks for sizes by turns, so that
// the browser lays the whole page out again and again. Here all plots write, all are measured, then all are painted.

const NEEDED = ["render_to", "r_after_render", "update_layout", "measure_layout", "update_bbox", "_compute_layout", "after_layout", "paint", "notify_finished"];
const isKnown = (view) => NEEDED.every((name) => typeof view[name] === "function") && typeof view.canvas_view?.update_bbox === "function" && view.renderer_views instanceof Map;

/** `object` answers `name` with `value` until it is freed. */
const hold = (object, name, value) => Object.defineProperty(object, name, { value, configurable: true, writable: true });
const free = (object, ...names) => { for (const name of names) delete object[name]; };

/** `element` is where it is now, however often it is asked. */
function holdPlace(element) {
  const { offsetParent } = element, box = element.getBoundingClientRect();
  hold(element, "offsetParent", offsetParent);
  hold(element, "getBoundingClientRect", () => box);
}

/** Bokeh formats and measures an axis's labels three times on the way to its first picture; once will do. */
function labelsOnce(view) {
  for (const axis of view.renderer_views.values()) {
    if (typeof axis._tick_label_extents !== "function") continue;
    let kept;
    hold(axis, "_tick_label_extents", () => (kept ??= Object.getPrototypeOf(axis)._tick_label_extents.call(axis)));
  }
}

/** Each does what it does to a view: the parts of `view.build(host)`, and the layout that follows from it. */
const STEPS = [
  // The layout comes once everything stands; the canvas's size is part of it.
  ({ view, host }) => {
    view.render_to(host);
    hold(view, "invalidate_layout", () => {});
    hold(view.canvas_view, "update_bbox", () => false);
    view.r_after_render();
    free(view, "invalidate_layout");
    free(view.canvas_view, "update_bbox");
  },
  ({ view }) => { labelsOnce(view); view.update_layout(); view.measure_layout(); },
  ({ view }) => { holdPlace(view.el); holdPlace(view.canvas_view.el); },
  ({ view }) => {
    hold(view, "paint", () => {});
    view.update_bbox();
    view._compute_layout();
    view.after_layout();
    view._layout_computed = true;
    free(view, "paint");
  },
  ({ view }) => { view.paint(); view.notify_finished(); },
];

/** Everything of a view is its own again. */
function release(view) {
  free(view, "invalidate_layout", "paint");
  free(view.canvas_view, "update_bbox");
  for (const { el } of [view, view.canvas_view]) free(el, "offsetParent", "getBoundingClientRect");
  for (const axis of view.renderer_views.values()) free(axis, "_tick_label_extents");
}

/** Build root views, each into its host: [{view, host}]. One that fails leaves the others be. */
export function buildTogether(plots) {
  const known = plots.filter(({ view }) => isKnown(view));
  for (const { view, host } of plots) if (!isKnown(view)) view.build(host);
  let left = known;
  for (const step of STEPS) {
    left = left.filter((plot) => {
      try {
        step(plot);
        return true;
      } catch (error) {
        console.error(error);
        return false;
      }
    });
  }
  for (const { view } of known) release(view);
}
