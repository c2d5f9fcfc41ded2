"""Every route and page, called by everybody, answers as docs/permissions.md says.

A route that the table doesn't have fails here, and so does a row without a route. ``python -m tests.test_permissions``
prints the table as the app behaves; read each row before you believe it.
"""

from __future__ import annotations

import asyncio
import re
from pathlib import Path

from fastapi import FastAPI

from dashapp.database.migrate import migrate
from tests.matrix import ACTORS, Matrix, matrix_on, rows
from tests.postgres import own_postgres

TABLE = Path(__file__).parents[1] / "docs" / "permissions.md"


def documented() -> dict[tuple[str, str, str], dict[str, str]]:
    table = {}
    for line in TABLE.read_text(encoding="utf-8").splitlines():
        cells = [cell.strip() for cell in line.split("|")[1:-1]]
        if len(cells) == len(ACTORS) + 1 and (found := re.fullmatch(r"`(\w+) (\S+)`(?: (\w+))?", cells[0])):
            table[found[1], found[2], found[3] or ""] = dict(zip(ACTORS, cells[1:], strict=True))
    return table


async def test_the_table_has_every_route_and_no_other(matrix: Matrix) -> None:
    assert set(documented()) == set(rows(matrix.app))


async def test_everybody_gets_what_the_table_says(matrix: Matrix) -> None:
    wrong = []
    for (method, path, kind), cells in documented().items():
        for actor, expected in cells.items():
            got = await matrix.outcome(method, path, kind, actor)
            if got != expected:
                wrong.append(f"{method} {path} {kind} as {actor}: {got}, the table says {expected}")
    assert wrong == []


async def test_a_route_that_nobody_thought_of_is_noticed(matrix: Matrix) -> None:
    app = FastAPI()
    app.get("/secrets/{dashboard_id}")(lambda: None)
    assert ("GET", "/secrets/{dashboard_id}", "private") in set(rows(app)) - set(documented())


async def _print() -> None:
    with own_postgres() as server:
        migrate(server.url)
        async with matrix_on(server.url, server.data_dir) as matrix:
            print(f"| route | {' | '.join(ACTORS)} |\n|{'---|' * (len(ACTORS) + 1)}")  # noqa: T201
            for method, path, kind in rows(matrix.app):
                cells = [await matrix.outcome(method, path, kind, actor) for actor in ACTORS]
                print(f"| `{method} {path}`{f' {kind}' if kind else ''} | {' | '.join(cells)} |")  # noqa: T201


if __name__ == "__main__":
    asyncio.run(_print())
