"""A balance entered by hand: only where none is read, and with errors that say what to write."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from pydantic import TypeAdapter, ValidationError

from monitor.core.model import Kind, MeterReading
from monitor.providers import AnyKey
from monitor.providers.base import KeySettings

KEYS: TypeAdapter[KeySettings] = TypeAdapter(AnyKey)
BY_HAND = {"manual": 5000, "at": "2026-11-01"}


def key(provider: str, balance: object, **more: Any) -> KeySettings:
    return KEYS.validate_python(
        {"name": "lab", "provider": provider, "key": "sk", "balance": balance, **more}
    )


def complaint(provider: str, balance: object, **more: Any) -> str:
    with pytest.raises(ValidationError) as caught:
        key(provider, balance, **more)
    return str(caught.value)


@pytest.mark.parametrize("provider", ["kinovi", "groq"])
def test_it_is_a_meter_of_its_own_at_its_own_time(provider: str) -> None:
    assert key(provider, BY_HAND).manual == (
        MeterReading(meter="manual", unit="credits", balance=Decimal(5000), kind=Kind.MANUAL),
        datetime(2026, 11, 1, tzinfo=UTC),
    )


def test_without_it_there_is_none() -> None:
    assert key("kinovi", None).manual is None


@pytest.mark.parametrize(
    ("at", "expected"),
    [
        ("2026-11-01", "2026-11-01T00:00:00+00:00"),
        ("2026-11-01T18:00Z", "2026-11-01T18:00:00+00:00"),
        ("2026-11-01T18:00+02:00", "2026-11-01T16:00:00+00:00"),
    ],
)
def test_it_was_there_on_a_day_or_at_a_time(at: str, expected: str) -> None:
    found = key("kinovi", BY_HAND | {"at": at}).manual
    assert found is not None
    assert found[1].isoformat() == expected


@pytest.mark.parametrize("at", ["yesterday", "2026-11-01T18:00", "2026-13-01", 20261101, None, ""])
def test_a_time_that_is_none_is_told_with_an_example(at: object) -> None:
    assert "such as 2026-11-01" in complaint("kinovi", BY_HAND | {"at": at})


@pytest.mark.parametrize("balance", ["limit - used", 5000, True, [5000]])
def test_another_form_is_told_with_the_right_one(balance: object) -> None:
    assert "{manual: 5000, at: 2026-11-01}" in complaint("kinovi", balance)


@pytest.mark.parametrize("manual", ["many", None, True, "NaN"])
def test_the_amount_is_an_amount(manual: object) -> None:
    complaint("kinovi", BY_HAND | {"manual": manual})


@pytest.mark.parametrize(
    ("provider", "more"),
    [
        ("kie", {}),
        ("useapi", {}),
        ("deepseek", {}),
        ("json", {"url": "https://api.example.com", "unit": "USD"}),
    ],
)
def test_where_a_balance_is_read_none_is_entered(provider: str, more: dict[str, Any]) -> None:
    assert "entered by hand is only" in complaint(provider, BY_HAND, **more)
