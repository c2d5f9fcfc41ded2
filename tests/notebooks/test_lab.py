"""JupyterLab, its kernel, a server and a browser: panels stream into cells, and dashboards are changed and put back."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from pathlib import Path

import nbformat
import pandas as pd
import pytest
from nbformat.v4 import new_code_cell, new_notebook
from playwright.async_api import BrowserContext, Frame, Page

from dashapp.build import Dashboard, line
from dashapp.client import Client
from tests.jupyter import Lab, boards, lab

CELLS = (
    "import dashapp\nfrom dashapp.panels import LinePanel\nclient = dashapp.connect()",
    "panel = LinePanel(query='lab.load', by='host', unit='percent', last='15m', refresh='1s')\npanel",
    "board = client.dashboard('Laboratory')\nboard",
)


@pytest.fixture
def jupyter(data_dir: Path, tmp_path: Path) -> Iterator[Lab]:
    with lab(tmp_path, data_dir) as running:
        yield running


def send(client: Client, *values: float) -> None:
    now = pd.Timestamp.now("UTC").floor("s")
    index = pd.DatetimeIndex([now - pd.Timedelta(seconds=10 * back) for back in range(len(values))], name="time")
    client.push(
        pd.DataFrame({"a": values, "b": [value / 2 for value in values]}, index=index).rename_axis(columns="host"), name="lab.load"
    )


async def _says(frame: Frame, expression: str, wanted: object, seconds: float = 20.0) -> None:
    """The policy of the boards' pages forbids evaluating text within them; the debugger may from outside."""
    deadline = time.monotonic() + seconds
    while (said := await frame.evaluate(expression)) != wanted:
        assert time.monotonic() < deadline, f"{expression} is {said!r} after {seconds} s, not {wanted!r}"
        await asyncio.sleep(0.05)


LAST = "document.querySelector('.legend tbody tr td:nth-child(2)').textContent"


async def test_panels_stream_and_dashboards_are_put_back(jupyter: Lab, client: Client, anonymous: BrowserContext) -> None:
    send(client, 40.0, 41.0, 42.0)
    client.put_dashboard(Dashboard("Laboratory").row(line("Load", "lab.load", by="host", unit="percent", h=3)))
    kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
    nbformat.write(new_notebook(cells=[new_code_cell(cell) for cell in CELLS], metadata=kernel), jupyter.folder / "live.ipynb")
    asked: list[str] = []
    anonymous.on("request", lambda request: asked.append(request.url))
    page = await jupyter.run(anonymous, "live.ipynb")
    alone, board = await boards(page, 2)
    for frame in (alone, board):
        assert await frame.evaluate(
            "[...document.querySelectorAll('.legend tbody tr td:first-child')].map((cell) => cell.textContent)"
        ) == ["a", "b"]
        await _says(frame, LAST, "40%")
    # The kernel's way to the server is its own: the page asks nobody but Jupyter.
    assert {url for url in asked if not url.startswith(("data:", "blob:", jupyter.url))} == set()
    # What comes to the server comes to the cell, by itself.
    drawn = await alone.evaluate("window.dashapp.frames.number")
    send(client, 80.0)
    await _says(alone, LAST, "80%")
    assert await alone.evaluate("window.dashapp.frames.number") == drawn, "streamed, not drawn anew"
    # A parameter changes the panel that stands there.
    await _run(page, "panel.title, panel.unit = 'Temperature', 'short'")
    await _says(alone, "document.querySelector('.panel h2').textContent", "Temperature")
    await _says(alone, LAST, "80.0")
    # The form beside the dashboard, and Save.
    await page.get_by_role("button", name="Edit").click()
    title = page.get_by_role("textbox", name="Title")
    await title.fill("Load of the laboratory")
    await title.press("Enter")
    await _says(board, "document.querySelector('.panel h2').textContent", "Load of the laboratory")
    assert client.dashboard("Laboratory").panels[0].title == "Load", "nobody else sees it yet"
    await page.get_by_role("button", name="Save", exact=True).click()
    await page.get_by_text("Saved as version").wait_for()
    stored = client.dashboard("Laboratory")
    assert stored.panels[0].title == "Load of the laboratory"
    # Somebody else was first: nothing is lost, and the sentence says what to do.
    stored.change("Load of the laboratory", title="Somebody else's")
    stored.save()
    await title.fill("Too late")
    await title.press("Enter")
    await page.get_by_role("button", name="Save", exact=True).click()
    await page.get_by_text("was changed by somebody else").wait_for()
    assert client.dashboard("Laboratory").panels[0].title == "Somebody else's"
    await page.get_by_role("button", name="Read anew").click()
    await _says(board, "document.querySelector('.panel h2').textContent", "Somebody else's")
    # The notebook's theme is the board's.
    await page.evaluate("window.jupyterapp.commands.execute('apputils:change-theme', {theme: 'JupyterLab Dark'})")
    await _says(board, "document.documentElement.dataset.theme", "dark")
    # What stands in the file is small enough to keep, but for Panel's and Bokeh's scripts, which are there once.
    saved = nbformat.read(jupyter.folder / "live.ipynb", nbformat.NO_CONVERT)
    assert len(str(saved.cells[2].outputs)) < 200_000


async def _run(page: Page, code: str) -> None:
    """Run one more cell."""
    await page.evaluate(
        """async (code) => {
          const panel = [...window.jupyterapp.shell.widgets("main")].find((widget) => widget.sessionContext);
          await panel.sessionContext.session.kernel.requestExecute({ code }).done;
        }""",
        code,
    )
