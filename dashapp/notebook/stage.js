// The element of a board in a notebook: a frame with the page in it, and the way between that page and the kernel.
//
// The page (BokehJS, scripts, styles) comes from the kernel, once for all boards of a browser's page, and is not kept in the
// notebook's file. Without a kernel there is a sentence.

const WAIT_MS = 40_000;
// Panel drops a message that travels with one about a widget which is gone; asking twice does no harm.
const AGAIN_MS = 5_000;
const pages = (globalThis.dashappPages ??= new Map());

const isDark = () => {
  const { jpThemeLight } = document.body.dataset;
  if (jpThemeLight) return jpThemeLight === "false";
  if (document.body.classList.contains("vscode-dark")) return true;
  return document.body.classList.contains("vscode-light") ? false : matchMedia("(prefers-color-scheme: dark)").matches;
};

export function render({ model, el }) {
  const waiting = new Map();
  /** The kernel's answer; null when it doesn't come. */
  const ask = (question) => new Promise((resolve) => {
    const id = crypto.getRandomValues(new Uint32Array(2)).join("-");
    const send = () => model.send_msg({ id, ...question });
    const again = setInterval(send, AGAIN_MS), end = setTimeout(() => done(null), WAIT_MS);
    const done = (answer) => { clearInterval(again); clearTimeout(end); waiting.delete(id); resolve(answer); };
    waiting.set(id, done);
    send();
  });

  const frame = document.createElement("iframe");
  frame.title = model.title;
  frame.ask = ask;
  frame.style.cssText = `display:block;width:100%;height:${model.rows * 76 + 8}px;border:0;background:none`;
  const dress = () => { frame.dataset.theme = isDark() ? "dark" : "light"; };
  dress();
  const watch = new MutationObserver(() => {
    const before = frame.dataset.theme;
    dress();
    if (frame.dataset.theme !== before) frame.dispatchEvent(new Event("nudge"));
  });
  watch.observe(document.body, { attributes: true, attributeFilter: ["data-jp-theme-light", "class"] });

  const hear = (data) => {
    if (data.nudge) frame.dispatchEvent(new Event("nudge"));
    else waiting.get(data.id)?.(data);
  };
  model.on("msg:custom", hear);
  model.on("remove", () => { watch.disconnect(); model.off("msg:custom", hear); });

  const words = document.createElement("p");
  words.textContent = `${model.title}: run this cell to see it live.`;
  const page = pages.get(model.page) ?? ask({ page: true }).then((answer) => answer?.page);
  pages.set(model.page, page);
  page.then((html) => {
    if (!html) return pages.delete(model.page);
    frame.srcdoc = html;
    words.replaceWith(frame);
  });
  const box = document.createElement("div");
  box.style.width = "100%";
  box.append(words);
  return box;
}
