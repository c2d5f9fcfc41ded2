// The list of a page's keys.

import { openDialog } from "./dialog.js";
import { keys } from "./keys.js";

export function showKeys() {
  openDialog("Keyboard", (body) => {
    const list = document.createElement("dl");
    list.className = "keys";
    const also = [["Esc", "Leave full screen, close what is open"], ["Ctrl+Z", "Undo"]];
    for (const [key, label] of [...[...keys].map(([key, [label]]) => [key, label]), ...also]) {
      const name = document.createElement("dt"), cap = document.createElement("kbd"), words = document.createElement("dd");
      cap.textContent = key;
      words.textContent = label;
      name.append(cap);
      list.append(name, words);
    }
    body.append(list);
  });
}
