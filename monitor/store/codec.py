"""The product's values as rows of the tables and back."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any

from sqlalchemy import Row

from monitor.core.events import Ack, Alert, Event, Silence, Suppressed
from monitor.core.forecast import decode, encode
from monitor.core.model import (
    KeyState,
    Kind,
    MeterReading,
    MeterTrouble,
    Outage,
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
from monitor.store.payloads import decode_facts, decode_ledger, encode_facts, encode_ledger
from monitor.store.shapes import Bind, Shape

OUTAGE = Shape(Outage)
ATTEMPT = Shape(Attempt)
REPORT = Shape(StoredReport)
RENEWAL = Shape(Renewal)
ACK = Shape(Ack, by="author")
SUPPRESSED = Shape(Suppressed)
SILENCE = Shape(Silence, by="author")

_KEY = Shape(StoredKey, without=("state", "meters", "troubles"))
_KEY_STATE = Shape(KeyState, key="name")
_READING = Shape(MeterReading, without=("meter", "kind"), limit="credit_limit")
_TROUBLE = Shape(
    MeterTrouble, without=("meter",), since="failing_since", at="failed_at", polls="failures"
)
_FORECAST = Shape(StoredForecast, without=("state",))
_ALERT = Shape(Alert, without=("subject", "facts", "severities"))
_EVENT = Shape(Event, without=("subject", "facts"))
_NOTIFICATION = Shape(Notification, without=("event_ids", "body"))


def key_row(stored: StoredKey) -> Bind:
    """A row of ``keys``."""
    return _KEY.row(stored) | _KEY_STATE.row(stored.state)


def key_of(
    row: Row[Any],
    meters: tuple[tuple[MeterReading, datetime], ...],
    troubles: tuple[MeterTrouble, ...] = (),
) -> StoredKey:
    """The key of a row of ``keys``, with what ``meters`` holds of it."""
    return _KEY.of(row, state=_KEY_STATE.of(row), meters=meters, troubles=troubles)


def meter_row(number: int, key: str, meter: str) -> Bind:
    """A row of ``meters`` of which nothing is known, without what thinning keeps there."""
    return {"id": number, "key": key, "name": meter, **_NOTHING_KNOWN}


_NOTHING_KNOWN: Bind = dict.fromkeys(
    (*_READING.columns, "at", "kind", *_TROUBLE.columns),
)


def reading_columns(reading: MeterReading, at: datetime) -> Bind:
    """What a reading puts into the row of its meter."""
    return {"at": at, "kind": reading.kind, **_READING.row(reading)}


def reading_of(row: Row[Any]) -> MeterReading:
    """The reading of a row of ``meters``."""
    return _READING.of(row, meter=row.name, kind=row.kind or Kind.BALANCE)


def trouble_columns(trouble: MeterTrouble) -> Bind:
    """What the failing of a meter puts into its row."""
    return _TROUBLE.row(trouble)


def trouble_of(row: Row[Any]) -> MeterTrouble:
    """The failing of the meter of a row of ``meters``."""
    return _TROUBLE.of(row, meter=row.name)


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


def forecast_row(stored: StoredForecast) -> Bind:
    """A row of ``forecasts``."""
    return {**_FORECAST.row(stored), "state": encode(stored.state)}


def forecast_of(row: Row[Any]) -> StoredForecast | None:
    """What a row of ``forecasts`` holds; None where it is damaged or of another version."""
    state = decode(row.state)
    return None if state is None else _FORECAST.of(row, state=state)


def _subject_row(subject: Subject) -> Bind:
    return {"provider": subject.provider, "account": subject.account, "key": subject.key}


def _subject_of(row: Row[Any]) -> Subject:
    return Subject(row.provider, row.account, row.key)


def alert_row(alert: Alert) -> Bind:
    """A row of ``alerts``."""
    return {
        **_ALERT.row(alert),
        **_subject_row(alert.subject),
        "facts": encode_facts(alert.facts),
        "severities": ",".join(alert.severities),
    }


def alert_of(row: Row[Any]) -> Alert:
    """The alert of a row of ``alerts``."""
    return _ALERT.of(
        row,
        subject=_subject_of(row),
        facts=decode_facts(row.facts),
        severities=tuple(Severity(word) for word in row.severities.split(",") if word),
    )


def event_row(event: Event) -> Bind:
    """A row of ``events``."""
    return {
        **_EVENT.row(event),
        **_subject_row(event.subject),
        "facts": encode_facts(event.facts),
    }


def event_of(row: Row[Any]) -> Event:
    """The event of a row of ``events``."""
    return _EVENT.of(row, subject=_subject_of(row), facts=decode_facts(row.facts))


def notification_row(notification: Notification) -> Bind:
    """A row of ``notifications``; its events stand in ``notification_events``."""
    return _NOTIFICATION.row(notification)


def notification_of(row: Row[Any], event_ids: tuple[int, ...], body: str = "") -> Notification:
    """The notification of a row of ``notifications``; its *body* has a row of its own."""
    return _NOTIFICATION.of(row, event_ids=event_ids, body=body)


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


def new_silence_row(silence: Silence) -> Bind:
    """A row of ``silences`` without its identity, which the store gives out."""
    row = SILENCE.row(silence)
    del row["id"]
    return row
