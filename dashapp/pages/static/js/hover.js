// One crosshair across all plots over time, and the values under it in a small table.

import { writeMoment } from "./timeaxis.js";

const column = (source, name) => (source.data.get ? source.data.get(name) : source.data[name]);

/** The row whose time is nearest to `at`. */
function nearest(times, at) {
  let low = 0, high = times.length - 1;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (times[middle] < at) low = middle + 1; else high = middle;
  }
  return low > 0 && at - times[low - 1] < times[low] - at ? low - 1 : low;
}

function write(value, { factor, suffix, digits }) {
  return `${(value / factor).toFixed(digits)}${suffix}`;
}

export function bindHover(frames) {
  const table = document.createElement("div");
  table.className = "hover";
  table.hidden = true;
  document.body.append(table);
  const lines = new Map();

  const viewOf = (panel) => frames.view(panel.dataset.panelId);

  function hide() {
    table.hidden = true;
    for (const line of lines.values()) line.hidden = true;
  }

  function crosshairs(at) {
    for (const panel of lines.keys()) if (!panel.isConnected) lines.delete(panel);
    for (const panel of document.querySelectorAll('.panel[data-panel-type="line"], .panel[data-panel-type="area"], .panel[data-panel-type="heatmap"]')) {
      const view = viewOf(panel);
      if (!view?.frame) continue;
      let line = lines.get(panel);
      if (!line) {
        line = document.createElement("div");
        line.className = "crosshair";
        panel.querySelector(".plot-box").append(line);
        lines.set(panel, line);
      }
      const { left, top, height } = view.frame.bbox;
      line.hidden = !["live", "stale"].includes(panel.dataset.state);
      Object.assign(line.style, { left: `${view.frame.x_scale.compute(at)}px`, top: `${top}px`, height: `${height}px`, bottom: "auto" });
      if (view.frame.x_scale.compute(at) < left) line.hidden = true;
    }
  }

  function show(panel, event) {
    const view = viewOf(panel);
    if (!view?.frame || !["live", "stale"].includes(panel.dataset.state)) return hide();
    const box = panel.querySelector(".plot").getBoundingClientRect();
    const x = event.clientX - box.left;
    const { left, right } = view.frame.bbox;
    if (x < left || x > right) return hide();
    const card = frames.card(panel.dataset.panelId);
    const renderers = view.model.renderers;
    const source = renderers[0]?.data_source;
    if (card.kind === "heatmap") return showCells(card, source, view.frame.x_scale.invert(x), event);
    const times = source && column(source, "t");
    if (!times?.length) return hide();
    const row = nearest(times, view.frame.x_scale.invert(x));
    const rows = [];
    const seen = new Set();
    for (const renderer of renderers) {
      const index = Number(renderer.name?.slice(1));
      if (!renderer.visible || seen.has(index)) continue;
      seen.add(index);
      const value = column(renderer.data_source, `v${index}`)?.[row];
      if (value === undefined || Number.isNaN(value)) continue;
      rows.push([card.names[index] ?? "", renderer.glyph.line_color?.value ?? renderer.glyph.fill_color?.value, value]);
    }
    const format = Object.fromEntries(card.format instanceof Map ? card.format : Object.entries(card.format));
    place(times[row], rows.map(([name, color, value]) => [name, color, write(value, format)]), event);
  }

  /** The bands that hold values at that time, the highest first, and how many series have one there. */
  function showCells(card, source, at, event) {
    const [image, start, width] = ["image", "x", "dw"].map((name) => column(source, name)?.[0]);
    if (!image) return hide();
    const [bands, columns] = image.shape ?? [image.length, image[0].length];
    const here = Math.floor((at - start) / width * columns);
    const rows = [];
    for (let band = bands - 1; band >= 0 && here >= 0 && here < columns; band -= 1) {
      const count = image.shape ? image[band * columns + here] : image[band][here];
      if (count) rows.push([card.names[band], "var(--accent)", `${count} series`]);
    }
    place(start + here * width / columns, rows, event);
  }

  function place(at, rows, event) {
    if (!rows.length) { table.hidden = true; crosshairs(at); return; }
    const time = document.createElement("time");
    time.textContent = writeMoment(at);
    table.replaceChildren(time, ...rows.slice(0, 20).map(([name, color, value]) => {
      const entry = document.createElement("div");
      const mark = document.createElement("i"), label = document.createElement("span"), figure = document.createElement("b");
      mark.style.background = color;
      label.textContent = name;
      figure.textContent = value;
      entry.append(mark, label, figure);
      return entry;
    }));
    table.hidden = false;
    const { width, height } = table.getBoundingClientRect();
    const beside = event.clientX + 16 + width > innerWidth ? event.clientX - width - 16 : event.clientX + 16;
    Object.assign(table.style, { left: `${beside}px`, top: `${Math.min(event.clientY + 12, innerHeight - height - 8)}px` });
    crosshairs(at);
  }

  let frame = 0;
  document.querySelector("main").addEventListener("pointermove", (event) => {
    cancelAnimationFrame(frame);
    const panel = event.target.closest?.(".panel");
    const over = panel && event.target.closest(".plot-box") && ["line", "area", "heatmap"].includes(panel.dataset.panelType);
    if (!over || event.buttons) return hide();
    frame = requestAnimationFrame(() => show(panel, event));
  });
  document.querySelector("main").addEventListener("pointerleave", () => { cancelAnimationFrame(frame); hide(); });
}
