"""What is recorded of a stretch of time, small enough for a thousand keys and weeks.

A thousand keys that change at every poll have four million samples in two weeks.  What adds up to
the same movements is a tenth of that; the others are passed over one meter at a time.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import (
    BigInteger,
    Connection,
    Row,
    Select,
    Text,
    bindparam,
    func,
    or_,
    select,
    type_coerce,
)

from monitor.core.model import Sample
from monitor.store import codec, reading, schema
from monitor.store.base import PeriodRecords, StoredReport
from monitor.store.columns import from_micros, to_micros

MICROS_PER_HOUR = 3_600_000_000

_Raw = Row[Any, Any, Any]


def records(
    connection: Connection, before: datetime, since: datetime, until: datetime
) -> PeriodRecords:
    """Samples of [before, until); outages, alerts and notifications of [since, until)."""
    outages, alerts, notes = schema.outages, schema.alerts, schema.notifications
    failed = select(outages).where(outages.c.at < until, outages.c.until >= since)
    raised = select(alerts).where(
        alerts.c.opened_at < until,
        or_(alerts.c.resolved_at.is_(None), alerts.c.resolved_at >= since),
    )
    told = select(notes).where(notes.c.created_at >= since, notes.c.created_at < until)
    rows = connection.execute(told.order_by(notes.c.id)).all()
    return PeriodRecords(
        samples=tuple(outline(connection, before, until)),
        outages=tuple(
            codec.OUTAGE.of(row)
            for row in connection.execute(failed.order_by(outages.c.key, outages.c.at))
        ),
        alerts=tuple(
            codec.alert_of(row) for row in connection.execute(raised.order_by(alerts.c.id))
        ),
        notifications=tuple(reading.with_events(connection, rows)),
    )


def last_report(connection: Connection, kind: str) -> StoredReport | None:
    """The report of this kind whose period ends last."""
    table = schema.reports
    statement = select(table).where(table.c.kind == kind).order_by(table.c.period_end.desc())
    row = connection.execute(statement.limit(1)).first()
    return None if row is None else codec.REPORT.of(row)


def outline(connection: Connection, since: datetime, until: datetime) -> Iterator[Sample]:
    """Of each meter the last sample before *since*, and of those until *until* what adds up.

    That is the last of each hour and both sides of every rise, as :mod:`.thinning` keeps them.
    """
    meters = schema.meters.c
    known = select(meters.id, meters.key, meters.name).order_by(meters.key, meters.name)
    bounds = {"since": to_micros(since), "until": to_micros(until)}
    for number, key, meter in connection.execute(known).all():
        rows = connection.execute(_OF_METER, {**bounds, "number": number})
        for at, lasted, text in _turning_points(rows):
            first = from_micros(at)
            yield Sample(
                key=key,
                meter=meter,
                at=first,
                until=from_micros(at + lasted) if lasted else first,
                balance=None if text is None else Decimal(text),
            )


def _of_meter() -> Select[Any, Any, Any]:
    """``at`` and ``lasted`` in microseconds and the balance as text, oldest first.

    They stay raw: there may be millions, and most are passed over.
    """
    samples, earlier = schema.samples.c, schema.samples.alias().c
    at, since = type_coerce(samples.at, BigInteger), bindparam("since", type_=BigInteger)
    earlier_at = type_coerce(earlier.at, BigInteger)
    running = select(func.max(earlier_at)).where(
        earlier.meter == bindparam("number"), earlier_at < since
    )
    lasted, balance = type_coerce(samples.lasted, BigInteger), type_coerce(samples.balance, Text)
    return (
        select(at.label("micros"), lasted.label("length"), balance.label("amount"))
        .where(
            samples.meter == bindparam("number"),
            at >= func.coalesce(running.scalar_subquery(), since),
            at < bindparam("until", type_=BigInteger),
        )
        .order_by(samples.at)
    )


_OF_METER = _of_meter()


def _turning_points(rows: Iterable[_Raw]) -> Iterator[_Raw]:
    """The last of each hour and both sides of each rise; to and from "no cap" counts as one."""
    before: _Raw | None = None
    balance: Decimal | None = None
    rose = True
    for row in rows:
        after = None if row[2] is None else Decimal(row[2])
        if before is not None:
            rises = balance is None or after is None or after > balance
            if rose or rises or before[0] // MICROS_PER_HOUR != row[0] // MICROS_PER_HOUR:
                yield before
            rose = rises
        before, balance = row, after
    if before is not None:
        yield before
