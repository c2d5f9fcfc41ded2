"""Sessions opened and closed again: what they leave in the server's memory.

``python -m benchmarks.sessions [--sessions 200] [--rounds 2]``; see docs/benchmarks.md.
"""

from __future__ import annotations

import argparse
import asyncio
import re
import time
from collections.abc import Iterator

from benchmarks.page import Site, Viewer, dashapp_site

#: Open at the same time.
_AT_ONCE = 20
#: Each so-manieth looks at a range of its own, for which the server draws anew.
_OWN_RANGE = 10
#: Everything of a page that was closed is let go well before.
_PATIENCE_S = 150.0
_HELD = ("sessions", "live_viewers", "live_windows", "boards")


def held(site: Site) -> dict[str, int]:
    """What the server holds for pages."""
    said = site.api.get("/metrics").text
    return {name: int(float(re.findall(rf"^dashapp_{name} (\S+)$", said, re.MULTILINE)[0])) for name in _HELD}


async def emptied(site: Site) -> tuple[dict[str, int], float]:
    """What is held in the end, once nothing is or it takes too long, and the seconds that took."""
    began = time.monotonic()
    while any((now := await asyncio.to_thread(held, site)).values()) and time.monotonic() - began < _PATIENCE_S:
        await asyncio.sleep(1)
    return now, time.monotonic() - began


def _queries(sessions: int, number: int) -> Iterator[str]:
    for at in range(sessions):
        own = f"&from=now-{3600 + 60 * (number * sessions + at)}s" if at % _OWN_RANGE == 0 else ""
        yield f"?refresh=1s{own}"


async def open_and_close(site: Site, sessions: int, number: int) -> None:
    queries = list(_queries(sessions, number))
    for at in range(0, sessions, _AT_ONCE):
        viewers = []
        for query in queries[at : at + _AT_ONCE]:
            viewers.append(Viewer())
            await viewers[-1].open(site, query)
        # Each sees a tick.
        await asyncio.sleep(1)
        await asyncio.gather(*(viewer.close() for viewer in viewers))


async def main(sessions: int, rounds: int) -> None:
    async with dashapp_site() as site:
        print(f"| {sessions} sessions, opened and closed | memory | " + " | ".join(_HELD) + " | after |")
        print("|---" * (len(_HELD) + 3) + "|")
        # What so many openings take at their height, and what they import, the first ones take for good.
        for number in range(rounds + 1):
            site.keep_fresh()
            await open_and_close(site, sessions, number)
            left, seconds = await emptied(site)
            name = f"once more, {number}" if number else "the first"
            figures = " | ".join(str(left[name]) for name in _HELD)
            print(f"| {name} | {site.memory_mb():.1f} MB | {figures} | {seconds:.0f} s |", flush=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sessions", type=int, default=200, help="of a round")
    parser.add_argument("--rounds", type=int, default=2, help="after the first")
    arguments = parser.parse_args()
    asyncio.run(main(arguments.sessions, arguments.rounds))
