// How plots are painted, where Bokeh's own way is wrong or slow.
//
// Plots take some of their colours from the style sheet. Bokeh asks it anew for every property of every axis and grid that
// it paints, and each time the browser has to work out the page's styles; the answers are the theme's, so one look will do.

const ASKED = ["--bk-major-label-text-color", "--bk-grid-line-color"];
const ofThemes = new Map();

function style(name) {
  if (!ASKED.includes(name)) return "";
  const theme = document.documentElement.dataset.theme;
  if (!ofThemes.has(theme)) {
    const computed = getComputedStyle(document.documentElement);
    ofThemes.set(theme, new Map(ASKED.map((one) => [one, computed.getPropertyValue(one)])));
  }
  return ofThemes.get(theme).get(name);
}

/** Bokeh fills an area across rows without a number, as if somebody had measured there; this fills each stretch between them. */
function paintArea(ctx, _indices, data) {
  const { sx, sy1, sy2 } = { ...this, ...data };
  const isWhole = (row) => !Number.isNaN(sy1[row]) && !Number.isNaN(sy2[row]);
  ctx.beginPath();
  for (let start = 0, end; start < sx.length; start = end + 1) {
    for (end = start; end < sx.length && isWhole(end); end += 1);
    if (end === start) continue;
    ctx.moveTo(sx[start], sy1[start]);
    for (let row = start + 1; row < end; row += 1) ctx.lineTo(sx[row], sy1[row]);
    for (let row = end - 1; row >= start; row -= 1) ctx.lineTo(sx[row], sy2[row]);
    ctx.closePath();
  }
  this.visuals.fill.apply(ctx);
  this.visuals.hatch.apply(ctx);
}

let installed = false;

/** From now on all plots look up styles and fill areas so; `view` is any of them. */
export function install(view) {
  if (installed) return;
  installed = true;
  window.Bokeh.Models.get("VArea").prototype.default_view.prototype._paint = paintArea;
  let visual = [...view.visuals][0];
  while (visual && !Object.hasOwn(visual, "_get_css_value")) visual = Object.getPrototypeOf(visual);
  // Now, as nothing is on the page yet that would have to be laid out for an answer.
  style(ASKED[0]);
  if (visual) visual._get_css_value = function (name) { return style(this.css_prefix + name); };
  // Only text in `em` asks for it, and ours is in pixels.
  Object.defineProperty(Object.getPrototypeOf(view), "base_font_size", { get: () => null, configurable: true });
}
