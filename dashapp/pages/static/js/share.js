// What the Share menu does besides copying the link.

import { call } from "./api.js";
import { download } from "./data.js";
import { openDialog } from "./dialog.js";
import { copyText, toast } from "./shell.js";

/** The dashboard over the range that is shown, as one HTML file. */
export async function downloadFile(boot, frames) {
  const { start = "now-1h", end = "now" } = frames.state ?? {};
  const asked = new URLSearchParams({ from: start, to: end });
  for (const [key, value] of new URLSearchParams(location.search)) if (key.startsWith("var-")) asked.append(key, value);
  toast("The file is being made …", { seconds: 30 });
  try {
    const answer = await fetch(`/api/v1/dashboards/${boot.dashboardId}/snapshot?${asked}`);
    if (!answer.ok) throw new Error((await answer.json()).error);
    const name = /filename="([^"]+)"/.exec(answer.headers.get("content-disposition"))?.[1] ?? "dashboard.html";
    download(await answer.blob(), name);
    toast("The file is in your downloads. It opens without a network, and shows what you see now.");
  } catch (error) {
    toast(`The file could not be made: ${error.message}`, { tone: "bad" });
  }
}

const element = (tag, properties, ...children) => {
  const made = Object.assign(document.createElement(tag), properties);
  made.append(...children);
  return made;
};
const button = (text, onclick, className = "button") => element("button", { type: "button", className, textContent: text, onclick });

/** Make, copy or end the link that shows this dashboard without an account. */
export async function showPublicLink(boot) {
  const path = `/dashboards/${boot.dashboardId}/publish`;
  let link = null;
  try {
    link = await call("GET", path);
  } catch (error) {
    if (error.status !== 404) return toast(`The public link could not be read: ${error.message}.`, { tone: "bad" });
  }
  openDialog("Public link", (body) => {
    const change = (method, said) => async () => {
      try {
        link = await call(method, path);
        fill();
        toast(said);
      } catch (error) {
        toast(`The public link could not be changed: ${error.message}.`, { tone: "bad" });
      }
    };
    const fill = () => {
      const space = element("span", { className: "space" });
      if (!link) {
        body.replaceChildren(
          element("p", { textContent: "Whoever has the link sees this dashboard live, without an account, until you end it. It shows this dashboard only." }),
          element("footer", {}, space, button("Make a public link", change("POST", "This dashboard has a public link now."), "button primary")),
        );
        return;
      }
      const address = element("input", { className: "public-link", readOnly: true, value: new URL(link.path, location.href).href });
      address.setAttribute("aria-label", "Public link");
      address.onfocus = () => address.select();
      body.replaceChildren(
        element("p", { textContent: "Whoever has this link sees this dashboard live, without an account." }), address,
        element("footer", {},
          button("End it", change("DELETE", "The public link leads nowhere from now on."), "button danger"), space,
          button("Copy", () => copyText(address.value, "Public link copied."), "button primary")),
      );
    };
    fill();
  });
}
