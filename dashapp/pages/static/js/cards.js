// A panel's card (state, headline, legend) drawn into its frame, and the frame's own controls.

import { drawContent } from "./content.js";
import { bindMenu } from "./menu.js";
import { writeClock } from "./timeaxis.js";

const text = (element, value) => { if (element.textContent !== value) element.textContent = value; };

function chip(card) {
  if (card.state === "stale") return ["warn", `stale since ${writeClock(card.since ?? Date.now())}`];
  const firing = card.marks.filter(([, end]) => end === null);
  if (firing.length) return ["bad", `firing: ${firing[0][2]}${firing.length > 1 ? ` + ${firing.length - 1}` : ""}`];
  if (card.notes.length) return ["note", card.notes.join("; ")];
  return ["", ""];
}

function drawLegend(panel, card) {
  const table = panel.querySelector(".legend"), body = table.tBodies[0], head = table.tHead.rows[0];
  table.hidden = card.legend.length === 0;
  if (head.cells.length !== card.figures.length + 1) {
    head.replaceChildren(...["", ...card.figures].map(() => document.createElement("th")));
    body.replaceChildren();
  }
  card.figures.forEach((figure, at) => text(head.cells[at + 1], figure));
  while (body.rows.length > card.legend.length) body.lastElementChild.remove();
  card.legend.forEach(([name, color, ...figures], index) => {
    let row = body.rows[index];
    if (!row) {
      row = body.insertRow();
      row.tabIndex = 0;
      row.dataset.series = index;
      row.insertCell().append(document.createElement("i"), "");
      for (const _ of figures) row.insertCell();
    }
    const cell = row.cells[0], mark = cell.firstElementChild;
    mark.style.background = color;
    if (cell.lastChild === mark) cell.append("");
    if (cell.lastChild.data !== name) cell.lastChild.data = name;
    cell.title = name;
    figures.forEach((figure, at) => text(row.cells[at + 1], figure));
  });
}

function draw(panel, card) {
  panel.dataset.panelType = card.kind;
  const heading = panel.querySelector("h2");
  if (heading.textContent !== card.title) {
    heading.textContent = heading.title = card.title;
    panel.setAttribute("aria-label", card.title);
    panel.querySelector(".panel-menu").setAttribute("aria-label", `Menu of ${card.title}`);
  }
  const [tone, note] = chip(card);
  const mark = panel.querySelector(".chip");
  mark.hidden = !note;
  mark.dataset.tone = tone;
  mark.title = card.message || note;
  text(mark, note);

  const box = panel.querySelector(".panel-message");
  const covered = card.state === "empty" || card.state === "error";
  box.hidden = !covered;
  const sentence = card.message && card.message[0].toUpperCase() + card.message.slice(1);
  text(box.querySelector("p"), sentence ? sentence.replace(/\.?$/, ".") : "");
  box.querySelector("button").hidden = card.state !== "error";

  const headline = panel.querySelector(".headline");
  const { number = "", suffix = "", level = "plain" } = plain(card.headline);
  headline.dataset.level = level;
  if (!headline.firstElementChild) headline.append(document.createElement("b"), document.createElement("span"));
  text(headline.children[0], number);
  text(headline.children[1], suffix);
  headline.hidden = covered;

  drawLegend(panel, card);
  drawContent(panel, card);
  panel.dataset.state = card.state;
}

const plain = (map) => (map instanceof Map ? Object.fromEntries(map) : map ?? {});

/** Show or hide a series; with `alone` show only it, or all again when it is the only one. */
function toggle(plot, panel, row, alone) {
  const rows = [...panel.querySelectorAll(".legend tbody tr")];
  const shown = rows.filter((other) => other.getAttribute("aria-pressed") !== "true");
  const wanted = alone
    ? (shown.length === 1 && shown[0] === row ? rows : [row])
    : shown.includes(row) ? shown.filter((other) => other !== row) : [...shown, row];
  for (const other of rows) other.setAttribute("aria-pressed", String(!wanted.includes(other)));
  const names = new Set(wanted.map((other) => `s${other.dataset.series}`));
  for (const renderer of plot.renderers) {
    renderer.visible = names.has(renderer.name);
  }
}

function emphasise(plot, index) {
  for (const renderer of plot.renderers) {
    const faint = index !== null && renderer.name !== `s${index}`;
    const glyph = renderer.glyph;
    if ("line_alpha" in glyph.properties) glyph.line_alpha = { value: faint ? 0.2 : 1 };
  }
}

export function full(panel) {
  // A transformed or contained ancestor would trap the fixed panel: it moves to the body while it is large.
  panel.classList.toggle("full");
  panel.closest(".grid-stack-item").style.zIndex = panel.classList.contains("full") ? 60 : "";
}

/** Draw a card into its panel's frame, now and at each change; into a frame that is `new` to us, with its controls. */
export function bindCard(frames, card, panel, isNew) {
  const plot = () => frames.plot(card.panel_id);
  let asked = false;
  card.change.connect(() => {
    if (asked) return;
    asked = true;
    queueMicrotask(() => { asked = false; draw(panel, card); });
  });
  draw(panel, card);
  if (!isNew) return;
  panel.querySelector('[data-action="retry"]').addEventListener("click", () => frames.retry(card.panel_id));
  const body = panel.querySelector(".legend tbody");
  body.addEventListener("click", (event) => {
    const row = event.target.closest("tr");
    if (row) toggle(plot(), panel, row, event.ctrlKey || event.metaKey);
  });
  body.addEventListener("keydown", (event) => {
    if (event.key === "Enter" || event.key === " ") { event.preventDefault(); toggle(plot(), panel, event.target.closest("tr"), event.ctrlKey); }
  });
  body.addEventListener("pointerover", (event) => emphasise(plot(), event.target.closest("tr")?.dataset.series ?? null));
  body.addEventListener("pointerleave", () => emphasise(plot(), null));
  // A new plot shows all series, another range's those that were shown.
  panel.addEventListener("drawn", () => {
    const hidden = [...body.rows].filter((row) => row.getAttribute("aria-pressed") === "true");
    if (!hidden.length) return;
    const names = new Set(hidden.map((row) => `s${row.dataset.series}`));
    for (const renderer of plot().renderers) renderer.visible = !names.has(renderer.name);
  });
  bindMenu(frames, panel);
}

/** The link's panel in full screen, and Escape out of it. */
export function bindFull() {
  const wanted = new URLSearchParams(location.search).get("panel");
  const panel = wanted && document.querySelector(`[data-panel-id="${CSS.escape(wanted)}"]`);
  if (panel) full(panel);
  document.addEventListener("keydown", (event) => {
    const large = document.querySelector(".panel.full");
    if (event.key === "Escape" && large && !event.defaultPrevented) full(large);
  });
}
