// A dashboard's settings.

import { call, duplicate } from "../api.js";
import { openDialog } from "../dialog.js";
import { savesOf } from "../saves.js";
import { toast } from "../shell.js";
import { control, labelled } from "./form.js";
import { variableFields } from "./variables.js";

export async function openSettings(frames) {
  const { dashboardId } = frames.boot;
  let dashboard;
  try {
    dashboard = await call("GET", `/dashboards/${dashboardId}`);
  } catch (error) {
    return toast(`The settings could not be read: ${error.message}.`, { tone: "bad" });
  }
  const { name, description, isPublic, variables, version } = dashboard;
  const wanted = { name, description, isPublic, variables };
  openDialog("Settings", (body, dialog) => {
    const form = document.createElement("form"), foot = document.createElement("footer");
    form.className = "fields";
    const fields = [
      { name: "name", label: "Name", kind: "text" },
      { name: "description", label: "Description", kind: "area" },
      { name: "isPublic", label: "Everyone who signs in may see it", kind: "switch", help: "Only you and admins change it." },
    ];
    for (const spec of fields) form.append(labelled(spec, control(spec, wanted[spec.name], (value) => { wanted[spec.name] = value ?? ""; })));
    const own = variableFields(wanted.variables), wrong = document.createElement("p");
    wrong.className = "wrong";
    wrong.setAttribute("role", "alert");
    form.append(own.box);
    const button = (label, run, tone = "") => {
      const element = document.createElement("button");
      Object.assign(element, { type: "button", className: `button ${tone}`.trim(), textContent: label });
      element.addEventListener("click", run);
      foot.append(element);
      return element;
    };
    button("Delete", async () => { dialog.close(); await remove(frames); }, "danger");
    button("Duplicate", async () => {
      try {
        location.href = `/d/${(await duplicate(dashboardId)).id}?edit=1`;
      } catch (error) { toast(`The copy could not be made: ${error.message}.`, { tone: "bad" }); }
    });
    const space = document.createElement("span");
    space.className = "space";
    foot.append(space);
    const save = button("Save", () => form.requestSubmit(), "primary");
    save.dataset.action = "save-settings";
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      if (!wanted.name.trim()) return form.querySelector("input").focus();
      wrong.textContent = own.problem();
      if (wrong.textContent) return;
      dialog.close();
      const heading = document.querySelector(".crumbs h1");
      heading.textContent = wanted.name;
      savesOf(frames).send({
        what: "The settings", method: "PUT", path: `/dashboards/${dashboardId}`, body: wanted, version,
        back: () => { heading.textContent = frames.title; },
      }).then((done) => done && toast("Settings saved"));
    });
    body.append(form, wrong, foot);
  });
}

/** To the list, which offers to take it back. */
async function remove({ boot: { dashboardId }, title }) {
  try {
    await call("DELETE", `/dashboards/${dashboardId}`);
    sessionStorage.setItem("dashapp-deleted", JSON.stringify({ id: dashboardId, name: title }));
    location.href = "/";
  } catch (error) { toast(`The dashboard could not be deleted: ${error.message}.`, { tone: "bad" }); }
}
