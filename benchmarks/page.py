"""Opening a dashboard of twelve panels × three series × 360 points, warm, beside the same page in Dash and in Streamlit.

``python -m benchmarks.page [--runs 5]``; see docs/benchmarks.md.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import platform
import re
import statistics
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from html import unescape
from importlib.metadata import version
from pathlib import Path
from typing import Any

import httpx
import psutil
import websockets
from playwright.async_api import Browser, BrowserContext, Page, async_playwright

from benchmarks import peers
from benchmarks.data import HEIGHT, HOSTS, PANELS, POINTS, STEP_S, WIDTH, newest, value
from dashapp.accounts.accounts import Accounts
from dashapp.database.embedded import EmbeddedPostgres
from dashapp.database.migrate import migrate
from dashapp.database.pool import Database
from dashapp.panels.palette import SERIES
from tests import browser as browsers
from tests.running import Dashapp

EMAIL, PASSWORD = "admin@example.org", "correct horse battery"
_VIEWPORT = {"width": 1400, "height": 900}


# -- dashapp --------------------------------------------------------------------------------------------------


class Site:
    """``dashapp serve`` on a PostgreSQL of its own, with the dashboard."""

    def __init__(self, server: Dashapp, postgres: EmbeddedPostgres) -> None:
        self.server, self.postgres = server, postgres
        self.api = httpx.Client(base_url=server.url, headers={"Origin": server.url}, timeout=60)
        self.process = psutil.Process(server.process.pid)
        self._sent_s = 0
        self.path = ""

    def prepare(self) -> None:
        _good(self.api.post("/api/v1/auth/login", json={"email": EMAIL, "password": PASSWORD}))
        self.keep_fresh()
        panels = [
            {"title": f"Panel {panel + 1}", "type": "line", "query": f"bench.load{panel}",
             "options": {"unit": "percent", "groupBy": ["host"]},
             "position": {"x": panel % 3 * WIDTH, "y": panel // 3 * HEIGHT, "w": WIDTH, "h": HEIGHT}}
            for panel in range(PANELS)
        ]  # fmt: skip
        made = _good(self.api.post("/api/v1/dashboards", json={"name": "Benchmark", "panels": panels})).json()["data"]
        self.path = f"/d/{made['id']}"

    def keep_fresh(self) -> None:
        """Send the points that became due: the hour that ends now is always whole."""
        last = newest(time.time())
        first = max(self._sent_s + STEP_S, last - POINTS * STEP_S)
        self.post([(time_s, value) for time_s in range(first, last + 1, STEP_S)])
        self._sent_s = last

    def post(self, moments: list[tuple[int, Callable[[int, int, int], float]]]) -> None:
        points = [
            {"name": f"bench.load{panel}", "tags": {"host": name}, "value": of(panel, host, time_s), "timestamp": time_s * 1000}
            for time_s, of in moments for panel in range(PANELS) for host, name in enumerate(HOSTS)
        ]  # fmt: skip
        for start in range(0, len(points), 1000):
            _good(self.api.post("/api/v1/metrics", json=points[start : start + 1000]))

    def cpu_s(self) -> float:
        return cpu_s(self.process)

    def memory_mb(self) -> float:
        return self.process.memory_info().rss / 1e6


def _good(answer: httpx.Response) -> httpx.Response:
    if answer.status_code not in (200, 201):
        raise RuntimeError(f"{answer.request.url}: {answer.status_code} {answer.text}")
    return answer


@asynccontextmanager
async def dashapp_site() -> AsyncIterator[Site]:
    with tempfile.TemporaryDirectory(prefix="dashapp-bench-", ignore_cleanup_errors=True) as directory:
        os.chmod(directory, 0o755)  # the database has a user of its own
        postgres = EmbeddedPostgres(Path(directory))
        postgres.start()
        try:
            migrate(postgres.url)
            database = Database(postgres.url, size=1)
            await database.open()
            await Accounts(database).ensure_admin(EMAIL, PASSWORD)
            await database.close()
            server = Dashapp("serve", "--port", "0", "--data-dir", directory, env={"DASHAPP_DATABASE_URL": postgres.url})
            try:
                site = Site(server.ready(), postgres)
                site.prepare()
                yield site
                site.api.close()
            finally:
                server.stop()
        finally:
            postgres.stop()


def cpu_s(process: psutil.Process) -> float:
    """CPU seconds that the process has used."""
    times = process.cpu_times()
    return times.user + times.system


# -- one opening -----------------------------------------------------------------------------------------------


@dataclass
class Opening:
    """Milliseconds since navigation started, and bytes."""

    shown: float
    detail: dict[str, float] = field(default_factory=dict)


_DETAIL = """() => {
  const [page] = performance.getEntriesByType("navigation");
  const loaded = performance.getEntriesByType("resource");
  const scripts = loaded.filter(({ initiatorType, name }) => initiatorType === "script" || name.includes(".js"));
  const sum = (list, of) => list.reduce((total, item) => total + of(item), 0);
  const frames = __bench.sockets.flatMap((socket) => socket.frames).filter(([at]) => at <= __bench.first);
  return {
    "first byte": page.responseStart,
    "end of HTML": page.responseEnd,
    "scripts there": Math.max(0, ...scripts.map((script) => script.responseEnd)),
    "BokehJS evaluated": __bench.bokeh,
    "websocket asked for": __bench.sockets[0]?.made ?? 0,
    "websocket open": __bench.sockets[0]?.opened ?? 0,
    "last frame before a plot": frames.length ? frames.at(-1)[0] : 0,
    "first plot drawn": __bench.first,
    "last plot drawn": __bench.last,
    "blocked in long tasks": sum(__bench.tasks.filter(([at]) => at < __bench.done), ([, took]) => took),
    "bytes of HTML": page.decodedBodySize,
    "bytes of scripts": sum(scripts, (script) => script.decodedBodySize),
    "bytes fetched over the network": page.transferSize + sum(loaded, (item) => item.transferSize),
    "websocket frames": frames.length,
    "bytes of websocket frames": sum(frames, ([, size]) => size),
    "strokes per line": __bench.drawn.size ? sum([...__bench.drawn.values()], (own) => own.strokes) / (__bench.drawn.size * 3) : 0,
  };
}"""


async def open_once(page: Page, url: str) -> Opening:
    await page.goto(url, wait_until="commit")
    await page.wait_for_function("window.__bench?.done > 0", timeout=30_000, polling=100)
    opening = Opening(await page.evaluate("__bench.done"), await page.evaluate(_DETAIL))
    # What is called drawn must be on the canvas.
    seen = await page.evaluate("__bench.verify()")
    if seen != PANELS:
        raise RuntimeError(f"{url}: only {seen} of {PANELS} plots show their lines")
    return opening


async def open_in_new_tab(context: BrowserContext, url: str) -> Opening:
    """A tab is a process of its own: it finds the scripts in the HTTP cache, but nothing compiled."""
    page = await context.new_page()
    try:
        return await open_once(page, url)
    finally:
        await page.close()


async def new_context(browser: Browser, kind: str) -> BrowserContext:
    context = await browser.new_context(viewport=_VIEWPORT, bypass_csp=True)  # waiting evaluates text in the page
    wanted = json.dumps({"kind": kind, "plots": PANELS, "colors": list(SERIES[: len(HOSTS)])})
    probe = (Path(__file__).parent / "probe.js").read_text()
    await context.add_init_script(re.sub(r"/\*WANTED\*/ \{.*?\};", lambda _: f"{wanted};", probe))
    return context


@asynccontextmanager
async def site_and_browser() -> AsyncIterator[tuple[Site, Browser]]:
    path = browsers.find()
    if path is None:
        raise SystemExit(browsers.MISSING)
    async with dashapp_site() as site, async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=path, args=browsers.ARGUMENTS)
        yield site, browser
        await browser.close()


async def sign_in(context: BrowserContext, site: Site) -> None:
    signed = await context.request.post(
        f"{site.server.url}/api/v1/auth/login", data={"email": EMAIL, "password": PASSWORD}, headers={"Origin": site.server.url}
    )
    if not signed.ok:
        raise RuntimeError(await signed.text())


# -- viewers without a browser ---------------------------------------------------------------------------------


class Viewer:
    """What a page's script does on the wire: fetch the page, open its socket, pull the document, take what comes."""

    def __init__(self) -> None:
        self.frames, self.bytes = 0, 0
        self._socket: Any = None
        self._task: asyncio.Task[None] | None = None

    async def open(self, site: Site, query: str) -> None:
        cookies = "; ".join(f"{name}={value}" for name, value in site.api.cookies.items())
        async with httpx.AsyncClient(base_url=site.server.url, headers={"Cookie": cookies}, timeout=60) as client:
            html = _good(await client.get(site.path + query)).text
        found = re.search(r'id="boot"[^>]*>(.*?)</script>', html, re.S)
        if found is None:
            raise RuntimeError("the page holds no token")
        boot = json.loads(unescape(found[1]))
        token = boot["token"]
        picture = re.search(r'id="picture"[^>]*>(.*?)</script>', html, re.S)
        assert picture is not None
        shown = [(whole := json.loads(picture[1]))["board"], whole["at"]]
        address = site.server.url.replace("http", "ws", 1) + site.path + "/ws"
        self._socket = await websockets.connect(
            address, subprotocols=["bokeh", token], origin=site.server.url, additional_headers={"Cookie": cookies},
            max_size=None, compression=None,
        )  # fmt: skip
        for _ in range(3):
            await self._socket.recv()
        for part in ({"msgid": "1", "msgtype": "PULL-DOC-REQ"}, {}, {}):
            await self._socket.send(json.dumps(part))
        change = {"kind": "ModelChanged", "model": {"id": boot["stateId"]}, "attr": "shown", "new": shown}
        for part in ({"msgid": "2", "msgtype": "PATCH-DOC"}, {}, {"events": [change]}):
            await self._socket.send(json.dumps(part))
        self._task = asyncio.create_task(self._take())

    async def _take(self) -> None:
        async for frame in self._socket:
            self.frames += 1
            self.bytes += len(frame)

    async def close(self) -> None:
        await self._socket.close()
        if self._task:
            await self._task


