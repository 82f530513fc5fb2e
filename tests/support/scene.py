"""A daemon's memory and a real store, filled alike, for what is built on top of them."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from monitor.clock import Clock
from monitor.core.events import Alert, Change, Event, Facts, Why
from monitor.core.ledger import advance, open_ledger
from monitor.core.model import KeyState, MeterReading, Outage, Reason, Sample, Severity, Subject
from monitor.core.notifications import Attempt, Notification, NotificationState
from monitor.metrics import Metrics
from monitor.store.base import Changes, Store, StoredConfiguration, StoredKey, StoredLedger
from monitor.web import WebContext
from monitor.world import LiveKey, LiveMeter, WatchedKey, World

NOW = datetime(2026, 5, 1, 12, 0, 30, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


class FixedClock(Clock):
    """A clock that stands still until it is told otherwise."""

    def __init__(self, now: datetime = NOW) -> None:
        super().__init__()
        self.present = now

    def now(self) -> datetime:
        return self.present


@dataclass
class Scene:
    """World and store of one daemon; what is added goes into both."""

    store: Store
    world: World = field(default_factory=World)
    clock: FixedClock = field(default_factory=FixedClock)
    metrics: Metrics = field(default_factory=lambda: Metrics("1.2.3"))
    problems: list[str] = field(default_factory=list)
    configuration: StoredConfiguration = field(
        default_factory=lambda: StoredConfiguration(read_at=NOW - timedelta(days=2))
    )
    last_id: int = 0

    def next_id(self) -> int:
        self.last_id += 1
        return self.last_id

    @property
    def context(self) -> WebContext:
        return WebContext(
            store=self.store,
            world=self.world,
            metrics=self.metrics,
            clock=self.clock,
            health=lambda: list(self.problems),
            configuration=lambda: self.configuration,
            version="1.2.3",
        )

    def key(
        self,
        name: str,
        *balances: Decimal | int,
        provider: str = "kie",
        account: str = "",
        unit: str = "credits",
        reason: Reason | None = None,
        detail: str = "",
        age: timedelta = timedelta(seconds=20),
        every: timedelta = MINUTE,
    ) -> WatchedKey:
        """A key that was read once per interval, *balances* being the last ones."""
        watched = WatchedKey(name=name, provider=provider, account=account, interval=every)
        last = NOW - age
        state = KeyState(
            key=name,
            last_poll_at=last if balances or reason else None,
            last_success_at=last if balances else None,
            failing_since=last if reason else None,
            failures=3 if reason else 0,
            reason=reason,
            detail=detail,
        )
        live = LiveKey(watched=watched, state=state)
        changes = Changes()
        if balances:
            amounts = [Decimal(b) for b in balances]
            start = last - every * (len(amounts) - 1)
            ledger = open_ledger(start, amounts[0], unit)
            for number, amount in enumerate(amounts):
                at = start + every * number
                ledger, _ = advance(ledger, at, amount)
                changes.samples.append(
                    Sample(key=name, meter="balance", at=at, until=at, balance=amount)
                )
            reading = MeterReading(unit=unit, balance=amounts[-1])
            live.meters["balance"] = LiveMeter(reading=reading, at=last)
            subject_id = watched.balance_subject.id
            self.world.ledgers[subject_id, "balance"] = ledger
            changes.ledgers.append(
                StoredLedger(subject_id=subject_id, meter="balance", state=ledger)
            )
        if reason:
            changes.outages.append(
                Outage(key=name, at=last, until=NOW, reason=reason, detail=detail, polls=3)
            )
        self.world.keys[name] = live
        changes.keys.append(
            StoredKey(
                name=name,
                provider=provider,
                account=account,
                state=state,
                meters=tuple((m.reading, m.at) for m in live.meters.values()),
            )
        )
        self.store.write([changes])
        return watched

    def alert(
        self,
        subject: Subject,
        rule: str = "low_balance",
        severity: Severity = Severity.WARNING,
        *,
        meter: str = "balance",
        age: timedelta = timedelta(hours=2),
        lasted: timedelta | None = None,
        facts: Facts | None = None,
        delivery: NotificationState | None = NotificationState.DELIVERED,
        error: str = "",
    ) -> Alert:
        """An alert with the event that raised it and, unless None, one notification of it."""
        opened = NOW - age
        facts = facts or Facts(balance=Decimal(412), unit="credits", threshold=Decimal(500))
        alert = Alert(
            id=self.next_id(),
            subject=subject,
            meter=meter,
            rule=rule,
            severity=severity,
            worst=severity,
            opened_at=opened,
            changed_at=opened,
            resolved_at=None if lasted is None else opened + lasted,
            facts=facts,
        )
        events = [self._event(alert, Change.FIRED, Why.NEW, opened)]
        if alert.resolved_at is None:
            self.world.alerts[alert.slot] = alert
        else:
            events.append(self._event(alert, Change.RESOLVED, Why.RECOVERED, alert.resolved_at))
        changes = Changes(alerts=[alert], events=events)
        if delivery is not None:
            self._notification(changes, events[0], delivery, error)
        self.store.write([changes])
        return alert

    def _event(self, alert: Alert, change: Change, why: Why, at: datetime) -> Event:
        return Event(
            id=self.next_id(),
            alert_id=alert.id,
            subject=alert.subject,
            meter=alert.meter,
            rule=alert.rule,
            change=change,
            why=why,
            told=True,
            severity=alert.severity,
            at=at,
            opened_at=alert.opened_at,
            facts=alert.facts,
        )

    def _notification(
        self, changes: Changes, event: Event, state: NotificationState, error: str
    ) -> None:
        due = event.at + timedelta(seconds=10)
        is_over = state is not NotificationState.PENDING
        notification = Notification(
            id=self.next_id(),
            channel="ops",
            event_ids=(event.id,),
            state=state,
            created_at=event.at,
            due_at=due,
            next_attempt_at=due,
            attempts=1,
            finished_at=due if is_over else None,
            error=error,
        )
        outcomes = {
            NotificationState.PENDING: "retry",
            NotificationState.DELIVERED: "delivered",
            NotificationState.DEAD: "refused",
        }
        changes.notifications.append(notification)
        changes.attempts.append(
            Attempt(
                notification_id=notification.id,
                number=1,
                at=due,
                outcome=outcomes[state],
                detail=error,
                duration=timedelta(milliseconds=120),
            )
        )


def fill(scene: Scene) -> None:
    """What a lived-in installation looks like."""
    falling = [12000 - 37 * n for n in range(200)]
    scene.key("calm", *falling, account="studio-main", age=timedelta(seconds=4))
    low = scene.key("low", *[2600 - 11 * n for n in range(200)])
    empty = scene.key("empty", 40, 20, 0, 0, provider="relay", unit="USD")
    refused = scene.key(
        "refused",
        *[880] * 30,
        reason=Reason.UNAUTHORIZED,
        detail="You do not have access permissions",
        age=timedelta(hours=3),
    )
    scene.key("new")
    scene.key("small", Decimal("0.90"), provider="relay", unit="USD")
    scene.alert(low.subject, severity=Severity.WARNING, age=timedelta(minutes=25))
    scene.alert(
        empty.subject,
        "exhausted",
        Severity.CRITICAL,
        facts=Facts(balance=Decimal(0), unit="USD"),
        delivery=NotificationState.DEAD,
        error="invalid_auth: the channel refused the token",
    )
    scene.alert(
        refused.subject,
        "rejected",
        Severity.CRITICAL,
        meter="",
        age=timedelta(hours=3),
        facts=Facts(reason=Reason.UNAUTHORIZED, detail="You do not have access permissions"),
        delivery=NotificationState.PENDING,
        error="timeout",
    )
    scene.alert(Subject("kie", "studio-main"), age=timedelta(days=2), lasted=timedelta(hours=5))
