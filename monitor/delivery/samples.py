"""Messages as they will come, to try a template on before it matters."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from monitor.core.digest import digest
from monitor.core.digest_values import KnownMeter, Records
from monitor.core.digest_words import digest_message
from monitor.core.events import Change, Event, Facts, Why
from monitor.core.messages import Message, compose, trial_message
from monitor.core.model import Reason, Severity, Subject
from monitor.core.periods import Every, last_period, period_before
from monitor.core.voices import VOICES

_NOW = datetime(2026, 5, 1, 12, 0, tzinfo=UTC)
_KEY = Subject("kie", "studio-main", "studio")
_SUBJECTS = (_KEY, Subject("kie", "studio-main"), Subject("kie"))
_FULL = Facts(
    balance=Decimal(412),
    unit="credits",
    threshold=Decimal(500),
    share=Decimal("0.05"),
    reference=Decimal(10_000),
    amount=Decimal(10_000),
    reason=Reason.UNAUTHORIZED,
    detail="You do not have access permissions",
    last_reading_at=_NOW - timedelta(hours=2),
    since=_NOW - timedelta(hours=2),
    keys=("studio", "relay"),
    top_up_url="https://example.com/billing",
)


def sample_messages() -> Iterator[Message]:
    """Every rule with few facts and with many, reminders, ends, several stories, reports."""
    changes = (Change.FIRED, Change.REMINDED, Change.RESOLVED, Change.OCCURRED)
    for rule in VOICES:
        for change in changes:
            for facts in (Facts(), _FULL):
                yield compose([_event(rule, change, facts=facts)], now=_NOW)
    yield compose([_event(rule, Change.FIRED) for rule in VOICES], now=_NOW)
    yield compose(
        [_event("low_balance", Change.FIRED, subject=s, number=n) for n, s in enumerate(_SUBJECTS)],
        now=_NOW,
    )
    yield trial_message("ops", now=_NOW)
    yield from (_report(kind) for kind in Every)


def _report(kind: Every) -> Message:
    """A report of one balance that was not read lately."""
    period = last_period(kind, _NOW, UTC)
    known = KnownMeter(
        subject=_KEY,
        meter="balance",
        keys=("studio",),
        unit="credits",
        balance=Decimal(412),
        read_at=_NOW,
        reference=Decimal(10_000),
    )
    found = digest(
        period,
        period_before(period, UTC),
        at=_NOW,
        meters=[known],
        keys=["studio"],
        channels=["ops"],
        records=Records(),
    )
    return digest_message(found, timezone=UTC)


def _event(
    rule: str,
    change: Change,
    *,
    facts: Facts = _FULL,
    subject: Subject = _KEY,
    number: int = 1,
) -> Event:
    return Event(
        id=number,
        alert_id=number,
        subject=subject,
        meter="balance",
        rule=rule,
        change=change,
        why=Why.REPEAT if change is Change.REMINDED else Why.NEW,
        told=True,
        severity=Severity.INFO if change is Change.OCCURRED else Severity.CRITICAL,
        at=_NOW,
        opened_at=_NOW - timedelta(hours=2),
        facts=facts,
    )