async def viewers(site: Site, count: int, seconds: int) -> dict[str, float]:
    """What viewers cost that refresh every second, while every series gets a sample a second."""
    loop = asyncio.get_running_loop()

    async def feed() -> float:
        began = site.cpu_s()
        for at in range(seconds):
            due = loop.time() + 1
            await loop.run_in_executor(None, site.post, [(int(time.time()), lambda panel, host, _, at=at: 40.0 + at % 7 + host)])
            await asyncio.sleep(max(0.0, due - loop.time()))
        return site.cpu_s() - began

    site.keep_fresh()
    alone = await feed()
    opened: list[Viewer] = []

    async def more() -> None:
        for _ in range(count):
            viewer = Viewer()
            await viewer.open(site, "?refresh=1s")
            opened.append(viewer)
        await asyncio.sleep(1)

    try:
        # The first ones take what memory the openings before left free.
        await more()
        before = site.memory_mb()
        await more()
        memory = (site.memory_mb() - before) / count
        started = sum(viewer.bytes for viewer in opened)
        busy = await feed()
        taken = sum(viewer.bytes for viewer in opened) - started
    finally:
        for viewer in opened:
            await viewer.close()
    each = len(opened) * seconds
    return {
        "CPU ms": (busy - alone) / each * 1000,
        "bytes": taken / each,
        "MB": memory,
        "viewers": len(opened),
        "feed CPU ms": alone / seconds * 1000,
    }


