// The variables of a dashboard in its settings: a row of fields for each.

import { combobox } from "./combobox.js";
import { control, labelled } from "./form.js";
import { metricList, tagsOf } from "./sources.js";

const NAME = /^[a-zA-Z_][a-zA-Z0-9_]{0,49}$/;

const element = (tag, className, ...children) => {
  const made = document.createElement(tag);
  made.className = className;
  made.append(...children);
  return made;
};

function quiet(text, run) {
  const button = element("button", "quiet", text);
  button.type = "button";
  button.addEventListener("click", run);
  return button;
}

/** {box, problem}: fields that change `variables`, a list of the API's; `problem` says what is wrong with them, if anything. */
export function variableFields(variables) {
  const box = element("section", "variable-list"), heading = element("h3", "", "Variables"), list = element("div", "");
  const help = element("p", "help", "What readers choose at the top. Panels ask for it by name: $host in a tag filter or a title.");

  function row(variable) {
    const fields = element("div", "fields"), own = element("div", "query", fields);
    const listed = Boolean(variable.values?.length);
    const add = (spec, made) => fields.append(labelled(spec, made));
    const text = (name, label, empty) => {
      const spec = { name, label, kind: "text", empty };
      add(spec, control(spec, variable[name], (value) => { if (value === null) delete variable[name]; else variable[name] = value; }));
    };
    const lines = (name, label) => {
      const spec = { name, label, kind: "area" };
      return [spec, control(spec, (variable[name] ?? []).join("\n"), (typed) => { variable[name] = typed.split("\n").map((one) => one.trim()).filter(Boolean); })];
    };
    own.setAttribute("role", "group");
    own.setAttribute("aria-label", `Variable ${variable.name ?? ""}`);
    text("name", "Name", "host");
    text("label", "Shown as", "its name");
    const from = { name: "from", label: "Its values are", kind: "choice", choices: [{ value: "tag", label: "a metric's tag" }, { value: "list", label: "a list" }] };
    const tagField = element("div", "pair"), listField = element("div", "pair");
    const metric = { name: "metric", label: "Metric", kind: "metric" }, tag = { name: "tag", label: "Tag", kind: "metric" };
    tagField.append(
      labelled(metric, combobox({ value: variable.metric ?? "", placeholder: "Search metrics", label: "Metric", find: metricList, change: (value) => { variable.metric = value; } })),
      labelled(tag, combobox({
        value: variable.tag ?? "", placeholder: "host", label: "Tag", change: (value) => { variable.tag = value; },
        find: async (typed) => Object.entries(await tagsOf(variable.metric)).filter(([key]) => key.includes(typed)).map(([key, values]) => ({ value: key, note: `${values.length} values` })),
      })),
    );
    listField.append(labelled(...lines("values", "Values, one a line")));
    const choose = (kind) => {
      tagField.hidden = kind !== "tag";
      listField.hidden = kind !== "list";
      if (kind === "tag") delete variable.values;
      else { delete variable.metric; delete variable.tag; }
    };
    add(from, control(from, listed ? "list" : "tag", choose));
    fields.append(tagField, listField);
    choose(listed ? "list" : "tag");
    for (const [name, label, usual] of [["multi", "Several at once", false], ["all", "All can be chosen", true]]) {
      const spec = { name, label, kind: "switch", default: usual };
      add(spec, control(spec, variable[name], (value) => { variable[name] = value; }));
    }
    add(...lines("default", "Chosen at first, one a line; else all, or the first value"));
    own.append(quiet("Remove this variable", () => { variables.splice(variables.indexOf(variable), 1); draw(); }));
    return own;
  }

  function draw(last = false) {
    list.replaceChildren(...variables.map(row));
    if (last) list.lastElementChild.querySelector("input").focus();
  }

  const more = quiet("+ Add a variable", () => { variables.push({}); draw(true); });
  more.classList.add("add");
  box.append(heading, help, list, more);
  draw();

  const problem = () => {
    const names = variables.map((one) => one.name ?? "");
    const bad = names.find((name) => !NAME.test(name));
    if (bad !== undefined) return bad ? `“${bad}” is no variable's name: letters, digits and _ make one.` : "Every variable needs a name, such as host.";
    const twice = names.find((name, at) => names.indexOf(name) !== at);
    if (twice) return `Two variables are named ${twice}.`;
    const several = variables.find((one) => !one.multi && one.default?.length > 1);
    if (several) return `The variable ${several.name} shows one value first, or several where several can be chosen at once.`;
    const unlisted = variables.find((one) => one.values?.length && one.default?.some((value) => !one.values.includes(value)));
    if (unlisted) return `What the variable ${unlisted.name} shows first is none of its values.`;
    const empty = variables.find((one) => !(one.values?.length || (one.metric && one.tag)));
    return empty ? `The variable ${empty.name} needs a metric and a tag, or a list of values.` : "";
  };
  return { box, problem };
}
