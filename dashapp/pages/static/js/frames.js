// The panels' frames and the board that is drawn into them. The board is a Bokeh document of all plots that comes whole
// with the page, and is then patched; it belongs to all its viewers alike, so nothing of it is ever sent back. Panels that
// come, change or go while the page is open get, keep or lose their frames, and a new plot takes the old one's place
// without a blank between.

import { bindCard } from "./cards.js";
import { install as installStyle } from "./plotstyle.js";
import { buildTogether } from "./together.js";

const { Bokeh } = window;
/** The browser is about to make the next frame; at once where none is made. */
export const frame = () => new Promise((resolve) => (document.hidden ? setTimeout(resolve) : requestAnimationFrame(resolve)));

/** Plots far from the screen are painted once it comes near them: until then a tick costs them no more than its numbers. */
const near = new IntersectionObserver((changes) => {
  for (const { target, isIntersecting } of changes) target.paintsWhenNear?.(isIntersecting);
}, { rootMargin: "200px" });

/** Let `view`, which stands in `host` and is painted, wait with painting while it is far from the screen. */
function paintNear(view, host) {
  const paint = view.throttled_paint;
  let isNear = true, waits = false;
  view.throttled_paint = () => {
    if (isNear) return paint();
    waits = true;
    return Promise.resolve();
  };
  host.paintsWhenNear = (now) => {
    isNear = now;
    if (!isNear || !waits) return;
    waits = false;
    view.request_paint();
  };
  near.observe(host);
}

/** Plots that are to be built with those that are ready in the same turn: [{view, host, built}]. */
let ready = [];

/** Build `view` into `host`, along with all others that come meanwhile. */
function build(view, host) {
  if (!ready.length) {
    setTimeout(() => {
      const plots = ready;
      ready = [];
      buildTogether(plots);
      for (const { built } of plots) built();
    });
  }
  return new Promise((built) => ready.push({ view, host, built }));
}

/** Tells `cards`, `version`, `title` and `variables` when they change. */
export class Frames extends EventTarget {
  #showing = Promise.resolve();
  #drawing = new Set();
  doc = null;
  /** The root of the board's document: cards, version, title. */
  root = null;
  /** The board that is shown, and the change up to which it is. */
  number = 0;
  at = 0;
  /** Panel id → {card, panel, view, host}. */
  shown = new Map();
  grid = null;
  /** The page's session, once it is open. */
  state = null;

  constructor(boot) {
    super();
    this.boot = boot;
  }

  card(panelId) { return this.shown.get(panelId)?.card; }
  panel(panelId) { return this.shown.get(panelId)?.panel; }
  view(panelId) { return this.shown.get(panelId)?.view; }
  plot(panelId) { return this.shown.get(panelId)?.card.plot; }
  get version() { return this.root.version; }
  get variables() { return this.root.variables.map((one) => (one instanceof Map ? Object.fromEntries(one) : one)); }
  get title() { return this.root.title; }

  /** The cards' places as the grid's layout. */
  layout() {
    return this.root.cards.filter((card) => card.place.length === 4)
      .map(({ panel_id, place: [x, y, w, h] }) => ({ i: panel_id, x, y, w, h }));
  }

  /** What a filter's value stands for: itself, or what is chosen of the variable; none for all. */
  valuesOf(value) {
    const name = /^\$\{?([a-zA-Z_]\w*)\}?$/.exec(value)?.[1];
    return name ? this.variables.find((one) => one.name === name)?.chosen ?? [] : [value];
  }

  /** Ask for a panel once more. */
  retry(panelId) {
    this.state?.setv({ retry: [panelId, (this.state.retry[1] ?? 0) + 1] });
  }

  /** Show a whole board, in place of the one before as its plots are painted. Boards are shown one after the other. */
  show(picture) {
    this.#showing = this.#showing.then(() => this.#show(picture)).catch((error) => console.error(error));
    return this.#showing;
  }

