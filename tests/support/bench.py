"""A pipeline in a test: a time of its own, short words, and a record of all it decided."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from monitor.announcer import Announcer
from monitor.core.events import Event
from monitor.core.model import (
    Failure,
    MeterFailure,
    MeterReading,
    Reading,
    Reason,
    Severity,
    Unasked,
)
from monitor.core.notifications import Notification
from monitor.core.routing import Concern, Filters, QuietHours
from monitor.core.rules import Rules
from monitor.pipeline import Pipeline
from monitor.store.base import Changes, Snapshot, StoredForecast, StoredKey, StoredLedger
from monitor.teller import TellingPolicy
from monitor.world import WatchedKey, adopt, restore, succession

START = datetime(2026, 11, 1, 12, tzinfo=UTC)


@dataclass(frozen=True)
class Channel:
    name: str = "ops"
    severities: tuple[Severity, ...] = tuple(Severity)
    keys: tuple[str, ...] = ("*",)
    accounts: tuple[str, ...] = ("*",)
    providers: tuple[str, ...] = ("*",)
    rules: tuple[str, ...] = ("*",)
    quiet: QuietHours | None = None

    def why_not(self, severity: Severity, concern: Concern) -> str:
        filters = Filters(
            severities=self.severities,
            keys=self.keys,
            accounts=self.accounts,
            providers=self.providers,
            rules=self.rules,
        )
        return filters.why_not(severity, concern)

    def held_until(self, severity: Severity, now: datetime) -> datetime | None:
        return self.quiet.until(severity, now) if self.quiet else None


@dataclass
class Bench:
    """A pipeline with a time of its own, and a record of all it decided."""

    keys: Sequence[WatchedKey]
    channels: Sequence[Channel] = (Channel(),)
    policy: TellingPolicy = TellingPolicy(group_wait=timedelta(seconds=10))  # noqa: RUF009 - frozen
    snapshot: Snapshot = field(default_factory=Snapshot)
    now: datetime = START
    events: list[Event] = field(default_factory=list)
    notifications: dict[int, Notification] = field(default_factory=dict)
    stored: dict[str, StoredKey] = field(default_factory=dict)
    last: Changes = field(default_factory=Changes)

    def __post_init__(self) -> None:
        world = restore(self.keys, self.snapshot)
        self.announcer = Announcer(
            world,
            self.channels,
            self.policy,
            self.snapshot,
        )
        self.pipeline = Pipeline(world, self.announcer, self.now)
        self.take(self.pipeline.start(self.now))

    def take(self, changes: Changes) -> list[Event]:
        self.last = changes
        self.stored |= {k.name: k for k in changes.keys}
        self.events += changes.events
        self.notifications |= {n.id: n for n in changes.notifications}
        return changes.events

    def pass_time(self, span: timedelta) -> list[Event]:
        self.now += span
        return self.take(self.pipeline.sweep(self.now))

    def read(self, key: str, balance: str | None, *, meter: str = "balance") -> list[Event]:
        amount = None if balance is None else Decimal(balance)
        reading = MeterReading(meter=meter, unit="credits", balance=amount)
        return self.take(self.pipeline.observe(Reading(key=key, at=self.now, meters=(reading,))))

    def answer(self, key: str) -> list[Event]:
        """A key check that went well: a reading without any balance."""
        return self.take(self.pipeline.observe(Reading(key=key, at=self.now, meters=())))

    def find(self, key: str, *found: MeterReading | MeterFailure) -> list[Event]:
        """A poll of several meters, some of which may have failed."""
        return self.take(self.pipeline.observe(Reading.of(key, self.now, found)))

    def fail(self, key: str, reason: Reason, detail: str = "") -> list[Event]:
        failure = Failure(key=key, at=self.now, reason=reason, detail=detail)
        return self.take(self.pipeline.observe(failure))

    def leave_out(self, key: str, reason: Reason = Reason.TIMEOUT) -> list[Event]:
        """The key is due and not asked."""
        unasked = Unasked(key=key, at=self.now, reason=reason, detail="not asked")
        return self.take(self.pipeline.observe(unasked))

    def reconfigure(self, *keys: WatchedKey) -> list[Event]:
        """The configuration has these keys now; what comes back begins anew here."""
        world = self.pipeline.world
        after = succession(world, keys, Snapshot())
        adopt(world, after, self.now)
        self.keys = keys
        events = self.take(self.pipeline.reconfigure(after, self.now))
        return events + self.take(self.pipeline.judge_again(after.rejudged, self.now))

    def restart(self, keys: Sequence[WatchedKey] | None = None) -> Bench:
        """A new pipeline from what this one has written."""
        world = self.pipeline.world
        runs = (m.run for k in world.keys.values() for m in k.meters.values())
        snapshot = Snapshot(
            keys=tuple(self.stored.values()),
            ledgers=tuple(
                StoredLedger(subject_id=subject, meter=meter, state=state)
                for (subject, meter), state in world.ledgers.items()
            ),
            forecasts=tuple(
                StoredForecast(
                    subject_id=subject,
                    meter=meter,
                    consumed_total=world.ledgers[subject, meter].consumed_total,
                    refunded_total=world.ledgers[subject, meter].refunded_total,
                    state=state,
                )
                for (subject, meter), state in world.forecasts.items()
            ),
            runs=tuple(run for run in runs if run),
            outages=self.snapshot.outages,
            alerts=tuple(world.alerts.values()),
            recent=tuple({e.id: e for e in (*self.snapshot.recent, *self.events)}.values()),
            last_alert_id=max((e.alert_id for e in self.events), default=0),
            last_event_id=max((e.id for e in self.events), default=0),
            last_notification_id=max(self.notifications, default=0),
        )
        return Bench(keys or self.keys, self.channels, self.policy, snapshot, self.now)


def watched(name: str = "studio", **changes: Any) -> WatchedKey:
    """A kie key polled every 5 minutes: warning below 1000, critical below 100."""
    rules = Rules.model_validate({"low_balance": {"warning": 1000, "critical": 100}})
    settings: dict[str, Any] = {"provider": "kie", "interval": timedelta(minutes=5), "rules": rules}
    return WatchedKey(name=name, **(settings | changes))
