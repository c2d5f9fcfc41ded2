// The style sheet's grid, without gridstack: nobody moves anything here.

const put = (item, { x, y, w, h }) => {
  item.setAttribute("gs-w", w);
  item.style.cssText = `--h:${h};left:calc(${x} * var(--gs-column-width));top:calc(${y} * var(--gs-cell-height));width:calc(${w} * var(--gs-column-width));height:calc(${h} * var(--gs-cell-height))`;
};

/** What `Frames` asks of a grid. */
export function fixedGrid() {
  const element = document.querySelector(".grid-stack");
  return {
    adopt: put,
    drop: (item) => item.remove(),
    follow(layout) {
      for (const place of layout) put(document.querySelector(`[gs-id="${CSS.escape(place.i)}"]`), place);
      element.style.height = `${76 * Math.max(0, ...layout.map(({ y, h }) => y + h))}px`;
      // On a phone they stand one below the other, in this order.
      const order = [...layout].sort((a, b) => a.y - b.y || a.x - b.x).map(({ i }) => i);
      for (const item of element.children) item.style.order = order.indexOf(item.getAttribute("gs-id"));
    },
  };
}
