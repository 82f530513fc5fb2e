"""Days and weeks of a time zone, and when the report of one is due; changes of the clock included.

A day is from midnight to midnight where the operator lives, so one has 23 hours and one 25.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from enum import StrEnum

WEEKDAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")

_AT = re.compile(rf"(?:({'|'.join(WEEKDAYS)}) )?([01]\d|2[0-3]):([0-5]\d)", re.ASCII)


class Every(StrEnum):
    """How long the period of a report is, and how often one is sent."""

    DAY = "day"
    WEEK = "week"

    @property
    def days(self) -> int:
        """Length in days of the calendar."""
        return 1 if self is Every.DAY else len(WEEKDAYS)


@dataclass(frozen=True, slots=True, kw_only=True)
class Period:
    """A whole day or week, [since, until), in UTC."""

    kind: Every
    since: datetime
    until: datetime

    @property
    def length(self) -> timedelta:
        """How long it really lasted."""
        return self.until - self.since


@dataclass(frozen=True, slots=True, kw_only=True)
class SendTime:
    """A time of day on the wall, and for weekly reports a weekday (0 is Monday)."""

    clock: time
    weekday: int | None = None


def parse_send_time(text: str) -> SendTime:
    """``09:00`` or ``Mon 09:00``; raises ``ValueError`` with what would be right."""
    found = _AT.fullmatch(text)
    if found is None:
        raise ValueError('must be a time such as "09:00", or with a weekday "Mon 09:00"')
    weekday = WEEKDAYS.index(found[1]) if found[1] else None
    return SendTime(clock=time(int(found[2]), int(found[3])), weekday=weekday)


def last_period(kind: Every, now: datetime, zone: tzinfo) -> Period:
    """The last whole day, or week from Monday to Sunday, that is over at *now*."""
    end = now.astimezone(zone).date()
    if kind is Every.WEEK:
        end -= timedelta(days=end.weekday())
    return _period(kind, end - timedelta(days=kind.days), zone)


def period_before(period: Period, zone: tzinfo) -> Period:
    """The period of the same kind that *period* follows."""
    first = period.since.astimezone(zone).date()
    return _period(period.kind, first - timedelta(days=period.kind.days), zone)


def _period(kind: Every, first: date, zone: tzinfo) -> Period:
    after = first + timedelta(days=kind.days)
    return Period(kind=kind, since=_moment(first, time(), zone), until=_moment(after, time(), zone))


def next_report(at: SendTime, every: Every, zone: tzinfo, now: datetime) -> datetime:
    """When the next report is due, after *now*.

    A time that the clock skips in spring comes an hour later, one that it shows twice in autumn
    counts when it first comes.
    """
    return next(due for due in _occurrences(at, every, zone, now) if due > now)


def last_due(at: SendTime, every: Every, zone: tzinfo, now: datetime) -> datetime:
    """When the last report was due, at *now* or before."""
    return [due for due in _occurrences(at, every, zone, now) if due <= now][-1]


def _occurrences(at: SendTime, every: Every, zone: tzinfo, now: datetime) -> Iterator[datetime]:
    """Due times around *now*, at least one on either side, oldest first."""
    today = now.astimezone(zone).date()
    weekday = at.weekday if every is Every.WEEK and at.weekday is not None else 0
    for offset in range(-every.days - 1, every.days + 2):
        day = today + timedelta(days=offset)
        if every is Every.DAY or day.weekday() == weekday:
            yield _moment(day, at.clock, zone)


def _moment(day: date, clock: time, zone: tzinfo) -> datetime:
    """The wall time as a moment; the first of two, and for none what it would have been."""
    return datetime.combine(day, clock, tzinfo=zone).astimezone(UTC)
