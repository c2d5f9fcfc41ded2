// A panel as a picture: what the page draws with HTML is drawn once more around the plot's canvas.

import { download } from "./data.js";
import { toast } from "./shell.js";

export async function downloadPicture(frames, card, panel) {
  const view = frames.view(card.panel_id);
  if (!view || ["empty", "error"].includes(panel.dataset.state)) return toast("This panel shows nothing yet, so there is no picture to take.");
  const box = panel.getBoundingClientRect(), scale = 2;
  const canvas = document.createElement("canvas");
  Object.assign(canvas, { width: box.width * scale, height: box.height * scale });
  const ctx = canvas.getContext("2d"), style = (element) => getComputedStyle(element);
  ctx.scale(scale, scale);
  ctx.fillStyle = style(panel).backgroundColor;
  ctx.fillRect(0, 0, box.width, box.height);
  const place = (element) => { const at = element.getBoundingClientRect(); return [at.left - box.left, at.top - box.top, at.width, at.height]; };
  const host = panel.querySelector(".plot");
  ctx.drawImage(view.export("png", true).canvas, ...place(host));
  const write = (element) => {
    if (!element.textContent || !element.checkVisibility()) return;
    const { color, font, textAlign, paddingLeft, paddingRight } = style(element);
    const [x, y, width, height] = place(element);
    Object.assign(ctx, { fillStyle: color, font, textBaseline: "middle", textAlign: textAlign === "right" ? "right" : "left" });
    ctx.save();
    ctx.beginPath();
    ctx.rect(x, y, width, height);
    ctx.clip();
    const mark = element.querySelector("i");
    if (mark) {
      const [left, top, w, h] = place(mark);
      ctx.fillStyle = style(mark).backgroundColor;
      ctx.fillRect(left, top, w, h);
      ctx.fillStyle = color;
    }
    const left = mark ? place(mark)[0] + mark.offsetWidth + 8 : x + parseFloat(paddingLeft);
    ctx.fillText(element.textContent, textAlign === "right" ? x + width - parseFloat(paddingRight) : left, y + height / 2);
    ctx.restore();
  };
  for (const element of panel.querySelectorAll("h2, .headline b, .headline span, .legend th, .legend td")) write(element);
  canvas.toBlob((blob) => download(blob, `${card.title}.png`));
}
