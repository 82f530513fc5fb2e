"""No field of a value is forgotten on its way into a row, and odd values do no harm."""

from __future__ import annotations

import json
from dataclasses import fields
from datetime import UTC, datetime, timedelta, timezone

import pytest
from support import recorded

from monitor.core.events import Alert, Event, Facts
from monitor.core.ledger import LedgerState
from monitor.core.model import KeyState, MeterReading, MeterTrouble, Outage, Reason
from monitor.core.notifications import Attempt, Notification
from monitor.core.renewals import Outcome, Renewal
from monitor.store import codec, payloads, schema
from monitor.store.columns import clean, from_micros, to_micros

RENEWAL = Renewal(key="k", meter="m", at=recorded.NOW, outcome=Outcome.BEGUN)
RENAMED = {
    "subject": {"provider", "account", "key"},
    "limit": {"credit_limit"},
    "meter": {"meter", "name"},
    "key": {"key", "name"},
    "event_ids": set(),  # rows of their own
    "body": set(),  # likewise
    "since": {"since", "failing_since"},
    "polls": {"polls", "failures"},
}


@pytest.mark.parametrize(
    ("value", "row"),
    [
        (KeyState, codec.key_row(recorded.key())),
        (
            MeterReading,
            codec.meter_row(1, "k", "balance")
            | codec.reading_columns(recorded.reading("1"), recorded.NOW),
        ),
        (
            MeterTrouble,
            codec.meter_row(1, "k", "balance") | codec.trouble_columns(recorded.trouble()),
        ),
        (Outage, codec.OUTAGE.row(recorded.outage())),
        (Alert, codec.alert_row(recorded.alert())),
        (Event, codec.event_row(recorded.event())),
        (Notification, codec.notification_row(recorded.notification())),
        (Attempt, codec.ATTEMPT.row(recorded.attempt())),
        (LedgerState, json.loads(payloads.encode_ledger(recorded.ledger().state))),
    ],
    ids=lambda value: value.__name__ if isinstance(value, type) else "",
)
def test_every_field_has_its_place_in_the_row(value: type, row: dict[str, object]) -> None:
    for field in fields(value):
        places = RENAMED.get(field.name, {field.name})
        assert not places or places & set(row), field.name


@pytest.mark.parametrize(
    ("table", "row"),
    [
        ("keys", codec.key_row(recorded.key())),
        ("samples", codec.sample_row(1, recorded.sample("1"))),
        ("ledgers", codec.ledger_row(recorded.ledger())),
        ("outages", codec.OUTAGE.row(recorded.outage())),
        ("alerts", codec.alert_row(recorded.alert())),
        ("events", codec.event_row(recorded.event())),
        ("notifications", codec.notification_row(recorded.notification())),
        ("attempts", codec.ATTEMPT.row(recorded.attempt())),
        ("silences", codec.SILENCE.row(recorded.silence())),
        ("renewals", codec.RENEWAL.row(RENEWAL)),
        ("acks", codec.ACK.row(recorded.ack())),
        ("suppressions", codec.SUPPRESSED.row(recorded.suppressed())),
    ],
)
def test_a_row_fills_every_column_of_its_table(table: str, row: dict[str, object]) -> None:
    assert set(row) == set(schema.metadata.tables[table].columns.keys())


def test_every_fact_is_kept() -> None:
    amount = recorded.reading("0.10").balance
    everything = Facts(
        balance=amount,
        unit="USD",
        threshold=amount,
        share=amount,
        reference=amount,
        amount=amount,
        reason=Reason.TLS,
        detail="no",
        last_reading_at=recorded.NOW,
        since=recorded.NOW,
        keys=("a", "b"),
        top_up_url="https://example.com",
        fired=5,
        only_site=True,
        burn=amount,
        usual=amount,
        factor=amount,
        runs_out_at=recorded.NOW,
        earliest=recorded.NOW,
        latest=recorded.NOW,
        expires_at=recorded.NOW,
        unused=amount,
        top_up_at=recorded.NOW,
    )
    assert all(getattr(everything, field.name) for field in fields(Facts))
    assert repr(payloads.decode_facts(payloads.encode_facts(everything))) == repr(everything)


def test_what_is_empty_takes_no_room() -> None:
    assert payloads.encode_facts(Facts()) == "{}"
    assert payloads.encode_facts(Facts(balance=recorded.reading("0").balance)) == '{"balance":"0"}'


def test_a_text_is_cleaned_of_what_no_database_takes() -> None:
    assert clean("plain") == "plain"
    assert clean("Zürich 🎬") == "Zürich 🎬"
    assert clean("a\0b") == "a\ufffdb"
    assert clean("half \ud83c") == "half ?"


def test_times_are_kept_to_the_microsecond_and_come_back_in_utc() -> None:
    berlin = datetime(2026, 7, 1, 12, 0, 0, 1, tzinfo=timezone(timedelta(hours=2)))
    assert from_micros(to_micros(berlin)) == berlin
    assert from_micros(to_micros(berlin)).tzinfo is UTC
    assert to_micros(datetime(1969, 12, 31, 23, 59, 59, tzinfo=UTC)) == -1_000_000


def test_a_naive_time_is_a_bug() -> None:
    with pytest.raises(TypeError, match="naive"):
        to_micros(datetime(2026, 1, 1))  # noqa: DTZ001 - the point
