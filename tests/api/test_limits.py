"""Nobody takes the server from the others, and no honest sender notices."""

from __future__ import annotations

import asyncio

import httpx

from dashapp.accounts.limits import Limits
from dashapp.services import Services
from dashapp.settings import Settings
from tests.api.conftest import World, failed
from tests.api.test_metrics import over, point


async def test_more_than_the_limit_is_told_to_wait(world: World, services: Services) -> None:
    services.limits.__init__(2)  # type: ignore[misc]
    mine, other = await world.program("ada", "editor", "read"), await world.program("eve", "editor", "read")
    answers = [await mine.get("/auth/me") for _ in range(14)]
    late = [answer for answer in answers if answer.status_code == 429]
    assert late
    failed(late[0], 429, "RATE_LIMITED")
    assert int(late[0].headers["Retry-After"]) >= 1
    assert (await other.get("/auth/me")).status_code == 200


def test_the_default_lets_a_hundred_thousand_points_a_second_in() -> None:
    """A hundred requests a second of a thousand points, from one token, for ever."""
    limit = Settings(_env_file=None).rate_limit  # type: ignore[call-arg]
    now = 0.0
    limits = Limits(limit, lambda: now)
    for _ in range(20_000):
        now += 0.01
        limits.take("sender")


async def test_queries_of_one_user_are_bounded(editor: httpx.AsyncClient) -> None:
    await editor.post("/metrics", json=[point()])
    answers = await asyncio.gather(*(editor.post("/query", json=over()) for _ in range(150)))
    codes = {answer.status_code for answer in answers}
    assert 200 in codes
    assert codes <= {200, 429}
    for answer in answers:
        if answer.status_code == 429:
            failed(answer, 429, "RATE_LIMITED")
