"""JupyterLab as people use it: a server of its own, and a notebook in a browser's page."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from playwright.async_api import BrowserContext, Frame, Page

from tests.running import until

ROOT = Path(__file__).parents[1]
#: What JupyterLab asks of its user at the first start, and builds that other installed packages want.
_QUIET = {
    "buildCheck": False,
    "buildAvailable": False,
    "disabledExtensions": {"@jupyterlab/apputils-extension:announcements": True},
}
_RUN = """async () => {
  const app = window.jupyterapp;
  const panel = [...app.shell.widgets("main")].find((widget) => widget.sessionContext);
  app.shell.activateById(panel.id);
  await panel.sessionContext.ready;
  await app.commands.execute("notebook:run-all-cells");
  await app.commands.execute("docmanager:save");
}"""


def environment(directory: Path, data_dir: Path) -> dict[str, str]:
    """What a kernel needs to find dashapp and the server in `data_dir`, and no settings of whoever runs this."""
    folders = {f"JUPYTER_{kind}_DIR": str(directory / kind.lower()) for kind in ("CONFIG", "DATA", "RUNTIME")}
    path = os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")]).rstrip(os.pathsep)
    return folders | {"IPYTHONDIR": str(directory / "ipython"), "DASHAPP_DATA_DIR": str(data_dir), "PYTHONPATH": path}


class Lab:
    """A JupyterLab that shows the notebooks in `folder`."""

    def __init__(self, url: str, folder: Path) -> None:
        self.url, self.folder = url, folder

    async def run(self, context: BrowserContext, name: str) -> Page:
        """A page with this notebook, run from top to bottom and saved."""
        page = await context.new_page()
        await page.goto(f"{self.url}lab/tree/{name}?reset")
        await page.wait_for_selector(".jp-Notebook .jp-Cell", timeout=60_000)
        await asyncio.wait_for(page.evaluate(_RUN), 90)
        return page


async def boards(page: Page, count: int, seconds: float = 30.0) -> list[Frame]:
    """The frames of the boards in a notebook, once so many are drawn."""
    deadline = time.monotonic() + seconds
    drawn: list[Frame] = []
    while len(drawn) < count:
        assert time.monotonic() < deadline, f"{len(drawn)} of {count} boards are drawn"
        await asyncio.sleep(0.05)
        frames = [frame for frame in page.frames[1:] if frame.url == "about:srcdoc"]
        drawn = [one for one in frames if await one.evaluate("performance.getEntriesByName('dashapp-ready').length > 0")]
    return drawn


@contextmanager
def lab(folder: Path, data_dir: Path) -> Iterator[Lab]:
    """JupyterLab on a free port of this machine, its kernels talking to the dashapp in `data_dir`."""
    with tempfile.TemporaryDirectory(prefix="dashapp-lab-", ignore_cleanup_errors=True) as name:
        own = Path(name)
        (own / "config/labconfig").mkdir(parents=True)
        (own / "config/labconfig/page_config.json").write_text(json.dumps(_QUIET))
        arguments = ["--no-browser", "--allow-root", "--ServerApp.port=0", f"--ServerApp.root_dir={folder}"]
        arguments += ["--IdentityProvider.token=", "--LabApp.expose_app_in_browser=True"]
        with (own / "log").open("w") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", "jupyterlab", *arguments],
                env=os.environ | environment(own, data_dir), stdin=subprocess.DEVNULL, stdout=log, stderr=log,
            )  # fmt: skip
        try:
            yield Lab(str(until(lambda: _server(own / "runtime"), "JupyterLab to start")["url"]), folder)
        finally:
            # It ends its kernels when it is asked to.
            process.terminate()
            process.wait(30)


def _server(runtime: Path) -> dict[str, Any] | None:
    for file in runtime.glob("jpserver-*.json"):
        told: dict[str, Any] = json.loads(file.read_text() or "{}")
        return told if told.get("port") else None
    return None
