"""When reports are due: every day of a schedule once, at its time of day, whatever the clocks do."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dashapp.contract.reports import WEEKDAYS, Schedule
from dashapp.reports.due import next_time

#: Zones that change their clocks by an hour or half of one, at night or at midnight, and such as don't.
ZONES = ("UTC", "Europe/Berlin", "America/New_York", "America/Havana", "Africa/Cairo", "Australia/Lord_Howe", "Asia/Kathmandu")
moments = st.integers(1_420_000_000, 2_050_000_000).map(lambda seconds: datetime.fromtimestamp(seconds, UTC))
schedules = st.builds(
    Schedule,
    every=st.sampled_from(["day", "week", "month"]), weekday=st.sampled_from(WEEKDAYS), day=st.integers(1, 28),
    at=st.times().map(lambda one: f"{one:%H:%M}"), zone=st.sampled_from(ZONES),
)  # fmt: skip


def daily(at: str, zone: str, **more: Any) -> Schedule:
    return Schedule(**{"every": "day", "at": at, "zone": zone, **more})


@given(schedules, moments)
def test_it_is_later_and_nothing_lies_between(schedule: Schedule, after: datetime) -> None:
    found = next_time(schedule, after)
    assert after < found <= after + timedelta(days=33)
    assert next_time(schedule, found - timedelta(microseconds=1)) == found
    between = after + (found - after) / 2
    assert next_time(schedule, between) == found


@given(schedules, moments)
def test_it_is_the_time_of_day_unless_the_clocks_jump_over_it(schedule: Schedule, after: datetime) -> None:
    local = next_time(schedule, after).astimezone(ZoneInfo(schedule.zone))
    if f"{local:%H:%M}" != schedule.at:
        # Read an hour earlier, the clocks stood otherwise.
        before = (local.astimezone(UTC) - timedelta(hours=1)).astimezone(local.tzinfo)
        assert before.utcoffset() != local.utcoffset()
    else:
        assert local.fold == 0
        assert schedule.every != "week" or WEEKDAYS[local.weekday()] == schedule.weekday
        assert schedule.every != "month" or local.day == schedule.day


@given(st.sampled_from(ZONES), st.times(), st.dates(date(2016, 1, 1), date(2034, 1, 1)))
def test_a_year_has_a_report_for_every_day(zone: str, at: Any, first: date) -> None:
    schedule, moment = daily(f"{at:%H:%M}", zone), datetime(first.year, first.month, first.day, tzinfo=UTC)
    gaps = []
    for _ in range(366):
        later = next_time(schedule, moment)
        gaps.append(later - moment)
        moment = later
    assert all(timedelta(hours=23) <= gap <= timedelta(hours=25) for gap in gaps[1:])


@pytest.mark.parametrize(
    ("at", "zone", "after", "found"),
    [
        ("02:30", "Europe/Berlin", "2026-03-28T12:00Z", "2026-03-29T01:30Z"),  # jumped over: 03:30 in summer time
        ("02:30", "Europe/Berlin", "2026-03-29T01:30Z", "2026-03-30T00:30Z"),
        ("02:30", "Europe/Berlin", "2026-10-24T12:00Z", "2026-10-25T00:30Z"),  # twice: the first
        ("02:30", "Europe/Berlin", "2026-10-25T00:30Z", "2026-10-26T01:30Z"),
        ("00:15", "America/Havana", "2026-03-07T12:00Z", "2026-03-08T05:15Z"),  # midnight is jumped over
        ("08:00", "Asia/Kathmandu", "2026-01-01T02:15Z", "2026-01-02T02:15Z"),
    ],
)
def test_days_on_which_clocks_change(at: str, zone: str, after: str, found: str) -> None:
    assert next_time(daily(at, zone), datetime.fromisoformat(after)) == datetime.fromisoformat(found)


def test_weeks_and_months() -> None:
    after = datetime(2026, 11, 25, 8, tzinfo=UTC)  # a Wednesday
    assert next_time(daily("08:00", "UTC", every="week", weekday="wed"), after) == datetime(2026, 12, 2, 8, tzinfo=UTC)
    assert next_time(daily("08:01", "UTC", every="week", weekday="wed"), after) == datetime(2026, 11, 25, 8, 1, tzinfo=UTC)
    assert next_time(daily("08:00", "UTC", every="month", day=1), after) == datetime(2026, 12, 1, 8, tzinfo=UTC)
