// The gallery of panel types: what the server knows, in its order.

import { openDialog } from "../dialog.js";

const SVG = "http://www.w3.org/2000/svg";

/** A type's small picture. */
export function sketch({ sketch: path, filled }) {
  const svg = document.createElementNS(SVG, "svg"), line = document.createElementNS(SVG, "path");
  svg.setAttribute("viewBox", "0 0 48 28");
  svg.setAttribute("aria-hidden", "true");
  svg.classList.add("sketch");
  line.setAttribute("d", path);
  line.setAttribute("class", filled ? "filled" : "line");
  svg.append(line);
  return svg;
}

/** The types as a group of radio buttons; `choose` gets the type. */
export function typePicker(types, chosen, choose) {
  const box = document.createElement("div");
  box.className = "types";
  box.setAttribute("role", "radiogroup");
  box.setAttribute("aria-label", "Type");
  for (const type of types) {
    const label = document.createElement("label"), input = document.createElement("input"), name = document.createElement("span");
    Object.assign(input, { type: "radio", name: "panel-type", value: type.type, checked: type.type === chosen });
    name.textContent = type.label;
    label.title = type.about;
    input.addEventListener("change", () => choose(type.type));
    label.append(input, sketch(type), name);
    box.append(label);
  }
  return box;
}

export function openGallery(types, choose) {
  openDialog("Add a panel", (body, dialog) => {
    const list = document.createElement("div");
    list.className = "gallery";
    types.forEach((type, at) => {
      const button = document.createElement("button"), name = document.createElement("b"), about = document.createElement("span");
      button.type = "button";
      button.dataset.type = type.type;
      button.autofocus = at === 0;
      name.textContent = type.label;
      about.textContent = type.about;
      button.append(sketch(type), name, about);
      button.addEventListener("click", () => { dialog.close(); choose(type.type); });
      list.append(button);
    });
    list.addEventListener("keydown", (event) => {
      const all = [...list.children], at = all.indexOf(document.activeElement);
      const step = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
      if (step) { all[(at + step + all.length) % all.length].focus(); event.preventDefault(); }
    });
    body.append(list);
  });
}
