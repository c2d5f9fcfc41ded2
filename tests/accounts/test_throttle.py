from __future__ import annotations

import pytest

from dashapp.accounts import throttle
from dashapp.accounts.throttle import FREE_FAILURES, LONGEST_WAIT, Throttle, network
from dashapp.errors import RateLimited


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


def test_waits_grow_and_end() -> None:
    clock = Clock()
    throttle = Throttle(clock)
    waits = []
    for _ in range(FREE_FAILURES + 12):
        try:
            throttle.begin("a@b", "192.0.2.1")
        except RateLimited as error:
            wait = error.retry_after or 0
            waits.append(wait)
            clock.now += wait
            throttle.begin("a@b", "192.0.2.1")
    assert waits == sorted(waits)
    assert waits[0] <= 3
    assert waits[-1] == LONGEST_WAIT + 1


def test_success_and_time_forget() -> None:
    clock = Clock()
    throttle = Throttle(clock)
    for _ in range(FREE_FAILURES):
        throttle.begin("a@b", "192.0.2.1")
    with pytest.raises(RateLimited):
        throttle.begin("A@b", "192.0.2.1")
    throttle.begin("a@b", "192.0.2.2")
    throttle.begin("c@b", "192.0.2.1")
    throttle.succeeded("A@B", "192.0.2.1")
    for _ in range(FREE_FAILURES):
        throttle.begin("a@b", "192.0.2.1")
    clock.now += 1000
    for _ in range(FREE_FAILURES):
        throttle.begin("a@b", "192.0.2.1")


def test_memory_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(throttle, "MOST_ENTRIES", 10)
    full = Throttle()
    for n in range(100):
        full.begin(f"user{n}", "192.0.2.1")
    assert len(full) == 10


def test_an_ipv6_network_is_one_sender() -> None:
    assert network("2001:db8::1") == network("2001:db8::ffff") == "2001:db8::/64"
    assert network("2001:db8::1") != network("2001:db8:1::1")
    assert network("not an address") == "not an address"
