// The board: a Bokeh document of all plots that comes whole with the page, and is then patched. It belongs to all its
// viewers alike, so nothing of it is ever sent back.

const { Bokeh } = window;

/** Resolves once every plot has been painted, or after two seconds: a plot in a closed tab never is. */
function painted(doc) {
  if (doc.is_idle) return Promise.resolve();
  return Promise.race([new Promise((resolve) => doc.idle.connect(resolve)), new Promise((resolve) => setTimeout(resolve, 2000))]);
}

export class Board {
  #listeners = [];
  #views = null;
  #elements = [];
  #showing = Promise.resolve();
  number = 0;
  at = 0;
  doc = null;
  cards = null;
  #plots = new Map();

  /** Called with each board that is shown from now on. */
  onShown(listener) { this.#listeners.push(listener); }

  /** The plot of a panel, and its view. */
  plot(panelId) { return this.doc?.get_model_by_id(this.#plots.get(panelId)); }
  view(panelId) { return Bokeh.index[this.#plots.get(panelId)]; }
  card(panelId) { return this.cards?.cards.find((card) => card.panel_id === panelId); }

  /** Show a whole board, in place of the one before once it is painted. One after the other. */
  show(picture) {
    this.#showing = this.#showing.then(() => this.#show(picture)).catch((error) => console.error(error));
    return this.#showing;
  }

  async #show(picture) {
    const before = { doc: this.doc, views: this.#views, elements: this.#elements };
    const elements = [], roots = {};
    for (const [root, place] of Object.entries(picture.roots)) {
      const slot = document.getElementById(place);
      const element = document.createElement("div");
      element.className = "canvas";
      // A panel that the page doesn't have is drawn where nobody sees it.
      (slot ?? document.getElementById("page-state")).append(element);
      if (before.doc) element.style.visibility = "hidden";
      elements.push(element);
      roots[root] = element;
    }
    const item = { docid: "board", roots, root_ids: Object.keys(roots), use_for_title: false };
    const [views] = await Bokeh.embed.embed_items({ board: picture.document }, [item]);
    this.doc = Bokeh.documents.at(-1);
    for (const patch of picture.patches) this.doc.apply_json_patch(patch);
    this.number = picture.board;
    this.at = picture.at;
    this.cards = this.doc.get_model_by_id(picture.cards);
    this.#views = views;
    this.#elements = elements;
    this.#plots = new Map(Object.entries(picture.roots).map(([root, place]) => [place.replace(/^plot-/, ""), root]));
    if (before.doc) {
      await painted(this.doc);
      for (const element of elements) element.style.visibility = "";
      before.views.clear();
      for (const element of before.elements) element.remove();
      const place = Bokeh.documents.indexOf(before.doc);
      if (place >= 0) Bokeh.documents.splice(place, 1);
    }
    for (const listener of this.#listeners) listener(this);
  }

  /** Apply patches, unless they are of another board than the one that is shown. */
  apply({ board, at, patches }) {
    if (board !== this.number) return;
    for (const patch of patches) this.doc.apply_json_patch(patch);
    this.at = at;
  }

  /** Paint all plots again: axes and grids read the style sheet when they are painted. */
  repaint() { for (const id of this.#plots.values()) Bokeh.index[id]?.request_paint?.(); }
}
