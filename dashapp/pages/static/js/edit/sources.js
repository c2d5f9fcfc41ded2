// Where completions come from: metrics and their tags, asked once each.

import { call } from "../api.js";

export const metricList = (() => {
  const held = new Map();
  return (typed) => {
    if (!held.has(typed)) held.set(typed, call("GET", `/metrics?limit=60&q=${encodeURIComponent(typed)}`).catch((error) => { held.delete(typed); throw error; }));
    return held.get(typed).then((found) => found.map(({ name, unit, description }) => ({ value: name, note: description || unit || "" })));
  };
})();

export const tagsOf = (() => {
  const held = new Map();
  return (metric) => {
    if (!metric) return Promise.resolve({});
    if (!held.has(metric)) held.set(metric, call("GET", `/metrics/${encodeURIComponent(metric)}/tags`).catch((error) => { held.delete(metric); throw error; }));
    return held.get(metric);
  };
})();
