// The time range of the page: chosen, typed, zoomed by dragging over a plot, shifted; always in the link, so that the
// browser's Back goes back.

import { onKey } from "./keys.js";
import { dropdown } from "./shell.js";
import * as timeaxis from "./timeaxis.js";

const SHORTEST_MS = 5_000;
const RELATIVE = /^now(-\d+[smhdw])?$/;
const SPANS = { s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000, w: 604_800_000 };

const iso = (ms) => new Date(Math.round(ms / 1000) * 1000).toISOString().replace(".000Z", "Z");
const isTimed = (panel) => ["line", "area"].includes(panel?.dataset.panelType);

/** A span as links write it: `90m`, `6h`; whole seconds. */
function spanText(ms) {
  const seconds = Math.max(1, Math.round(ms / 1000));
  for (const [unit, width] of [["d", 86_400], ["h", 3_600], ["m", 60]]) if (seconds % width === 0) return `${seconds / width}${unit}`;
  return `${seconds}s`;
}

/** Unix ms of one side of a range, or NaN. */
export function momentOf(text, now = Date.now()) {
  const relative = RELATIVE.exec(text);
  if (!relative) return Date.parse(text);
  return relative[1] ? now - Number(relative[1].slice(1, -1)) * SPANS[relative[1].at(-1)] : now;
}

export class RangeControl {
  /** `state` has `start`, `end` and `refresh`; `changed` is called after each change. */
  constructor(board, state, changed) {
    this.board = board;
    this.state = state;
    this.changed = changed;
    this.picker = document.querySelector('.picker[data-picker="range"]');
    this.bindPicker();
    this.bindZoom();
    addEventListener("popstate", () => this.fromLink());
    for (const [action, run] of [["earlier", () => this.shift(-0.5)], ["later", () => this.shift(0.5)], ["zoom-out", () => this.zoomOut()]]) {
      document.querySelector(`[data-action="${action}"]`)?.addEventListener("click", run);
    }
    onKey("[", "Earlier", () => this.shift(-0.5));
    onKey("]", "Later", () => this.shift(0.5));
    onKey("-", "Zoom out", () => this.zoomOut());
    onKey("t", "Choose the time range", () => this.picker.querySelector("button").click());
    this.label();
  }

  /** [start, end] in Unix ms, as it is now. */
  get bounds() { return [momentOf(this.state.start), momentOf(this.state.end)]; }

  set(start, end, { push = true } = {}) {
    if (start === this.state.start && end === this.state.end) return;
    this.state.setv({ start, end });
    const url = new URL(location.href);
    url.searchParams.set("from", start);
    url.searchParams.set("to", end);
    if (push) history.pushState(null, "", url);
    this.label();
    this.changed();
  }

  /** A fixed range; one that reaches the present goes on with it. */
  setBounds(start, end) {
    const now = Date.now();
    if (end >= now - 2_000) this.set(`now-${spanText(Math.max(SHORTEST_MS, end - start))}`, "now");
    else this.set(iso(start), iso(Math.max(end, start + SHORTEST_MS)));
  }

  shift(share) {
    const [start, end] = this.bounds, by = (end - start) * share;
    if (by > 0 && this.state.end === "now") return;
    this.setBounds(start + by, end + by);
  }

  zoomOut() {
    const [start, end] = this.bounds, more = (end - start) / 2;
    if (this.state.end === "now") this.set(`now-${spanText(2 * (end - start))}`, "now");
    else this.setBounds(Math.max(0, start - more), end + more);
  }

  fromLink() {
    const asked = new URLSearchParams(location.search);
    this.set(asked.get("from") ?? "now-1h", asked.get("to") ?? "now", { push: false });
  }

  label() {
    const { start, end } = this.state;
    const list = this.picker.querySelector("ul");
    let name = "";
    for (const item of list.children) {
      const chosen = end === "now" && item.dataset.value === start;
      item.setAttribute("aria-selected", String(chosen));
      if (chosen) name = item.textContent;
    }
    if (!name && end === "now" && RELATIVE.test(start)) name = `Last ${start.slice(4)}`;
    if (!name) name = timeaxis.writeRange(...this.bounds);
    this.picker.querySelector("[data-label]").textContent = name;
    const [from, to] = this.picker.querySelectorAll(".own-range input");
    if (from) [from.value, to.value] = [start, end].map((side) => (RELATIVE.test(side) ? side : timeaxis.writeField(momentOf(side))));
  }

  bindPicker() {
    const button = this.picker.querySelector("button"), box = this.picker.querySelector(".range-box");
    const { close } = dropdown(button, box, (item) => this.set(item.dataset.value, "now"));
    this.close = () => close(false);
    const form = this.picker.querySelector(".own-range");
    const [from, to] = form.querySelectorAll("input"), wrong = form.querySelector(".wrong");
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      const sides = [from, to].map((input) => (RELATIVE.test(input.value.trim()) ? input.value.trim() : timeaxis.readField(input.value.trim())));
      const [start, end] = sides.map((side) => (typeof side === "number" ? side : momentOf(side)));
      wrong.textContent = Number.isNaN(start) || Number.isNaN(end) ? "Write now-6h, or a time such as 2026-11-24 18:00." : start < end ? "" : "The start must be before the end.";
      wrong.hidden = !wrong.textContent;
      if (wrong.textContent) return;
      this.close?.();
      this.set(...sides.map((side) => (typeof side === "number" ? iso(side) : side)));
    });
    const zone = form.querySelector("select");
    zone.value = timeaxis.zone();
    zone.addEventListener("change", () => {
      timeaxis.setZone(zone.value);
      const url = new URL(location.href);
      if (zone.value === "utc") url.searchParams.set("tz", "utc"); else url.searchParams.delete("tz");
      history.replaceState(null, "", url);
      this.label();
      this.board.repaint();
    });
  }

  /** Dragging over a plot zooms every plot to that time; two quick presses zoom out. */
  bindZoom() {
    const grid = document.querySelector(".grid-stack");
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
      const view = this.board.view(panel.dataset.panelId), box = plot.getBoundingClientRect();
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
      if (high - low > 5) this.setBounds(scale.invert(low), scale.invert(high));
      end();
    });
    grid.addEventListener("pointercancel", end);
    addEventListener("keydown", (event) => { if (event.key === "Escape" && drag) { end(); event.stopPropagation(); } }, { capture: true });
    grid.addEventListener("dblclick", (event) => {
      if (isTimed(event.target.closest?.(".panel")) && event.target.closest(".plot-box")) this.zoomOut();
    });
  }
}
