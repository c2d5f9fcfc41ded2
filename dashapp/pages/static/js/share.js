// What the Share menu does besides copying the link.

import { download } from "./data.js";
import { toast } from "./shell.js";

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