# -- the run ---------------------------------------------------------------------------------------------------


def median(values: list[float]) -> float:
    return statistics.median(values)


def row(name: str, values: list[float]) -> str:
    return f"{name:<46}{median(values):>8.0f}{min(values):>8.0f}{max(values):>8.0f}"


#: Where a tab was before decides what of a page the browser has at hand: one that has shown a page, and stayed with its
#: site, has its scripts compiled. A page that refuses to share a process with others (`Cross-Origin-Opener-Policy`,
#: which only dashapp's does) begins in a new process when one comes to it from elsewhere.
WAYS = {
    "site": "in a tab that showed it before",
    "empty": "in a tab that stood empty",
    "tab": "in a new tab",
}


@dataclass
class Side:
    """One of those compared."""

    name: str
    peer: peers.Peer
    context: BrowserContext
    #: Whether a page that stays open goes on working, and so can't stay while others are measured.
    is_live: bool
    #: A tab for each way but the new one, and where it stands before an opening.
    tabs: dict[str, tuple[Page, str]]
    openings: dict[str, list[Opening]] = field(default_factory=lambda: {way: [] for way in WAYS})
    cpu_ms: list[float] = field(default_factory=list)

    async def open(self, way: str) -> Opening:
        if way not in self.tabs:
            return await open_in_new_tab(self.context, self.peer.url)
        page, before = self.tabs[way]
        # In a tab behind others the browser lets timers wait for a second.
        await page.bring_to_front()
        await page.goto(before)
        await asyncio.sleep(0.3)
        opening = await open_once(page, self.peer.url)
        if self.is_live:
            await page.goto(before)
        return opening

    def shown(self, way: str) -> list[float]:
        return [one.shown for one in self.openings[way]]


