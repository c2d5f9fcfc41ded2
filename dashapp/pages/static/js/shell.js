// What every page has: the theme switch, toasts, and lists that open under a button.

const themeListeners = [];
export const onTheme = (listener) => themeListeners.push(listener);

document.querySelector('[data-action="theme"]')?.addEventListener("click", () => {
  const root = document.documentElement;
  root.dataset.theme = root.dataset.theme === "light" ? "dark" : "light";
  document.cookie = `dashapp_theme=${root.dataset.theme}; path=/; max-age=31536000; samesite=lax`;
  for (const listener of themeListeners) listener(root.dataset.theme);
});

/** Say something in passing. `action` is [label, function]. */
export function toast(text, { tone = "", action = null, seconds = 6 } = {}) {
  const box = document.querySelector(".toasts");
  const element = document.createElement("div");
  element.className = "toast";
  element.dataset.tone = tone;
  element.append(text);
  if (action) {
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = action[0];
    button.onclick = () => { element.remove(); action[1](); };
    element.append(button);
  }
  box.replaceChildren(element);
  setTimeout(() => element.remove(), seconds * 1000);
}

/** Make `list` open under `button`, with arrows, Enter and Escape; `choose` gets the chosen element. */
export function dropdown(button, list, choose, selector = "li") {
  const items = () => [...list.querySelectorAll(selector)];
  const close = (focus = true) => {
    if (list.hidden) return;
    list.hidden = true;
    button.setAttribute("aria-expanded", "false");
    if (focus) button.focus();
  };
  const open = () => {
    list.hidden = false;
    button.setAttribute("aria-expanded", "true");
    (list.querySelector('[aria-selected="true"]') ?? items()[0])?.focus();
  };
  button.addEventListener("click", () => (list.hidden ? open() : close()));
  list.addEventListener("click", (event) => {
    const item = event.target.closest(selector);
    if (item) { close(); choose(item); }
  });
  list.addEventListener("keydown", (event) => {
    const all = items(), at = all.indexOf(document.activeElement);
    if (event.key === "ArrowDown") all[(at + 1) % all.length].focus();
    else if (event.key === "ArrowUp") all[(at - 1 + all.length) % all.length].focus();
    else if (event.key === "Home") all[0].focus();
    else if (event.key === "End") all[all.length - 1].focus();
    else if (event.key === "Escape") close();
    else if (event.key === "Enter" || event.key === " ") { const item = all[at]; close(); if (item) choose(item); }
    else return;
    event.preventDefault();
    event.stopPropagation();
  });
  document.addEventListener("pointerdown", (event) => {
    if (!list.contains(event.target) && !button.contains(event.target)) close(false);
  });
  list.addEventListener("focusout", (event) => {
    if (!list.contains(event.relatedTarget) && event.relatedTarget !== button) close(false);
  });
}
