// Single keys of a page. They do nothing while somebody types, with a modifier, or under a dialog.

/** The page's keys: letter → [what it does, function]. */
export const keys = new Map();

export const isTyping = (target) => target?.closest?.("input, textarea, select, [contenteditable]") != null;

export function onKey(letter, label, run) {
  keys.set(letter, [label, run]);
  return () => keys.delete(letter);
}

document.addEventListener("keydown", (event) => {
  if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey || isTyping(event.target)) return;
  if (document.querySelector("dialog[open]")) return;
  const found = keys.get(event.key);
  if (!found) return;
  event.preventDefault();
  found[1](event);
});
