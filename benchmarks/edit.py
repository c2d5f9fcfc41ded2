"""The side editor: from a key's press to the changed drawing on the screen, in a browser, beside eleven other panels.

``python -m benchmarks.edit [--runs 20]``; see docs/benchmarks.md.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import statistics
import sys
from dataclasses import dataclass

from playwright.async_api import Page

from benchmarks.page import Site, sign_in, site_and_browser

#: Counted from the browser's own time of the press or choice, until the frame after the one in which the panel changed begins:
#: by then the change has been shown. A drawing has changed once other pixels are on its canvas.
_WATCH = """(id) => {
  const panel = document.querySelector(`[data-panel-id="${id}"]`);
  const looks = () => {
    const inside = (node) => [node, ...[...(node.shadowRoot?.children ?? []), ...node.children].flatMap(inside)];
    const canvas = inside(panel.querySelector(".plot:not(.coming)")).find(({ tagName }) => tagName === "CANVAS");
    let sum = 0;
    if (canvas?.width) {
      const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
      const words = new Uint32Array(data.buffer);
      for (let at = 0; at < words.length; at += 1) sum = (Math.imul(sum, 31) + words[at]) | 0;
    }
    return `${panel.querySelector("h2").textContent} ${sum}`;
  };
  const before = looks();
  window.__edit = new Promise((resolve) => {
    const began = ({ timeStamp }) => {
      for (const type of ["keydown", "change"]) removeEventListener(type, began, true);
      const look = () => {
        const shown = panel.dataset.state === "live" && looks() !== before;
        requestAnimationFrame(shown ? () => resolve(performance.now() - timeStamp) : look);
      };
      requestAnimationFrame(look);
    };
    for (const type of ["keydown", "change"]) addEventListener(type, began, true);
  });
}"""
_SETTLED_MS = 400


@dataclass(frozen=True)
class Edit:
    """What one does: the field, and the keys that follow each other, of which each changes the drawing."""

    name: str
    field: str
    #: Keys, or in a list its values.
    keys: tuple[str, ...]
    #: What is pressed first, unmeasured.
    first: tuple[str, ...] = ()


_EDITS = (
    Edit("title", "title", ("a", "Backspace")),
    Edit("warning threshold", "options.thresholds.warning", ("5", "Backspace"), first=("4",)),
    Edit("upper end of the axis", "options.max", ("0", "Backspace"), first=("2", "0", "0")),
    Edit("unit, from a list", "options.unit", ("bytes", "percent")),
    Edit("metric", "query", ("1", "Backspace"), first=("Backspace", "1")),
)


async def measured(page: Page, panel_id: str, edit: Edit, runs: int) -> list[float]:
    """Milliseconds of each press."""
    control = page.locator(f'.editor [data-field="{edit.field}"]').locator("input, select").first
    is_list = await control.evaluate("(element) => element.matches('select')")
    await control.focus()
    for key in () if is_list else ("End", *edit.first):
        await page.keyboard.press(key)
    took = []
    for run in range(2 * runs):
        # A writer's next thought, and whatever the last press still has to do.
        await page.wait_for_timeout(_SETTLED_MS if run else 3 * _SETTLED_MS)
        await page.evaluate(_WATCH, panel_id)
        key = edit.keys[run % len(edit.keys)]
        await (control.select_option(key) if is_list else page.keyboard.press(key))
        took.append(await page.evaluate("__edit"))
    return took


async def _opened(page: Page, site: Site) -> str:
    """The dashboard in edit mode with the first panel's editor open; answers the panel's id."""
    await sign_in(page.context, site)
    await page.goto(f"{site.server.url}{site.path}?edit=1")
    head = page.locator("body.editing [data-panel-id] .panel-head").first
    await head.focus()
    await page.keyboard.press("Enter")
    await page.locator(".editor").wait_for()
    return str(await page.locator("[data-panel-id]").first.get_attribute("data-panel-id"))


async def run(runs: int) -> int:
    async with site_and_browser() as (site, browser):
        # Waiting evaluates text in the page.
        page = await browser.new_page(viewport={"width": 1400, "height": 900}, bypass_csp=True)
        panel_id = await _opened(page, site)
        print(f"{runs} runs of two presses each; load average at the start {os.getloadavg()[0]:.1f}\n")
        print("| a press in | median | p95 | max |\n|---|---|---|---|")
        for edit in _EDITS:
            took = await measured(page, panel_id, edit, runs)
            p95 = statistics.quantiles(took, n=20, method="inclusive")[-1]
            print(f"| {edit.name} | {statistics.median(took):.0f} ms | {p95:.0f} ms | {max(took):.0f} ms |", flush=True)
    return 0


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=20)
    sys.exit(asyncio.run(run(parser.parse_args().runs)))
