// What a panel shows, as a table and as CSV.

import { openDialog } from "./dialog.js";
import { toast } from "./shell.js";
import { writeMoment } from "./timeaxis.js";

const MOST_ROWS = 500;
const get = (columns, name) => (columns.get ? columns.get(name) : columns[name]);

/** {names, rows}: the first column holds Unix ms where `timed`, the others numbers. Null where nothing is drawn. */
function tableOf(card) {
  const renderers = card.plot?.renderers ?? [];
  // Series share one source, or have one each over the same times.
  const timed = renderers.map((renderer) => renderer.data_source.data).filter((columns) => get(columns, "t") !== undefined);
  if (timed.length) {
    const columns = [], valuesOf = (index) => timed.map((data) => get(data, `v${index}`)).find((values) => values !== undefined);
    while (valuesOf(columns.length) !== undefined) columns.push(valuesOf(columns.length));
    const names = columns.map((_, at) => card.names[at] ?? card.legend[at]?.[0] ?? card.title);
    const rows = [];
    get(timed[0], "t").forEach((time, row) => {
      const values = columns.map((column) => column[row]);
      if (values.some((value) => !Number.isNaN(value))) rows.push([time, ...values]);
    });
    return { timed: true, names: ["time", ...names], rows };
  }
  const cells = renderers.map((renderer) => renderer.data_source.data).find((columns) => get(columns, "image")?.length);
  if (cells) {
    const [image, start, width] = ["image", "x", "dw"].map((name) => get(cells, name)[0]), [bands, columns] = image.shape;
    const rows = Array.from({ length: columns }, (_, at) => [start + at * width / columns, ...card.names.map((_name, band) => image[band * columns + at])]);
    return { timed: true, names: ["time", ...card.names.slice(0, bands)], rows };
  }
  const labels = (axis) => { const map = axis?.major_label_overrides; return map instanceof Map ? [...map.values()] : Object.values(map ?? {}); };
  const bars = labels(card.plot?.left?.[0]);
  if (bars.length && !card.legend.length) {
    const values = labels(card.plot.right[0]);
    return { timed: false, names: ["name", "value"], rows: bars.map((name, at) => [name, values[at]]) };
  }
  const table = card.table instanceof Map ? Object.fromEntries(card.table) : card.table;
  if (table.rows) return { timed: false, names: ["name", ...table.columns], rows: table.rows.map(([name, , , , texts]) => [name, ...texts]) };
  if (card.legend.length) return { timed: false, names: ["name", ...card.figures], rows: card.legend.map(([name, , ...figures]) => [name, ...figures]) };
  const { number, suffix } = card.headline instanceof Map ? Object.fromEntries(card.headline) : card.headline;
  return number === undefined ? null : { timed: false, names: ["name", "value"], rows: [[card.title, `${number} ${suffix}`.trim()]] };
}

function csvOf({ timed, names, rows }) {
  const quote = (value) => (/[",\n]/.test(value) ? `"${String(value).replaceAll('"', '""')}"` : value);
  const write = (value) => (Number.isNaN(value) ? "" : quote(value));
  const lines = rows.map(([first, ...rest]) => [timed ? new Date(first).toISOString() : quote(first), ...rest.map(write)].join(","));
  return [names.map(quote).join(","), ...lines].join("\n") + "\n";
}

export function download(blob, name) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(blob);
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}

const nothing = () => toast("This panel shows nothing yet, so there is no data to give.");

export function downloadCsv(card) {
  const table = tableOf(card);
  if (!table) return nothing();
  download(new Blob([csvOf(table)], { type: "text/csv" }), `${card.title}.csv`);
}

export function showData(card) {
  const table = tableOf(card);
  if (!table) return nothing();
  const { timed, names } = table;
  let rows = [...table.rows], by = 0, descending = timed;
  const number = new Intl.NumberFormat(undefined, { maximumSignificantDigits: 6 });
  const write = (value, at) => {
    if (at === 0 && timed) return writeMoment(value);
    if (typeof value === "number") return Number.isNaN(value) ? "–" : number.format(value);
    return value;
  };
  openDialog(card.title, (body) => {
    const wrap = document.createElement("div"), element = document.createElement("table"), foot = document.createElement("footer");
    wrap.className = "data-wrap";
    wrap.tabIndex = 0;
    element.className = "data";
    const head = element.createTHead().insertRow(), tbody = element.createTBody();
    const fill = () => {
      const compare = (a, b) => (typeof a === "number" ? (Number.isNaN(a) ? -1 : Number.isNaN(b) ? 1 : a - b) : String(a).localeCompare(b, undefined, { numeric: true }));
      rows.sort((a, b) => compare(a[by], b[by]) * (descending ? -1 : 1));
      tbody.replaceChildren(...rows.slice(0, MOST_ROWS).map((row) => {
        const line = document.createElement("tr");
        row.forEach((value, at) => { line.insertCell().textContent = write(value, at); });
        return line;
      }));
      [...head.cells].forEach((cell, at) => cell.setAttribute("aria-sort", at === by ? (descending ? "descending" : "ascending") : "none"));
    };
    names.forEach((name, at) => {
      const cell = document.createElement("th"), button = document.createElement("button");
      cell.scope = "col";
      Object.assign(button, { type: "button", textContent: name, onclick: () => { descending = at === by ? !descending : false; by = at; fill(); } });
      cell.append(button);
      head.append(cell);
    });
    fill();
    wrap.append(element);
    const note = document.createElement("span"), csv = document.createElement("button");
    note.className = "muted";
    note.textContent = rows.length > MOST_ROWS ? `${MOST_ROWS} of ${rows.length} rows; the CSV has all` : `${rows.length} row${rows.length === 1 ? "" : "s"}`;
    Object.assign(csv, { type: "button", className: "button", textContent: "Download CSV", onclick: () => downloadCsv(card) });
    foot.append(note, csv);
    body.append(wrap, foot);
  }, { wide: true });
}