  async #show(picture) {
    const before = this.doc;
    await Bokeh.embed.embed_items({ board: picture.document }, [{ docid: "board", roots: {}, root_ids: [], use_for_title: false }]);
    this.doc = Bokeh.documents.at(-1);
    for (const patch of picture.patches) this.doc.apply_json_patch(patch);
    this.number = picture.board;
    this.at = picture.at;
    this.root = this.doc.get_model_by_id(picture.cards);
    this.root.properties.cards.change.connect(() => this.#reconcile());
    for (const name of ["version", "title", "variables"]) this.root.properties[name].change.connect(() => this.#tell(name));
    this.#reconcile();
    for (const name of before ? ["version", "title", "variables"] : []) this.#tell(name);
    await Promise.all(this.#drawing);
    if (before) {
      const place = Bokeh.documents.indexOf(before);
      if (place >= 0) Bokeh.documents.splice(place, 1);
    }
  }

  /** Apply patches, unless they are of another board than the one that is shown. */
  apply({ board, at, patches }) {
    if (board !== this.number) return;
    for (const patch of patches) this.doc.apply_json_patch(patch);
    this.at = at;
  }

  /** Paint all plots again: axes and grids read the style sheet when they are painted. */
  repaint() { for (const { view } of this.shown.values()) view?.request_paint?.(); }

  #tell(name) { this.dispatchEvent(new Event(name)); }

  #take(card, panel) {
    const entry = this.shown.get(card.panel_id) ?? { panel, view: null, host: panel.querySelector(".plot"), building: null };
    const isNew = !this.shown.has(card.panel_id);
    entry.card = card;
    this.shown.set(card.panel_id, entry);
    bindCard(this, card, panel, isNew);
    card.properties.plot.change.connect(() => this.#draw(entry));
    card.properties.place.change.connect(() => this.#placeSoon());
    this.#draw(entry);
  }

  /** Frames as the cards say. */
  #reconcile() {
    const wanted = new Set(this.root.cards.map((card) => card.panel_id));
    for (const [id, { panel, view, host }] of this.shown) {
      if (wanted.has(id)) continue;
      this.shown.delete(id);
      this.grid?.drop(panel.parentElement);
      view?.remove();
      near.unobserve(host);
      panel.dispatchEvent(new Event("gone"));
    }
    for (const card of this.root.cards) {
      const known = this.shown.get(card.panel_id);
      if (known?.card === card) continue;
      this.#take(card, known?.panel ?? document.querySelector(`[data-panel-id="${CSS.escape(card.panel_id)}"]`) ?? this.#frame(card));
    }
    const empty = document.querySelector('[data-role="no-panels"]');
    if (empty) empty.hidden = wanted.size > 0;
    this.#placeSoon();
    this.#tell("cards");
  }

  /** A new frame for a card, on the grid. */
  #frame(card) {
    const item = document.getElementById("frame").content.firstElementChild.cloneNode(true);
    const panel = item.querySelector(".panel");
    item.setAttribute("gs-id", card.panel_id);
    panel.dataset.panelId = card.panel_id;
    document.querySelector(".grid-stack").append(item);
    const [x, y, w, h] = card.place;
    this.grid?.adopt(item, { id: card.panel_id, x, y, w, h });
    return panel;
  }

  #placeSoon() {
    if (this.placing) return;
    this.placing = true;
    queueMicrotask(() => { this.placing = false; this.grid?.follow(this.layout()); });
  }

  #draw(entry) {
    const drawing = this.#build(entry).finally(() => this.#drawing.delete(drawing));
    this.#drawing.add(drawing);
  }

  /** Draw the card's plot, if it isn't the one that is drawn. */
  async #build(entry) {
    const plot = entry.card.plot;
    if (!plot && entry.view) {
      // A panel of words or rows took the plot's place: the page draws it by its card.
      entry.view.remove();
      Object.assign(entry, { view: null, building: null });
      entry.host.replaceChildren();
    }
    if (!plot || entry.building === plot || (!entry.building && entry.view?.model === plot)) return;
    entry.building = plot;
    const isFirst = entry.view === null;
    const host = isFirst ? entry.host : document.createElement("div");
    if (!isFirst) {
      host.className = "plot coming";
      entry.host.before(host);
    }
    const view = await this.doc.views_manager.build_view(plot);
    installStyle(view);
    const outdated = () => entry.building !== plot || !this.shown.has(entry.card.panel_id);
    const drop = () => { view.remove(); if (!isFirst) host.remove(); };
    if (outdated()) return drop(); // a newer one came meanwhile
    await build(view, host);
    if (outdated()) return drop();
    if (!isFirst) {
      await view.ready;
      await frame();
      await frame();
      if (outdated()) return drop();
    }
    const { view: old, host: oldHost } = entry;
    Object.assign(entry, { view, host, building: null });
    host.classList.remove("coming");
    old?.remove();
    if (!isFirst) { near.unobserve(oldHost); oldHost.remove(); }
    view.ready.then(() => paintNear(view, host));
    entry.panel.dispatchEvent(new Event("drawn"));
  }
}