async def compare(sides: list[Side], site: Site, runs: int, discard: int) -> None:
    """Open each in each way, in turn; the first rounds only fill caches."""
    for number in range(-discard, runs):
        for way in WAYS:
            for side in sides:
                site.keep_fresh()
                await asyncio.sleep(0.3)
                before = cpu_s(side.peer.process)
                opening = await side.open(way)
                spent = cpu_s(side.peer.process) - before
                if number >= 0:
                    side.openings[way].append(opening)
                    side.cpu_ms.append(1000 * spent)


def print_comparison(sides: list[Side]) -> None:
    ours = sides[0]
    for way, words in WAYS.items():
        print(f"{f'all lines shown, {words}, ms':<46}{'median':>8}{'min':>8}{'max':>8}")
        for side in sides:
            print(row(side.name, side.shown(way)))
        for other in sides[1:]:
            print(f"{f'dashapp / {other.name}':<46}{median(ours.shown(way)) / median(other.shown(way)):>8.2f}")
        print()
    print(f"{'server CPU of an opening, ms':<46}{'median':>8}{'min':>8}{'max':>8}")
    for side in sides:
        print(row(side.name + ("" if side is ours else " (its numbers in memory)"), side.cpu_ms))
    for side in sides:
        print(f"\n{side.name}, {WAYS['site']}: ms since navigation, bytes")
        for name in side.openings["site"][0].detail:
            values = [one.detail[name] for one in side.openings["site"]]
            if any(values):
                print(row(f"  {name}", values))
    print()


async def run(options: argparse.Namespace) -> int:
    async with site_and_browser() as (site, browser):
        packages = ", ".join(f"{name} {version(name)}" for name in ("bokeh", "panel", "dash", "plotly", "streamlit"))
        print(f"{psutil.cpu_count()} cores, Python {platform.python_version()}, Chromium {browser.version}; {packages}")
        print(f"{PANELS} panels × {len(HOSTS)} series × {POINTS} points, warm, median of {options.runs} runs in turn; "
              f"load average at the start {os.getloadavg()[0]:.1f}\n")  # fmt: skip
        with peers.dash() as dash, peers.streamlit() as streamlit:
            own = peers.Peer(site.server.url + site.path, f"{site.server.url}/healthz", site.process)
            sides = []
            for name, peer, kind in (("dashapp", own, "canvas"), ("Dash", dash, "svg"), ("Streamlit", streamlit, "svg")):
                context = await new_context(browser, kind)
                tabs = {"site": (await context.new_page(), peer.plain), "empty": (await context.new_page(), "about:blank")}
                sides.append(Side(name, peer, context, peer is own, tabs))
            await sign_in(sides[0].context, site)
            await compare(sides, site, options.runs, options.discard)
        await browser.close()
        print_comparison(sides)
        if options.viewers:
            cost = await viewers(site, options.viewers, options.seconds)
            print(f"{cost['viewers']:.0f} viewers, a refresh and a sample of all {PANELS * len(HOSTS)} series every second")
            print(f"  server CPU a viewer and refresh  {cost['CPU ms']:>8.2f} ms")
            print(f"  taking the samples in, a second  {cost['feed CPU ms']:>8.2f} ms")
            print(f"  sent a viewer and refresh        {cost['bytes']:>8.0f} bytes")
            print(f"  memory an open page              {cost['MB']:>8.2f} MB")
    return 0


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=5, help="runs that count, of each side and way")
    parser.add_argument("--discard", type=int, default=2, help="runs before them, which fill the browser's caches")
    parser.add_argument("--viewers", type=int, default=20, help="viewers without a browser, twice; 0 leaves them out")
    parser.add_argument("--seconds", type=int, default=20, help="how long the viewers watch")
    return asyncio.run(run(parser.parse_args()))


if __name__ == "__main__":
    sys.exit(main())
