"""Sends the report of each day or week when it is due: once, however often the daemon restarts.

That a report was given to the outbox is recorded together with its notifications.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta, tzinfo

from monitor import reports
from monitor.core.messages import Message
from monitor.core.notifications import Notification
from monitor.core.periods import Every, Period, SendTime, last_due, last_period, next_report
from monitor.store.base import Changes, Store, StoredReport, StoreError
from monitor.world import WatchedKey

log = logging.getLogger(__name__)

LATE_AFTER = timedelta(minutes=10)
"""A report made this long after its time says so."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportPlan:
    """Which report is sent when, about what, and to whom."""

    every: Every
    at: SendTime
    zone: tzinfo
    watched: Sequence[WatchedKey]
    recipients: Sequence[reports.Recipient]


class Reporter:
    """Asked again and again whether a report is due; *enqueue* numbers a channel's message."""

    def __init__(
        self,
        plan: ReportPlan,
        *,
        store: Store,
        enqueue: Callable[[str, Message, datetime], Notification],
        record: Callable[[Changes], None],
    ) -> None:
        self._plan = plan
        self._store = store
        self._enqueue = enqueue
        self._record = record
        self._told: datetime | None = None  # the end of the last period that was reported

    def next_due(self, now: datetime) -> datetime:
        """When the next report is due, after *now*."""
        return next_report(self._plan.at, self._plan.every, self._plan.zone, now)

    async def check(self, now: datetime) -> None:
        """Give the outbox the report that is due, unless it was already given.

        While the store does not answer, nothing happens and the next call tries again.
        """
        plan = self._plan
        due = last_due(plan.at, plan.every, plan.zone, now)
        period = last_period(plan.every, due, plan.zone)
        try:
            if self._told is None and not await self._remembers(period, now):
                return
            if is_told(period, self._told):
                return
            messages = await asyncio.to_thread(self._make, due, now)
        except StoreError as error:
            log.error("the report cannot be made yet: %s", error)
            return
        notifications = [self._enqueue(name, text, now) for name, text in messages.items()]
        self._settle(period, notifications, now)
        log.info("report of the %s until %s goes out", period.kind, period.until.date())

    async def _remembers(self, period: Period, now: datetime) -> bool:
        """Whether an earlier report is on record.

        Where none is, reports begin with the next one: this is recorded as well, or else a daemon
        that is down at its first due time would skip it.
        """
        last = await asyncio.to_thread(self._store.last_report, period.kind)
        if last is None:
            self._settle(period, [], None)
            log.info("the first report is due at %s", self.next_due(now).isoformat())
            return False
        self._told = last.period_end
        return True

    def _make(self, due: datetime, now: datetime) -> dict[str, Message]:
        """The message for each channel; of a report that was missed, about what was due then."""
        plan = self._plan
        material = reports.gather(self._store, plan.every, due, plan.zone)
        missed = due if now - due > LATE_AFTER else None
        return reports.messages(
            material, now, plan.watched, plan.recipients, zone=plan.zone, due_at=missed
        )

    def _settle(
        self, period: Period, notifications: list[Notification], enqueued_at: datetime | None
    ) -> None:
        report = StoredReport(
            kind=period.kind,
            period_start=period.since,
            period_end=period.until,
            enqueued_at=enqueued_at,
        )
        self._told = period.until
        self._record(Changes(notifications=notifications, reports=[report]))


def is_told(period: Period, told: datetime | None) -> bool:
    """Whether the report of *period* was given out, if the last one given out ended at *told*.

    Half a period of tolerance: another time zone moves the edges of days by hours.
    """
    return told is not None and period.until - told < period.length / 2
