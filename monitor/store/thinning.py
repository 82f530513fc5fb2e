"""Retention of samples, a bounded piece of work at a time: it never holds up writing for long.

Full samples are kept for some days.  Of older ones stay the last of each hour and both sides of
every rise, so that top-ups and refunds remain exact, and with them consumption, which is what
the falls between add up to.  The newest sample of a meter stays whatever its age.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import (
    BigInteger,
    Connection,
    bindparam,
    delete,
    func,
    or_,
    select,
    type_coerce,
    update,
)

from monitor.store import schema
from monitor.store.base import Retention
from monitor.store.columns import one_of, to_micros

ROWS_PER_CALL = 2_500
"""Samples looked at in one call, which take some 30 ms."""

METERS_PER_CALL = 50
"""Meters looked at in one call, where they have few samples."""


_Identity = tuple[int, datetime]
"""Which sample: the number of its meter, and when it began."""


@dataclass(frozen=True, slots=True)
class _Point:
    """What of a sample decides whether it stays."""

    at: datetime
    balance: Decimal | None

    def shares_hour_with(self, other: _Point) -> bool:
        """Whether both began in the same hour."""
        return (self.at.date(), self.at.hour) == (other.at.date(), other.at.hour)


def thin_samples(connection: Connection, now: datetime, retention: Retention) -> int:
    """Thin meters that are due, as far as one call goes; returns how many samples went.

    Meters become due once a day, at midnight UTC.
    """
    end = _midnight(now - retention.samples)
    due = _due_meters(connection, end)
    dropped = _expired(connection, list(due), now - retention.thinned)
    if len(dropped) < ROWS_PER_CALL:  # else there may be more of them: another call's work
        dropped |= _thinned(connection, due, end)
    if dropped:
        connection.execute(_DROP, [{"number": number, "begun": at} for number, at in dropped])
    return len(dropped)


def is_thinned(connection: Connection, now: datetime, retention: Retention) -> bool:
    """Whether no meter is due."""
    return not _due_meters(connection, _midnight(now - retention.samples))


def _midnight(moment: datetime) -> datetime:
    return moment.replace(hour=0, minute=0, second=0, microsecond=0)


def _thinned(
    connection: Connection, due: dict[int, datetime | None], end: datetime
) -> set[_Identity]:
    """What need not stay of as many of the meters as fit in a call, which are then done."""
    surplus: set[_Identity] = set()
    done: list[dict[str, Any]] = []
    budget = ROWS_PER_CALL
    for number, begin in due.items():
        points = _points(connection, number, begin, end, budget)
        more = len(points) > budget
        surplus |= {(number, at) for at in _surplus(connection, number, points, end, more=more)}
        done.append({"number": number, "reached": points[-1].at if more else end})
        budget -= len(points)
        if budget <= 0:
            break
    if done:
        connection.execute(_ADVANCE, done)
    return surplus


_DROP = delete(schema.samples).where(
    schema.samples.c.meter == bindparam("number"), schema.samples.c.at == bindparam("begun")
)
_ADVANCE = (
    update(schema.meters)
    .where(schema.meters.c.id == bindparam("number"))
    .values(thinned_to=bindparam("reached"))
)


def _due_meters(connection: Connection, end: datetime) -> dict[int, datetime | None]:
    """Meters not thinned to *end* yet, with how far they are."""
    meters = schema.meters.c
    due = or_(meters.thinned_to.is_(None), meters.thinned_to < end)
    statement = select(meters.id, meters.thinned_to).where(due).order_by(meters.id)
    rows = connection.execute(statement.limit(METERS_PER_CALL))
    return {row.id: row.thinned_to for row in rows}


def _expired(connection: Connection, due: list[int], oldest: datetime) -> set[_Identity]:
    """What of these meters ended before *oldest*, but for the newest of each."""
    samples, other = schema.samples.c, schema.samples.alias().c
    newest = select(func.max(other.at)).where(other.meter == samples.meter).scalar_subquery()
    until = type_coerce(samples.at, BigInteger) + type_coerce(samples.lasted, BigInteger)
    statement = select(samples.meter, samples.at).where(
        one_of(samples.meter, due),
        samples.at < oldest,
        until < to_micros(oldest),
        samples.at < newest,
    )
    rows = connection.execute(statement.limit(ROWS_PER_CALL))
    return {(row.meter, row.at) for row in rows}


def _points(
    connection: Connection, number: int, begin: datetime | None, end: datetime, count: int
) -> list[_Point]:
    """The undecided samples, oldest first: up to *count* and the one after them."""
    samples = schema.samples.c
    statement = select(samples.at, samples.balance).where(samples.meter == number, samples.at < end)
    if begin is not None:
        statement = statement.where(samples.at >= begin)
    rows = connection.execute(statement.order_by(samples.at).limit(count + 1))
    return [_Point(row.at, row.balance) for row in rows]


def _surplus(
    connection: Connection, number: int, points: list[_Point], end: datetime, *, more: bool
) -> Iterator[datetime]:
    """The times of the points that need not stay, judged by the point on either side.

    With *more*, the last point is not judged yet, being the neighbour of the one before it.
    """
    if not points:
        return
    before = _neighbour(connection, number, points[0].at, after=False)
    after = None if more else _neighbour(connection, number, end, after=True)
    line = [before, *points] if more else [before, *points, after]
    for left, point, right in zip(line, points, line[2:], strict=False):
        if left is not None and right is not None and _is_surplus(left, point, right):
            yield point.at


def _is_surplus(left: _Point, point: _Point, right: _Point) -> bool:
    return point.shares_hour_with(right) and not _rises(left, point) and not _rises(point, right)


def _rises(earlier: _Point, later: _Point) -> bool:
    """Whether the balance rose; to and from "no cap" counts as a rise, being no consumption."""
    if earlier.balance is None or later.balance is None:
        return earlier.balance is not later.balance
    return later.balance > earlier.balance


def _neighbour(connection: Connection, number: int, at: datetime, *, after: bool) -> _Point | None:
    """The first sample from *at* on, or the last one before."""
    samples = schema.samples.c
    statement = select(samples.at, samples.balance).where(samples.meter == number).limit(1)
    if after:
        statement = statement.where(samples.at >= at).order_by(samples.at)
    else:
        statement = statement.where(samples.at < at).order_by(samples.at.desc())
    row = connection.execute(statement).first()
    return None if row is None else _Point(row.at, row.balance)
