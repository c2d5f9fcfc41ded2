// The dashboard's variables: a picker for each below the bar. What is chosen stands in the link, so that Back goes back.

import { call } from "./api.js";
import { dropdown, toast } from "./shell.js";

const PREFIX = "var-";
/** What a link says for all values, where a variable has a default. */
export const ALL = "$__all";
/** With more values than this a field narrows them. */
const FEW = 10;
/** Of several values each press counts; what is shown follows once the pressing pauses. */
const PAUSE_MS = 300;

const make = (tag, properties = {}, ...children) => {
  const element = Object.assign(document.createElement(tag), properties);
  element.append(...children);
  return element;
};

function chosenInLink() {
  const chosen = {};
  for (const [key, value] of new URLSearchParams(location.search)) {
    if (key.startsWith(PREFIX)) (chosen[key.slice(PREFIX.length)] ??= []).push(value);
  }
  for (const [name, values] of Object.entries(chosen)) if (values.includes(ALL)) chosen[name] = [];
  return chosen;
}

function inWords(values, all) {
  if (!values.length) return all ? "All" : "–";
  return values.length > 2 ? `${values[0]} + ${values.length - 1}` : values.join(", ");
}

async function valuesOf(variable) {
  if (variable.values?.length) return variable.values;
  const tags = await call("GET", `/metrics/${encodeURIComponent(variable.metric)}/tags`);
  return tags[variable.tag] ?? [];
}

export function bindVariables(frames, state) {
  const bar = document.querySelector(".variables");
  const caret = document.querySelector(".picker .button .icon");
  /** By variable what was chosen here; the server says the rest. */
  let chosen = chosenInLink(), timer = 0, drawn = "";
  const follow = new Map();

  const send = (push) => {
    // All is said as such: nothing said is the default.
    state.setv({ variables: Object.fromEntries(Object.entries(chosen).map(([name, values]) => [name, values.length ? values : [ALL]])) });
    if (!push) return;
    const defaults = new Set(frames.variables.filter((one) => one.default?.length).map(({ name }) => name));
    const url = new URL(location.href);
    for (const key of [...url.searchParams.keys()]) if (key.startsWith(PREFIX)) url.searchParams.delete(key);
    for (const [name, values] of Object.entries(chosen)) {
      for (const value of values.length || !defaults.has(name) ? values : [ALL]) url.searchParams.append(PREFIX + name, value);
    }
    history.pushState(null, "", url);
  };

  function picker(variable) {
    const { name, label, multi = false, all = true } = variable;
    let served = variable.chosen;
    const words = make("span"), caption = make("span", { className: "muted", textContent: label });
    const button = make("button", { type: "button", className: "button" }, caption, words, caret.cloneNode(true));
    const list = make("ul"), box = make("div", { className: "values", hidden: true }, list);
    const current = () => {
      const own = (chosen[name] ?? served).slice(0, multi ? undefined : 1);
      return own.length || all ? own : served;
    };
    const tell = () => {
      words.textContent = inWords(current(), all);
      button.title = current().join(", ") || label;
      const held = new Set(current());
      for (const item of list.children) item.setAttribute("aria-selected", String(item.dataset.all ? !held.size : held.has(item.dataset.value)));
    };
    list.setAttribute("role", "listbox");
    list.setAttribute("aria-label", label);
    list.setAttribute("aria-multiselectable", String(multi));
    button.setAttribute("aria-haspopup", "listbox");
    button.setAttribute("aria-expanded", "false");

    const choose = (item) => {
      const value = item.dataset.value, held = current();
      if (item.dataset.all) chosen[name] = [];
      else if (!multi) chosen[name] = [value];
      else if (!held.includes(value)) chosen[name] = [...held, value].sort();
      else if (held.length > 1 || all) chosen[name] = held.filter((one) => one !== value);
      tell();
      clearTimeout(timer);
      if (multi) timer = setTimeout(() => send(true), PAUSE_MS);
      else send(true);
    };
    const fill = (values) => {
      const known = [...new Set([...current().filter((one) => !values.includes(one)), ...values])];
      const item = (text, data) => {
        const element = make("li", { tabIndex: -1, textContent: text });
        element.setAttribute("role", "option");
        Object.assign(element.dataset, data);
        return element;
      };
      list.replaceChildren(...(all ? [item("All", { all: "1" })] : []), ...known.map((value) => item(value || "(empty)", { value })));
      box.querySelector("form")?.remove();
      if (known.length > FEW) box.prepend(narrowing(list, label));
      tell();
    };
    const open = dropdown(button, box, choose, "li:not([hidden])", { bound: false, stays: multi });
    button.addEventListener("click", async () => {
      if (!box.hidden) return open.close();
      try {
        fill(await valuesOf(variable));
      } catch (error) {
        if (error.status !== 404) return toast(`The values of ${label} could not be read: ${error.message}.`, { tone: "bad" });
        fill([]);
      }
      open.open();
      box.querySelector("input")?.focus();
    });
    tell();
    const element = make("div", { className: "picker" }, button, box);
    element.dataset.variable = name;
    follow.set(name, (now) => { served = now; tell(); });
    return element;
  }

  function draw() {
    const { variables } = frames, now = JSON.stringify(variables.map((one) => ({ ...one, chosen: null })));
    if (now === drawn) {
      for (const one of variables) follow.get(one.name)(one.chosen);
      return;
    }
    drawn = now;
    follow.clear();
    bar.hidden = !variables.length;
    bar.replaceChildren(...variables.map(picker));
  }

  addEventListener("popstate", () => {
    chosen = chosenInLink();
    send(false);
    draw();
  });
  frames.addEventListener("variables", draw);
  draw();
}

/** A field that narrows a list to what holds the typed text. */
function narrowing(list, label) {
  const input = make("input", { type: "search", placeholder: "Search", autocomplete: "off", spellcheck: false });
  input.setAttribute("aria-label", `Search values of ${label}`);
  input.addEventListener("input", () => {
    const typed = input.value.toLowerCase();
    for (const item of list.children) item.hidden = !item.dataset.all && !item.textContent.toLowerCase().includes(typed);
  });
  const form = make("form", {}, input);
  const first = () => list.querySelector("li:not([hidden])");
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    (input.value ? list.querySelector("li:not([hidden], [data-all])") : first())?.click();
  });
  input.addEventListener("keydown", (event) => { if (event.key === "ArrowDown") { first()?.focus(); event.preventDefault(); } });
  return form;
}
