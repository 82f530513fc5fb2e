"""The product's values as rows of the tables and back."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import Row

from monitor.core.events import Ack, Alert, Event, Facts, Silence, Suppressed
from monitor.core.forecast import decode, encode
from monitor.core.ledger import LedgerState
from monitor.core.model import (
    KeyState,
    Kind,
    MeterReading,
    MeterTrouble,
    Outage,
    Reason,
    Sample,
    Severity,
    Subject,
)
from monitor.core.notifications import Attempt, Notification
from monitor.core.renewals import Renewal
from monitor.store.base import (
    StoredConfiguration,
    StoredForecast,
    StoredKey,
    StoredLedger,
    StoredReport,
)
from monitor.store.columns import MICROSECOND, from_micros, to_micros

Bind = dict[str, Any]


def _json(value: Mapping[str, object]) -> str:
    return json.dumps(value, separators=(",", ":"))


def key_row(stored: StoredKey) -> Bind:
    """A row of ``keys``."""
    state = stored.state
    return {
        "name": stored.name,
        "provider": stored.provider,
        "account": stored.account,
        "last_poll_at": state.last_poll_at,
        "last_success_at": state.last_success_at,
        "failing_since": state.failing_since,
        "failures": state.failures,
        "reason": state.reason,
        "detail": state.detail,
        "refused_since": state.refused_since,
    }


def key_of(
    row: Row[Any],
    meters: tuple[tuple[MeterReading, datetime], ...],
    troubles: tuple[MeterTrouble, ...] = (),
) -> StoredKey:
    """The key of a row of ``keys``, with what ``meters`` holds of it."""
    state = KeyState(
        key=row.name,
        last_poll_at=row.last_poll_at,
        last_success_at=row.last_success_at,
        failing_since=row.failing_since,
        failures=row.failures,
        reason=row.reason,
        detail=row.detail,
        refused_since=row.refused_since,
    )
    return StoredKey(
        name=row.name,
        provider=row.provider,
        account=row.account,
        state=state,
        meters=meters,
        troubles=troubles,
    )


def meter_row(number: int, key: str, meter: str) -> Bind:
    """A row of ``meters`` of which nothing is known, without what thinning keeps there."""
    return {"id": number, "key": key, "name": meter, **_NO_READING, **_NO_TROUBLE}


_NO_READING: Bind = dict.fromkeys(
    (
        "at",
        "unit",
        "balance",
        "kind",
        "credit_limit",
        "expires_at",
        "jobs_limit",
        "jobs_running",
    )
)
_NO_TROUBLE: Bind = dict.fromkeys(("reason", "detail", "failing_since", "failed_at", "failures"))


def reading_columns(reading: MeterReading, at: datetime) -> Bind:
    """What a reading puts into the row of its meter."""
    return {
        "at": at,
        "unit": reading.unit,
        "kind": reading.kind,
        "balance": reading.balance,
        "credit_limit": reading.limit,
        "expires_at": reading.expires_at,
        "jobs_limit": reading.jobs_limit,
        "jobs_running": reading.jobs_running,
    }


def trouble_columns(trouble: MeterTrouble) -> Bind:
    """What the failing of a meter puts into its row."""
    return {
        "reason": trouble.reason,
        "detail": trouble.detail,
        "failing_since": trouble.since,
        "failed_at": trouble.at,
        "failures": trouble.polls,
    }


def trouble_of(row: Row[Any]) -> MeterTrouble:
    """The failing of the meter of a row of ``meters``."""
    return MeterTrouble(
        meter=row.name,
        reason=row.reason,
        detail=row.detail,
        since=row.failing_since,
        at=row.failed_at,
        polls=row.failures,
    )


def reading_of(row: Row[Any]) -> MeterReading:
    """The reading of a row of ``meters``."""
    return MeterReading(
        meter=row.name,
        unit=row.unit,
        kind=row.kind or Kind.BALANCE,
        balance=row.balance,
        limit=row.credit_limit,
        expires_at=row.expires_at,
        jobs_limit=row.jobs_limit,
        jobs_running=row.jobs_running,
    )


def sample_row(number: int, sample: Sample) -> Bind:
    """A row of ``samples``; *number* is that of its meter."""
    return {
        "meter": number,
        "at": sample.at,
        "lasted": sample.until - sample.at,
        "balance": sample.balance,
    }


def sample_of(row: Row[Any]) -> Sample:
    """The sample of a row of ``samples`` joined with ``meters``."""
    return Sample(
        key=row.key,
        meter=row.name,
        at=row.at,
        until=row.at + row.lasted,
        balance=row.balance,
    )


def ledger_row(stored: StoredLedger) -> Bind:
    """A row of ``ledgers``."""
    return {
        "subject_id": stored.subject_id,
        "meter": stored.meter,
        "state": encode_ledger(stored.state),
    }


def ledger_of(row: Row[Any]) -> StoredLedger:
    """The ledger of a row of ``ledgers``."""
    return StoredLedger(subject_id=row.subject_id, meter=row.meter, state=decode_ledger(row.state))


def encode_ledger(state: LedgerState) -> str:
    """A ledger as JSON: times in microseconds, amounts as text.

    Charges stand in one text, ``age:amount`` with the age in microseconds before ``at``: they are
    most of it, and written with every step of the balance.
    """
    at = state.at
    charges = [f"{(at - when) // MICROSECOND}:{amount!s}" for when, amount in state.charges]
    return _json(
        {
            "at": to_micros(at),
            "balance": str(state.balance),
            "unit": state.unit,
            "reference": str(state.reference),
            "topped_up_at": None if state.topped_up_at is None else to_micros(state.topped_up_at),
            "consumed_total": str(state.consumed_total),
            "topped_up_total": str(state.topped_up_total),
            "refunded_total": str(state.refunded_total),
            "charges": " ".join(charges),
            "last_payment": None if state.last_payment is None else str(state.last_payment),
            "top_ups": " ".join(str(to_micros(when)) for when in state.top_ups),
        }
    )


def decode_ledger(text: str) -> LedgerState:
    """The ledger that :func:`encode_ledger` wrote."""
    found = json.loads(text)
    at = found["at"]
    topped_up_at = found["topped_up_at"]
    charges = [charge.split(":") for charge in found["charges"].split()]
    payment = found.get("last_payment")  # older versions did not keep it
    return LedgerState(
        at=from_micros(at),
        balance=Decimal(found["balance"]),
        unit=found["unit"],
        reference=Decimal(found["reference"]),
        topped_up_at=None if topped_up_at is None else from_micros(topped_up_at),
        consumed_total=Decimal(found["consumed_total"]),
        topped_up_total=Decimal(found["topped_up_total"]),
        refunded_total=Decimal(found["refunded_total"]),
        charges=tuple((from_micros(at - int(age)), Decimal(amount)) for age, amount in charges),
        last_payment=None if payment is None else Decimal(payment),
        top_ups=tuple(from_micros(int(when)) for when in found.get("top_ups", "").split()),
    )


def forecast_row(stored: StoredForecast) -> Bind:
    """A row of ``forecasts``."""
    return {
        "subject_id": stored.subject_id,
        "meter": stored.meter,
        "consumed_total": stored.consumed_total,
        "refunded_total": stored.refunded_total,
        "state": encode(stored.state),
    }


def forecast_of(row: Row[Any]) -> StoredForecast | None:
    """What a row of ``forecasts`` holds; None where it is damaged or of another version."""
    state = decode(row.state)
    if state is None:
        return None
    return StoredForecast(
        subject_id=row.subject_id,
        meter=row.meter,
        consumed_total=row.consumed_total,
        refunded_total=row.refunded_total,
        state=state,
    )


def outage_row(outage: Outage) -> Bind:
    """A row of ``outages``."""
    return {
        "key": outage.key,
        "at": outage.at,
        "until": outage.until,
        "reason": outage.reason,
        "detail": outage.detail,
        "polls": outage.polls,
    }


def outage_of(row: Row[Any]) -> Outage:
    """The outage of a row of ``outages``."""
    return Outage(
        key=row.key,
        at=row.at,
        until=row.until,
        reason=row.reason,
        detail=row.detail,
        polls=row.polls,
    )


_FACTS: dict[str, tuple[Callable[[Any], Any], Callable[[Any], Any]]] = {
    "balance": (str, Decimal),
    "unit": (str, str),
    "threshold": (str, Decimal),
    "share": (str, Decimal),
    "reference": (str, Decimal),
    "amount": (str, Decimal),
    "reason": (str, Reason),
    "detail": (str, str),
    "last_reading_at": (to_micros, from_micros),
    "since": (to_micros, from_micros),
    "keys": (list, tuple),
    "top_up_url": (str, str),
    "fired": (int, int),
    "only_site": (bool, bool),
    "burn": (str, Decimal),
    "usual": (str, Decimal),
    "factor": (str, Decimal),
    "runs_out_at": (to_micros, from_micros),
    "earliest": (to_micros, from_micros),
    "latest": (to_micros, from_micros),
    "expires_at": (to_micros, from_micros),
    "unused": (str, Decimal),
    "top_up_at": (to_micros, from_micros),
}
"""How each field of :class:`Facts` enters JSON and comes back; a test keeps it complete."""


_NO_FACTS = Facts()


def encode_facts(facts: Facts) -> str:
    """Facts as JSON; what is empty (as it is where it does not apply) is left out."""
    found = {name: getattr(facts, name) for name in _FACTS}
    return _json(
        {
            name: _FACTS[name][0](value)
            for name, value in found.items()
            if value != getattr(_NO_FACTS, name)
        }
    )


def decode_facts(text: str) -> Facts:
    """The facts that :func:`encode_facts` wrote."""
    return Facts(**{name: _FACTS[name][1](value) for name, value in json.loads(text).items()})


def _slot_row(subject: Subject, meter: str, rule: str) -> Bind:
    return {
        "provider": subject.provider,
        "account": subject.account,
        "key": subject.key,
        "meter": meter,
        "rule": rule,
    }


def alert_row(alert: Alert) -> Bind:
    """A row of ``alerts``."""
    return {
        "id": alert.id,
        **_slot_row(alert.subject, alert.meter, alert.rule),
        "severity": alert.severity,
        "worst": alert.worst,
        "opened_at": alert.opened_at,
        "changed_at": alert.changed_at,
        "resolved_at": alert.resolved_at,
        "facts": encode_facts(alert.facts),
        "severities": ",".join(alert.severities),
        "told_at": alert.told_at,
        "escalated_at": alert.escalated_at,
    }


def alert_of(row: Row[Any]) -> Alert:
    """The alert of a row of ``alerts``."""
    return Alert(
        id=row.id,
        subject=Subject(row.provider, row.account, row.key),
        meter=row.meter,
        rule=row.rule,
        severity=row.severity,
        worst=row.worst,
        opened_at=row.opened_at,
        changed_at=row.changed_at,
        resolved_at=row.resolved_at,
        facts=decode_facts(row.facts),
        severities=tuple(Severity(word) for word in row.severities.split(",") if word),
        told_at=row.told_at,
        escalated_at=row.escalated_at,
    )


def event_row(event: Event) -> Bind:
    """A row of ``events``."""
    return {
        "id": event.id,
        "alert_id": event.alert_id,
        **_slot_row(event.subject, event.meter, event.rule),
        "change": event.change,
        "why": event.why,
        "told": event.told,
        "severity": event.severity,
        "at": event.at,
        "opened_at": event.opened_at,
        "facts": encode_facts(event.facts),
    }


def event_of(row: Row[Any]) -> Event:
    """The event of a row of ``events``."""
    return Event(
        id=row.id,
        alert_id=row.alert_id,
        subject=Subject(row.provider, row.account, row.key),
        meter=row.meter,
        rule=row.rule,
        change=row.change,
        why=row.why,
        told=row.told,
        severity=row.severity,
        at=row.at,
        opened_at=row.opened_at,
        facts=decode_facts(row.facts),
    )


def notification_row(notification: Notification) -> Bind:
    """A row of ``notifications``; its events stand in ``notification_events``."""
    return {
        "id": notification.id,
        "channel": notification.channel,
        "state": notification.state,
        "created_at": notification.created_at,
        "due_at": notification.due_at,
        "next_attempt_at": notification.next_attempt_at,
        "attempts": notification.attempts,
        "finished_at": notification.finished_at,
        "error": notification.error,
        "handed_to": notification.handed_to,
        "note": notification.note,
    }


def notification_of(row: Row[Any], event_ids: tuple[int, ...], body: str = "") -> Notification:
    """The notification of a row of ``notifications``; its *body* has a row of its own."""
    return Notification(
        id=row.id,
        channel=row.channel,
        event_ids=event_ids,
        state=row.state,
        created_at=row.created_at,
        due_at=row.due_at,
        next_attempt_at=row.next_attempt_at,
        attempts=row.attempts,
        finished_at=row.finished_at,
        error=row.error,
        body=body,
        handed_to=row.handed_to,
        note=row.note,
    )


def attempt_row(attempt: Attempt) -> Bind:
    """A row of ``attempts``."""
    return {
        "notification_id": attempt.notification_id,
        "number": attempt.number,
        "at": attempt.at,
        "outcome": attempt.outcome,
        "detail": attempt.detail,
        "duration": attempt.duration,
    }


def attempt_of(row: Row[Any]) -> Attempt:
    """The attempt of a row of ``attempts``."""
    return Attempt(
        notification_id=row.notification_id,
        number=row.number,
        at=row.at,
        outcome=row.outcome,
        detail=row.detail,
        duration=row.duration,
    )


def body_row(notification: Notification) -> Bind:
    """A row of ``notification_bodies``."""
    return {"notification_id": notification.id, "body": notification.body}


def configuration_row(configuration: StoredConfiguration) -> Bind:
    """The row of ``configuration``."""
    return {
        "id": 1,
        "read_at": configuration.read_at,
        "refused_at": configuration.refused_at,
        "problems": json.dumps(configuration.problems),
    }


def configuration_of(row: Row[Any]) -> StoredConfiguration:
    """The configuration of that row."""
    return StoredConfiguration(
        read_at=row.read_at, refused_at=row.refused_at, problems=tuple(json.loads(row.problems))
    )


def report_row(report: StoredReport) -> Bind:
    """A row of ``reports``."""
    return {
        "kind": report.kind,
        "period_start": report.period_start,
        "period_end": report.period_end,
        "enqueued_at": report.enqueued_at,
    }


def report_of(row: Row[Any]) -> StoredReport:
    """The report of a row of ``reports``."""
    return StoredReport(
        kind=row.kind,
        period_start=row.period_start,
        period_end=row.period_end,
        enqueued_at=row.enqueued_at,
    )


def renewal_row(renewal: Renewal) -> Bind:
    """A row of ``renewals``."""
    return {
        "key": renewal.key,
        "meter": renewal.meter,
        "at": renewal.at,
        "outcome": renewal.outcome,
        "detail": renewal.detail,
        "failures": renewal.failures,
    }


def renewal_of(row: Row[Any]) -> Renewal:
    """The renewal of a row of ``renewals``."""
    return Renewal(
        key=row.key,
        meter=row.meter,
        at=row.at,
        outcome=row.outcome,
        detail=row.detail,
        failures=row.failures,
    )


def silence_row(silence: Silence) -> Bind:
    """A row of ``silences`` without its identity, which the store gives out."""
    return {
        "keys": silence.keys,
        "accounts": silence.accounts,
        "providers": silence.providers,
        "rules": silence.rules,
        "created_at": silence.created_at,
        "until": silence.until,
        "author": silence.by,
        "reason": silence.reason,
        "ended_at": silence.ended_at,
    }


def silence_of(row: Row[Any]) -> Silence:
    """The silence of a row of ``silences``."""
    # Not row.keys: that is a method of the row.
    return Silence(
        id=row.id,
        keys=row._mapping["keys"],  # noqa: SLF001 - the public name of a row as a mapping
        accounts=row.accounts,
        providers=row.providers,
        rules=row.rules,
        created_at=row.created_at,
        until=row.until,
        by=row.author,
        reason=row.reason,
        ended_at=row.ended_at,
    )


def ack_row(ack: Ack) -> Bind:
    """A row of ``acks``."""
    return {"alert_id": ack.alert_id, "at": ack.at, "author": ack.by, "reason": ack.reason}


def ack_of(row: Row[Any]) -> Ack:
    """The acknowledgement of a row of ``acks``."""
    return Ack(alert_id=row.alert_id, at=row.at, by=row.author, reason=row.reason)


def suppressed_row(suppressed: Suppressed) -> Bind:
    """A row of ``suppressions``."""
    return {
        "event_id": suppressed.event_id,
        "channel": suppressed.channel,
        "reason": suppressed.reason,
        "at": suppressed.at,
    }


def suppressed_of(row: Row[Any]) -> Suppressed:
    """What a row of ``suppressions`` says."""
    return Suppressed(event_id=row.event_id, channel=row.channel, at=row.at, reason=row.reason)
