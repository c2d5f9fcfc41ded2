// What every page has: the theme switch, toasts, and lists that open under a button.

const themeListeners = [];
export const onTheme = (listener) => themeListeners.push(listener);

document.querySelector('[data-action="theme"]')?.addEventListener("click", () => {
  const root = document.documentElement;
  root.dataset.theme = root.dataset.theme === "light" ? "dark" : "light";
  document.cookie = `dashapp_theme=${root.dataset.theme}; path=/; max-age=31536000; samesite=lax`;
  for (const listener of themeListeners) listener(root.dataset.theme);
});

/** Say something in passing. `action`, and each of `actions`, is [label, function]; `gone` is told when none was chosen. */
export function toast(text, { tone = "", action = null, actions = action ? [action] : [], seconds = 6, gone = () => {} } = {}) {
  const box = document.querySelector(".toasts");
  const element = document.createElement("div");
  element.className = "toast";
  element.dataset.tone = tone;
  const words = document.createElement("span");
  words.textContent = text;
  element.append(words);
  let chosen = false;
  for (const [label, run] of actions) {
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = label;
    button.onclick = () => { chosen = true; element.remove(); run(); };
    element.append(button);
  }
  box.replaceChildren(element);
  // As long as somebody points at it or stands on it, it stays.
  const end = () => {
    if (element.matches(":hover, :focus-within")) return setTimeout(end, 1000);
    element.remove();
    if (!chosen) gone();
  };
  setTimeout(end, seconds * 1000);
}

/** Put text on the clipboard and say so; where the browser refuses that, show the text. */
export async function copyText(text, said) {
  try {
    await navigator.clipboard.writeText(text);
    toast(said);
  } catch {
    toast(`Copy this: ${text}`, { seconds: 20 });
  }
}

/** Make `list` open under `button`, with arrows, Enter and Escape; `choose` gets the chosen element.

With `bound: false` the caller opens it; `closed` is told when it closes. With `stays` it stays open when one is chosen. */
export function dropdown(button, list, choose, selector = "li", { bound = true, stays = false, closed = () => {} } = {}) {
  let ending = new AbortController();
  const items = () => [...list.querySelectorAll(selector)];
  const close = (focus = true) => {
    if (list.hidden) return;
    list.hidden = true;
    button.setAttribute("aria-expanded", "false");
    if (focus) button.focus();
    ending.abort();
    closed();
  };
  const open = () => {
    list.hidden = false;
    button.setAttribute("aria-expanded", "true");
    (list.querySelector('[aria-selected="true"]') ?? items()[0])?.focus();
    ending = new AbortController();
    document.addEventListener("pointerdown", (event) => {
      if (!list.contains(event.target) && !button.contains(event.target)) close(false);
    }, { signal: ending.signal });
  };
  if (bound) button.addEventListener("click", () => (list.hidden ? open() : close()));
  list.addEventListener("click", (event) => {
    const item = event.target.closest(selector);
    if (item) { if (!stays) close(); choose(item); }
  });
  list.addEventListener("keydown", (event) => {
    const all = items(), at = all.indexOf(document.activeElement);
    // In a form beside the list keys write.
    if (event.key !== "Escape" && event.target.closest("form")) return;
    if (event.key === "ArrowDown") all[(at + 1) % all.length].focus();
    else if (event.key === "ArrowUp") all[(at - 1 + all.length) % all.length].focus();
    else if (event.key === "Home") all[0].focus();
    else if (event.key === "End") all[all.length - 1].focus();
    else if (event.key === "Escape") close();
    else if (event.key === "Enter" || event.key === " ") { const item = all[at]; if (!stays) close(); if (item) choose(item); }
    else return;
    event.preventDefault();
    event.stopPropagation();
  });
  list.addEventListener("focusout", (event) => {
    if (event.relatedTarget && !list.contains(event.relatedTarget) && event.relatedTarget !== button) close(false);
  });
  return { open, close };
}
