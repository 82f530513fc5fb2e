"""Values that a store records, with everything a test does not care about filled in."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from monitor.core.events import (
    Ack,
    Alert,
    Change,
    Event,
    Facts,
    Silence,
    Suppressed,
    Suppression,
    Why,
)
from monitor.core.forecast import Step, advance
from monitor.core.ledger import open_ledger
from monitor.core.messages import Message, encode
from monitor.core.model import (
    KeyState,
    MeterReading,
    MeterTrouble,
    Outage,
    Reason,
    Sample,
    Severity,
    Subject,
)
from monitor.core.notifications import Attempt, Notification, NotificationState
from monitor.store.base import StoredForecast, StoredKey, StoredLedger, StoredReport

NOW = datetime(2026, 3, 1, 12, 0, 0, 123456, tzinfo=UTC)
STUDIO = Subject("kie", "", "studio")


def key(name: str = "studio", *readings: MeterReading, **state: Any) -> StoredKey:
    health = KeyState(key=name, last_poll_at=NOW, **state)
    meters = tuple((reading, NOW) for reading in readings)
    return StoredKey(name=name, provider="kie", state=health, meters=meters)


def reading(balance: str, meter: str = "balance") -> MeterReading:
    return MeterReading(meter=meter, unit="credits", balance=Decimal(balance))


def trouble(meter: str = "kling:anna", **more: Any) -> MeterTrouble:
    values: dict[str, Any] = {"reason": Reason.SESSION_BROKEN, "since": NOW, "at": NOW, **more}
    return MeterTrouble(meter=meter, **values)


def ledger(subject_id: str = "key:studio") -> StoredLedger:
    state = open_ledger(NOW, Decimal("12.50"), "credits")
    return StoredLedger(subject_id=subject_id, meter="balance", state=state)


def forecast(subject_id: str = "key:studio") -> StoredForecast:
    step = Step(since=NOW - timedelta(hours=3), at=NOW, consumed=4.5)
    return StoredForecast(
        subject_id=subject_id,
        meter="balance",
        consumed_total=Decimal("4.50"),
        refunded_total=Decimal(0),
        state=advance(None, step),
    )


def sample(
    balance: str | None,
    at: datetime = NOW,
    *,
    lasted: timedelta = timedelta(0),
    key: str = "studio",
    meter: str = "balance",
) -> Sample:
    amount = None if balance is None else Decimal(balance)
    return Sample(key=key, meter=meter, at=at, until=at + lasted, balance=amount)


def outage(at: datetime = NOW, until: datetime | None = None, **more: Any) -> Outage:
    values: dict[str, Any] = {"key": "studio", "reason": Reason.TIMEOUT, **more}
    return Outage(at=at, until=until or at, **values)


def alert(number: int = 1, opened_at: datetime = NOW, **more: Any) -> Alert:
    values: dict[str, Any] = {
        "subject": STUDIO,
        "meter": "balance",
        "rule": "low_balance",
        "severity": Severity.WARNING,
        "worst": Severity.CRITICAL,
        "changed_at": opened_at,
        "facts": Facts(balance=Decimal("1.50"), unit="credits"),
        **more,
    }
    return Alert(id=number, opened_at=opened_at, **values)


def event(number: int = 1, alert_id: int = 1, **more: Any) -> Event:
    values: dict[str, Any] = {
        "subject": STUDIO,
        "meter": "balance",
        "rule": "low_balance",
        "change": Change.FIRED,
        "why": Why.NEW,
        "told": True,
        "severity": Severity.WARNING,
        "at": NOW,
        "opened_at": NOW,
        "facts": Facts(),
        **more,
    }
    return Event(id=number, alert_id=alert_id, **values)


def notification(
    number: int = 1,
    event_ids: tuple[int, ...] = (1,),
    state: NotificationState = NotificationState.PENDING,
    **more: Any,
) -> Notification:
    values: dict[str, Any] = {
        "channel": "ops",
        "created_at": NOW,
        "due_at": NOW,
        "next_attempt_at": NOW,
        "finished_at": None if state is NotificationState.PENDING else NOW,
        **more,
    }
    return Notification(id=number, event_ids=event_ids, state=state, **values)


def attempt(notification_id: int = 1, number: int = 1, at: datetime = NOW) -> Attempt:
    return Attempt(
        notification_id=notification_id,
        number=number,
        at=at,
        outcome="retry",
        detail="503",
        duration=timedelta(milliseconds=12),
    )


def silence(number: int = 1, created_at: datetime = NOW, **more: Any) -> Silence:
    values: dict[str, Any] = {
        "keys": "studio",
        "until": created_at + timedelta(hours=4),
        "by": "anna",
        "reason": "top-up ordered",
        **more,
    }
    return Silence(id=number, created_at=created_at, **values)


def ack(alert_id: int = 1, at: datetime = NOW, by: str = "anna", reason: str = "mine") -> Ack:
    return Ack(alert_id=alert_id, at=at, by=by, reason=reason)


def suppressed(
    event_id: int = 1,
    channel: str = "ops",
    reason: Suppression = Suppression.SILENCED,
    at: datetime = NOW,
) -> Suppressed:
    return Suppressed(event_id=event_id, channel=channel, at=at, reason=reason)


def report(kind: str = "day", until: datetime = NOW) -> StoredReport:
    """That the report of the day before *until* was given out."""
    return StoredReport(
        kind=kind, period_start=until - timedelta(days=1), period_end=until, enqueued_at=until
    )


def message(channel: str, told: Message, now: datetime) -> Notification:
    """A notification of a whole message, as the announcer makes it."""
    return Notification(
        id=1,
        channel=channel,
        event_ids=(),
        created_at=now,
        due_at=now,
        next_attempt_at=now,
        body=encode(told),
    )
