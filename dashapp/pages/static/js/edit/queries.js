// The fields of a panel's queries: the first is the panel's own, the others stand in its options.

import { control, labelled } from "./form.js";
import { metricList, tagsOf } from "./sources.js";

/** Set what a path such as `thresholds.warning` names; null takes it away. */
export function set(object, path, value) {
  const keys = path.split("."), last = keys.pop();
  const within = keys.reduce((inner, key) => (inner[key] ??= {}), object);
  if (value === null || value === undefined) delete within[last]; else within[last] = value;
}

/** The draft's queries in drawing order, each to `get` and `set` by field. */
const queries = (draft) => [
  { get: (name) => (name === "query" ? draft.query : draft.options[name]), set: (name, value) => { if (name === "query") draft.query = value ?? ""; else set(draft.options, name, value); } },
  ...(draft.options.queries ?? []).map((query) => ({ get: (name) => query[name], set: (name, value) => set(query, name, name === "query" ? value ?? "" : value) })),
];

/**
 * The fields, kept in step with the draft's list of queries. `changed` is told of each change, `metricChosen` of a
 * metric's name and the query's place. Draw them again with `redraw` when the draft was changed from elsewhere.
 */
export function queryFields(specs, draft, { changed, metricChosen = () => {} }) {
  const list = document.createElement("div");

  function queryBox(query, index, many) {
    const box = document.createElement("div");
    box.className = "query";
    box.setAttribute("role", "group");
    box.setAttribute("aria-label", `Query ${index + 1}`);
    const listeners = [];
    const sources = { metrics: metricList, tags: () => tagsOf(query.get("query")), onMetric: (redraw) => listeners.push(redraw) };
    for (const spec of specs) {
      const element = control(spec, query.get(spec.name), (value) => {
        query.set(spec.name, value === "" && spec.kind !== "metric" ? null : value);
        if (spec.kind === "metric") {
          metricList(value).then((found) => { if (found.some((one) => one.value === value)) for (const redraw of listeners) redraw(); }, () => {});
          metricChosen(value, index);
        }
        changed();
      }, sources);
      const field = labelled(spec, element);
      field.dataset.field = index ? `options.queries.${index - 1}.${spec.name}` : spec.name === "query" ? "query" : `options.${spec.name}`;
      box.append(field);
    }
    if (many) {
      const away = document.createElement("button");
      Object.assign(away, { type: "button", className: "quiet", textContent: "Remove this query" });
      away.addEventListener("click", () => {
        if (index) draft.options.queries.splice(index - 1, 1);
        else {
          // The next one takes its place.
          const { query: metric, ...rest } = draft.options.queries.shift();
          for (const { name } of specs) delete draft.options[name];
          draft.query = metric;
          Object.assign(draft.options, rest);
        }
        if (!draft.options.queries.length) delete draft.options.queries;
        changed();
        list.redraw();
      });
      box.append(away);
    }
    return box;
  }

  list.redraw = () => {
    const all = queries(draft);
    const more = document.createElement("button");
    Object.assign(more, { type: "button", className: "quiet add", textContent: "+ Add a query to this plot" });
    more.addEventListener("click", () => {
      (draft.options.queries ??= []).push({ query: draft.query });
      changed();
      list.redraw();
      list.querySelectorAll(".query")[all.length].querySelector("input").focus();
    });
    list.replaceChildren(...all.map((query, index) => queryBox(query, index, all.length > 1)), more);
  };
  list.redraw();
  return list;
}
