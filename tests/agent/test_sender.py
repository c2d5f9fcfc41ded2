"""What the sender makes of a server's answers."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from email.utils import formatdate
from typing import Any

import pytest

from dashapp.agent.sender import Sender, _Later, _pause, _retry_after
from dashapp.agent.spool import Spool
from tests.agent.receiver import TOKEN, Answer, Point, Receiver, failure

#: Short waits, where a test isn't about them.
_QUICK = {"first_wait_s": 0.01, "longest_wait_s": 0.05}


def fill(spool: Spool, *values: float) -> None:
    spool.append({"name": "m", "value": value, "tags": {}, "timestamp": int(value)} for value in values)


def stored(receiver: Receiver) -> list[float]:
    return sorted(receiver.stored.values())


def sizes(receiver: Receiver) -> list[int]:
    return [len(batch) for batch in receiver.batches]


@asynccontextmanager
async def sending(spool: Spool, receiver: Receiver, **options: Any) -> AsyncIterator[Sender]:
    sender = Sender(spool, receiver.url, TOKEN, **{**_QUICK, **options})
    task = asyncio.create_task(sender.run())
    try:
        yield sender
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await sender.close()


async def flush(spool: Spool, receiver: Receiver) -> int:
    """Send once; the points refused."""
    sender = Sender(spool, receiver.url, TOKEN)
    try:
        assert await sender.flush()
        return sender.take_refused()
    finally:
        await sender.close()


async def drained(spool: Spool) -> None:
    """Until all is acknowledged, which is a moment after the server has it."""
    async with asyncio.timeout(15):
        while spool.waiting:
            await asyncio.sleep(0.002)


async def until(receiver: Receiver, condition: Callable[[], bool]) -> None:
    await asyncio.to_thread(receiver.wait, condition)


async def test_an_outage_is_drained_in_full_batches(spool: Spool, receiver: Receiver) -> None:
    fill(spool, *range(1, 4_501))
    receiver.stop()
    async with sending(spool, receiver):
        await asyncio.sleep(0)
        receiver.start()
        await until(receiver, lambda: len(receiver.stored) == 4_500)
    assert stored(receiver) == list(range(1, 4_501))
    assert sizes(receiver) == [1000] * 4 + [500]
    assert [batch[0]["value"] for batch in receiver.batches] == [1, 1001, 2001, 3001, 4001]


async def test_new_points_wake_it(spool: Spool, receiver: Receiver) -> None:
    async with sending(spool, receiver) as sender:
        for value in (1, 2, 3):
            fill(spool, value)
            sender.wake()
            await until(receiver, lambda value=value: value in receiver.stored.values())
    assert receiver.tokens == {f"Bearer {TOKEN}"}


async def test_only_a_success_acknowledges(spool: Spool, receiver: Receiver, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    answers: list[Answer | bool] = [
        failure(500, "INTERNAL_ERROR"),
        (502, b"<html>Bad gateway</html>", {}),
        failure(503, "UNAVAILABLE"),
        failure(429, "RATE_LIMITED"),
        # A portal or a wrong address says 200 to everything, a plain proxy 400.
        (200, b"<html>Welcome to the hotel</html>", {}),
        (400, b"<html>The plain HTTP request was sent to HTTPS port</html>", {}),
        (413, b"<html>Too large</html>", {}),
        (301, b"", {"Location": "https://elsewhere.invalid/"}),
        (404, {"error": "Not here.", "code": "NOT_FOUND"}, {}),
    ]
    expected = len(answers) + 1
    receiver.behave = lambda points: answers.pop(0) if answers else True
    fill(spool, 1)
    async with sending(spool, receiver):
        await drained(spool)
    assert stored(receiver) == [1]
    assert sizes(receiver) == [1] * expected
    messages = [record.getMessage() for record in caplog.records if record.name.startswith("dashapp.agent")]
    # One sentence for each kind of trouble, not for each attempt, and one when it is over.
    assert len(messages) == 3, messages
    assert "answers 500" in messages[0]
    assert "isn't dashapp's API (status 200); check the URL" in messages[1]
    assert "takes the metrics again" in messages[2]


async def test_points_that_are_named_are_dropped_and_the_rest_is_sent(spool: Spool, receiver: Receiver) -> None:
    def behave(points: list[Point]) -> Answer | bool:
        bad = [at for at, point in enumerate(points) if point["value"] in (3, 17, 40)]
        details = {f"points.{at}.value" if at % 2 else f"points.{at}": "is poisoned" for at in bad}
        return failure(400, "VALIDATION_ERROR", details) if bad else True

    receiver.behave = behave
    fill(spool, *range(50))
    assert await flush(spool, receiver) == 3
    assert stored(receiver) == [value for value in range(50) if value not in (3, 17, 40)]
    assert sizes(receiver) == [50, 47]
    assert spool.waiting == 0


@pytest.mark.parametrize("details", [None, {"body": "is bad"}, {"points.999.value": "no such point"}])
async def test_without_names_bisecting_finds_them(details: dict[str, str] | None, spool: Spool, receiver: Receiver) -> None:
    poisoned = {3.0, 64.0, 99.0}

    def behave(points: list[Point]) -> Answer | bool:
        return failure(400, "VALIDATION_ERROR", details) if poisoned & {point["value"] for point in points} else True

    receiver.behave = behave
    fill(spool, *range(100))
    assert await flush(spool, receiver) == 3
    assert set(stored(receiver)) == set(range(100)) - poisoned
    seen = [tuple(point["value"] for point in batch) for batch in receiver.batches]
    assert len(seen) == len(set(seen)) < 50
    assert spool.waiting == 0


async def test_a_batch_of_nothing_but_poison_ends(spool: Spool, receiver: Receiver) -> None:
    receiver.behave = lambda points: failure(
        400, "VALIDATION_ERROR", {f"points.{at}.timestamp": "too old" for at in range(len(points))}
    )
    fill(spool, *range(10))
    assert await flush(spool, receiver) == 10
    assert sizes(receiver) == [10]
    assert spool.waiting == 0


async def test_too_large_is_halved_and_remembered(spool: Spool, receiver: Receiver) -> None:
    receiver.behave = lambda points: failure(413, "PAYLOAD_TOO_LARGE") if len(points) > 300 else True
    fill(spool, *range(2_000))
    assert await flush(spool, receiver) == 0
    assert stored(receiver) == list(range(2_000))
    assert max(sizes(receiver)[1:]) <= 500
    assert sizes(receiver).count(1000) == 1


async def test_a_point_that_is_too_large_alone_is_dropped(spool: Spool, receiver: Receiver) -> None:
    receiver.behave = lambda points: failure(413, "PAYLOAD_TOO_LARGE") if 5 in [point["value"] for point in points] else True
    fill(spool, *range(10))
    assert await flush(spool, receiver) == 1
    assert stored(receiver) == [0, 1, 2, 3, 4, 6, 7, 8, 9]


@pytest.mark.parametrize("status", [401, 403])
async def test_a_bad_token_is_said_once_and_nothing_is_lost(
    status: int, spool: Spool, receiver: Receiver, caplog: pytest.LogCaptureFixture
) -> None:
    receiver.behave = lambda points: failure(status, "UNAUTHORIZED") if len(receiver.batches) < 5 else True
    fill(spool, 1, 2)
    async with sending(spool, receiver):
        await drained(spool)
    assert stored(receiver) == [1, 2]
    warnings = [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING]
    assert len(warnings) == 1
    assert f"doesn't accept the token ({status}); make a new one with `dashapp token create`." in warnings[0]
    assert TOKEN not in caplog.text


async def test_retry_after_is_honoured(spool: Spool, receiver: Receiver) -> None:
    arrivals: list[float] = []

    def behave(points: list[Point]) -> Answer | bool:
        arrivals.append(time.monotonic())
        return failure(429, "RATE_LIMITED", Retry_After="1") if len(arrivals) == 1 else True

    receiver.behave = behave
    fill(spool, 1)
    async with sending(spool, receiver):
        await until(receiver, lambda: len(receiver.stored) == 1)
    assert 0.95 <= arrivals[1] - arrivals[0] < 5


async def test_a_server_that_hangs_is_asked_again(spool: Spool, receiver: Receiver) -> None:
    receiver.behave = lambda points: None if len(receiver.batches) == 1 else True
    fill(spool, 1)
    async with sending(spool, receiver, timeout_s=0.2):
        await until(receiver, lambda: len(receiver.stored) == 1)
    assert sizes(receiver) == [1, 1]


async def test_an_answer_that_got_lost_changes_nothing(spool: Spool, receiver: Receiver) -> None:
    """The server commits and then fails: the batch comes again, the same."""

    def behave(points: list[Point]) -> Answer | bool:
        if len(receiver.batches) == 1:
            receiver.behave = lambda points: True
            receiver.answer(points, None)
            return (500, b"", {})
        return True

    receiver.behave = behave
    fill(spool, 1, 2)
    async with sending(spool, receiver):
        await until(receiver, lambda: sum(sizes(receiver)) == 6)
    assert stored(receiver) == [1, 2]
    assert receiver.contradictions == []


async def test_a_flush_gives_up_at_the_first_failure(spool: Spool, receiver: Receiver) -> None:
    receiver.behave = lambda points: failure(503, "UNAVAILABLE")
    fill(spool, 1)
    sender = Sender(spool, receiver.url, TOKEN)
    assert not await sender.flush()
    await sender.close()
    assert sizes(receiver) == [1]
    assert spool.waiting == 1


def test_waits_grow_to_their_bound() -> None:
    waits = [_pause(failures, _Later("busy", ""), 0.5, 30.0) for failures in range(2_000)]
    assert all(0.25 <= wait <= 30 for wait in waits)
    assert waits[0] <= 0.5
    assert waits[3] <= 4
    assert min(waits[7:]) >= 15
    assert len(set(waits[7:])) > 100  # jitter
    assert [_retry_after(header) for header in (None, "", "soon", "-5", "3", "99999999")] == [0, 0, 0, 0, 3, 300]
    assert 50 < _retry_after(formatdate(time.time() + 60, usegmt=True)) <= 60
