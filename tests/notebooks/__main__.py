"""``make pictures``: run all notebooks in JupyterLab, and keep their text, tables and pictures.

What a notebook draws lives only as long as its kernel; a picture of it can be seen wherever the file is read.
"""

from __future__ import annotations

import asyncio
import base64
import io
import shutil
import sys
import tempfile
from pathlib import Path
from typing import Any

import nbformat
from PIL import Image
from playwright.async_api import Page, async_playwright

from tests import browser as browsers
from tests.jupyter import boards, lab
from tests.notebooks.test_notebooks import FOLDER, NAMES, drawn_in
from tests.running import up_anywhere

#: As wide as a page of text; tall enough for a whole notebook, because JupyterLab lays out only what is in sight.
_SIZE = {"width": 1000, "height": 9000}


def _small(png: bytes) -> bytes:
    """The picture in a palette of its own: a third of the size, and plots have few colours."""
    out = io.BytesIO()
    Image.open(io.BytesIO(png)).convert("RGB").quantize(128).save(out, "PNG", optimize=True)
    return out.getvalue()


async def _keep(page: Page, path: Path) -> None:
    """Put what is worth keeping of the outputs on `page` into the notebook at `path`."""
    notebook: Any = nbformat.read(path, nbformat.NO_CONVERT)
    areas = page.locator(".jp-Notebook .jp-CodeCell")
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    for number, cell in enumerate(code):
        kept = []
        for at, output in enumerate(cell.outputs):
            data = output.get("data", {})
            if drawn_in(data):
                # Some outputs have no element; the last of both are the same.
                elements = areas.nth(number).locator(".jp-OutputArea-child .jp-OutputArea-output")
                element = elements.nth(at - len(cell.outputs) + await elements.count())
                if not await element.is_visible():
                    continue  # what Panel puts there to know the browser
                output.data = {"image/png": base64.b64encode(_small(await element.screenshot())).decode()}
                output.metadata = {}
                kept.append(output)
            elif output.output_type == "stream" or ("text/plain" in data and "<script" not in str(data)):
                kept.append(output)
        cell.outputs = kept
        cell.metadata.pop("execution", None)
    notebook.metadata = {"kernelspec": notebook.metadata["kernelspec"], "language_info": {"name": "python"}}
    nbformat.write(notebook, path)


async def main() -> None:
    path = browsers.find()
    if path is None:
        sys.exit(browsers.MISSING)
    with up_anywhere("--no-agent") as (_, data_dir), tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for file in FOLDER.glob("*.*"):
            shutil.copy(file, folder)
        with lab(folder, data_dir) as jupyter:
            async with async_playwright() as playwright:
                browser = await playwright.chromium.launch(executable_path=path, args=browsers.ARGUMENTS)
                context = await browser.new_context(viewport=_SIZE, color_scheme="light")  # type: ignore[arg-type]
                for notebook in NAMES:
                    page = await jupyter.run(context, f"{notebook}.ipynb")
                    await page.evaluate("window.jupyterapp.commands.execute('application:toggle-left-area')")
                    await boards(page, await page.locator("iframe").count())
                    # HoloViews says nowhere when it is done.
                    await page.wait_for_timeout(2000)
                    await _keep(page, folder / f"{notebook}.ipynb")
                    await page.close()
                    shutil.copy(folder / f"{notebook}.ipynb", FOLDER)
                await browser.close()


if __name__ == "__main__":
    asyncio.run(main())
