"""When a report is due: wall-clock times of a zone as moments."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from dashapp.contract.reports import WEEKDAYS, Schedule


def next_time(schedule: Schedule, after: datetime) -> datetime:
    """The schedule's first moment after `after`, in UTC. `after` is aware.

    Each of its days has exactly one moment: a time of day that the clocks jump over comes as much later as they jump (02:30
    as 03:30), and one that they show twice is the first of both. (Cron triggers that step through local time skip the one
    and take the other twice.)
    """
    zone, at = ZoneInfo(schedule.zone), time.fromisoformat(schedule.at)
    # A time jumped over at a day's end comes on the day after.
    day = after.astimezone(zone).date() - timedelta(days=1)
    while True:
        if _falls_on(schedule, day):
            moment = datetime.combine(day, at, zone).astimezone(UTC)
            if moment > after:
                return moment
        day += timedelta(days=1)


def _falls_on(schedule: Schedule, day: date) -> bool:
    match schedule.every:
        case "week":
            return WEEKDAYS[day.weekday()] == schedule.weekday
        case "month":
            return day.day == schedule.day
        case _:
            return True
