"""axe-core on every page, in both themes: nothing serious, nothing critical.

npm puts axe-core into the user's cache folder once; where that can't be, these tests are skipped with the reason, and fail in CI.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import platformdirs
import pytest
from playwright.async_api import BrowserContext, Page

from tests.pages.conftest import Site, open_dashboard, series

PACKAGE = "axe-core@4.14.1"
_GRAVE = ("serious", "critical")
_RUN = """async (rules) => {
  const said = ({ html, failureSummary }) => `${html.slice(0, 160)} — ${failureSummary.replaceAll('\\n', ' ')}`;
  const { violations } = await axe.run(document, { resultTypes: ['violations'], runOnly: rules ?? undefined });
  return violations.map(({ id, impact, help, nodes }) => ({ id, impact, help, nodes: nodes.map(said) }));
}"""


#: Both themes have the same elements and differ in nothing but colours.
_COLOURS = ["color-contrast"]


@pytest.fixture(scope="session")
def axe() -> str:
    """The script."""
    folder = platformdirs.user_cache_path("dashapp-tests") / PACKAGE
    script = folder / "node_modules" / "axe-core" / "axe.min.js"
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not script.exists():
            reason = _install(folder)
            if reason:
                (pytest.fail if os.environ.get("CI") else pytest.skip)(reason)
    return script.read_text(encoding="utf-8")


def _install(folder: Path) -> str:
    """What kept npm from it; empty where nothing did."""
    if shutil.which("npm") is None:
        return "axe-core needs npm on the PATH"
    command = ["npm", "install", "--no-save", "--no-package-lock", "--prefix", str(folder), PACKAGE]
    npm = subprocess.run(command, capture_output=True, text=True, check=False, cwd=folder)
    return f"npm can't install {PACKAGE}: {(npm.stderr or npm.stdout).strip()[-300:]}" if npm.returncode else ""


@pytest.fixture(scope="module")
def things(site: Site) -> dict[str, Any]:
    """A dashboard with a panel of each type, a rule that fires, one switched off, and a change too wide for its table."""
    for host, level in (("a", 95.0), ("b", 60.0)):
        site.post(series("axe.load", {"host": host}, [level] * 360))
    options = {"groupBy": ["host"], "unit": "percent", "thresholds": {"warning": 70, "critical": 90}}
    kinds = ["line", "area", "bar", "gauge", "stat"]
    panels = [{"title": kind.title(), "type": kind, "query": "axe.load", "options": options} for kind in kinds]
    panels.append({"title": "Alerts", "type": "alerts"})
    panels.append({"title": "Empty", "type": "line", "query": "axe.nothing"})
    board = site.create("Accessible", panels)
    rule = {"name": "Busy", "query": "axe.load", "condition": "gt", "threshold": 80, "groupBy": ["host"], "severity": "critical"}
    made = site.api.post("/api/v1/alerts", json=rule)
    assert made.status_code == 201, made.text
    off = rule | {"name": "Busy, switched off " * 5, "enabled": False}
    assert site.api.post("/api/v1/alerts", json=off).status_code == 201
    return {"board": board["id"], "panel": board["panels"][0]["id"], "rule": made.json()["data"]["id"]}


async def _editor(page: Page) -> None:
    await page.keyboard.press("e")
    await page.locator(".edit-bar").wait_for()
    await page.locator(".panel-head").first.focus()
    await page.keyboard.press("Enter")
    await page.locator(".editor").wait_for()


async def _picker(page: Page) -> None:
    await page.keyboard.press("t")
    await page.locator(".own-range").wait_for()


async def _menu(page: Page) -> None:
    await page.locator(".panel").first.hover()
    await page.locator(".panel-menu").first.click()


async def _data(page: Page) -> None:
    await _menu(page)
    await page.get_by_role("menuitem", name="Show data").click()
    await page.get_by_role("dialog").wait_for()


async def _report(page: Page) -> None:
    await page.get_by_role("button", name="Share").click()
    await page.get_by_role("menuitem", name="Scheduled reports").click()
    await page.get_by_role("button", name="New report").click()
    await page.get_by_label("Into the folder").fill("weekly")


async def _adding(page: Page) -> None:
    await page.get_by_role("button", name="Add to dashboard").click()
    await page.get_by_role("dialog").wait_for()


async def _drawn(page: Page) -> None:
    await page.locator("tbody tr, .message").first.wait_for()


#: (path, whether its script says when it stands, what is done there before looking)
PAGES: list[tuple[str, bool, Callable[[Page], Awaitable[None]] | None]] = [
    ("/", False, None),
    ("/d/{board}", True, None),
    ("/d/{board}", True, _picker),
    ("/d/{board}", True, _menu),
    ("/d/{board}", True, _data),
    ("/d/{board}", True, _editor),
    ("/d/{board}", True, _report),
    ("/explore", True, None),
    ("/explore?query=axe.load&groupBy=host&unit=percent", True, None),
    ("/explore?query=axe.load&groupBy=host", True, _adding),
    ("/alerts", False, _drawn),
    ("/alerts/{rule}", False, None),
    ("/alerts/new", False, None),
    ("/account", False, None),
    ("/users", False, None),
    ("/audit", False, None),
]


async def _judge(page: Page, axe: str) -> list[str]:
    """What is wrong with all of a dark page, and with the colours of the light one."""
    # Evaluated from outside: the pages' policy keeps a script element out. Transitions would be judged half way.
    await page.add_style_tag(content="*, *::before, *::after { transition: none !important; animation: none !important }")
    await page.evaluate(axe)
    found = await page.evaluate(_RUN)
    await page.evaluate("document.documentElement.dataset.theme = 'light'")
    found += await page.evaluate(_RUN, _COLOURS)
    return [
        f"{one['id']} ({one['impact']}): {one['help']}\n  " + "\n  ".join(one["nodes"][:6])
        for one in found
        if one["impact"] in _GRAVE
    ]


_DARK = {"name": "dashapp_theme", "value": "dark"}


async def test_no_page_has_a_serious_fault(signed_in: BrowserContext, site: Site, things: dict[str, Any], axe: str) -> None:
    await signed_in.add_cookies([{**_DARK, "url": site.url}])
    faults = []
    for path, says, act in PAGES:
        page = await open_dashboard(signed_in, site.url + path.format(**things), ready=says)
        if not says:
            await page.wait_for_load_state("networkidle")
        if act:
            await act(page)
        faults += [f"{path} {act.__name__ if act else ''}: {fault}" for fault in await _judge(page, axe)]
        await page.close()
    assert not faults, "\n".join(faults)


async def test_signing_in_has_no_serious_fault(anonymous: BrowserContext, site: Site, axe: str) -> None:
    await anonymous.add_cookies([{**_DARK, "url": site.url}])
    page = await anonymous.new_page()
    await page.goto(f"{site.url}/login")
    assert await _judge(page, axe) == []
