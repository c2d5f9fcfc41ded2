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

let installed = false;

/** From now on all plots look up styles so; `view` is any of them. */
export function install(view) {
  if (installed) return;
  installed = true;
  let visual = [...view.visuals][0];
  while (visual && !Object.hasOwn(visual, "_get_css_value")) visual = Object.getPrototypeOf(visual);
  // Now, as nothing is on the page yet that would have to be laid out for an answer.
  style(ASKED[0]);
  if (visual) visual._get_css_value = function (name) { return style(this.css_prefix + name); };
  // Only text in `em` asks for it, and ours is in pixels.
  Object.defineProperty(Object.getPrototypeOf(view), "base_font_size", { get: () => null, configurable: true });
}
