// The time range of the page: chosen, typed, zoomed by dragging over a plot, shifted; always in the link, so that the
// browser's Back goes back.

import { onKey } from "./keys.js";
import { dropdown } from "./shell.js";
import * as timeaxis from "./timeaxis.js";
import { bindZoom } from "./zoom.js";

const SHORTEST_MS = 5_000;
const RELATIVE = /^now(-\d+[smhdw])?$/;
const SPANS = { s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000, w: 604_800_000 };

const iso = (ms) => new Date(Math.round(ms / 1000) * 1000).toISOString().replace(".000Z", "Z");

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
    bindZoom(board, { zoom: (start, end) => this.setBounds(start, end), out: () => this.zoomOut() });
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
    // What ended now a moment ago still means now.
    if (end >= now - Math.max(2_000, 0.02 * (end - start))) this.set(`now-${spanText(Math.max(SHORTEST_MS, end - start))}`, "now");
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
}
