"""The values of the core refuse what would be a lie further down."""

from __future__ import annotations

from dataclasses import FrozenInstanceError
from datetime import UTC, datetime
from decimal import Decimal

import pytest
from support import recorded

from monitor.core.model import Failure, MeterReading, Reading, Reason, Severity, Subject

NOW = datetime(2026, 11, 1, 12, tzinfo=UTC)
NAIVE = datetime(2026, 11, 1, 12)  # noqa: DTZ001 - a naive time is what is tested


def credits_(balance: str | None, meter: str = "balance") -> MeterReading:
    return MeterReading(
        meter=meter, unit="credits", balance=None if balance is None else Decimal(balance)
    )


@pytest.mark.parametrize("text", ["NaN", "sNaN", "Infinity", "-Infinity"])
@pytest.mark.parametrize("field", ["balance", "limit"])
def test_a_meter_reading_refuses_what_is_not_finite(field: str, text: str) -> None:
    amounts = {"balance": Decimal(1), "limit": Decimal(2), field: Decimal(text)}
    with pytest.raises(ValueError, match=f"a {field} must be finite"):
        MeterReading(unit="USD", balance=amounts["balance"], limit=amounts["limit"])


def test_unlimited_and_negative_balances_are_readings() -> None:
    assert credits_(None).balance is None
    assert credits_("-3.5").balance == Decimal("-3.5")


def test_a_key_check_is_a_reading_without_meters() -> None:
    assert Reading(key="studio", at=NOW, meters=()).meters == ()


def test_a_reading_has_each_meter_once() -> None:
    with pytest.raises(ValueError, match="each meter once"):
        Reading(key="studio", at=NOW, meters=(credits_("1", "usd"), credits_("2", "usd")))
    both = Reading(key="studio", at=NOW, meters=(credits_("1", "usd"), credits_("2", "cny")))
    assert [m.meter for m in both.meters] == ["usd", "cny"]


def test_naive_times_are_refused_everywhere() -> None:
    with pytest.raises(ValueError, match="at must be an aware datetime"):
        Reading(key="studio", at=NAIVE, meters=(credits_("1"),))
    with pytest.raises(ValueError, match="at must be an aware datetime"):
        Failure(key="studio", at=NAIVE, reason=Reason.TIMEOUT)
    with pytest.raises(ValueError, match="expires_at must be an aware datetime"):
        MeterReading(unit="USD", balance=Decimal(1), expires_at=NAIVE)


def test_values_cannot_be_changed() -> None:
    with pytest.raises(FrozenInstanceError):
        credits_("1").balance = Decimal(2)  # type: ignore[misc]  # that it fails is the point


def test_severities_are_ordered() -> None:
    assert sorted(Severity, key=lambda s: s.rank) == [
        Severity.INFO,
        Severity.WARNING,
        Severity.CRITICAL,
    ]


PASSES_BY_ITSELF = {
    Reason.RATE_LIMITED,
    Reason.MAINTENANCE,
    Reason.BAD_RESPONSE,
    Reason.TIMEOUT,
    Reason.CONNECTION,
    Reason.TLS,
    Reason.SERVER_ERROR,
}


@pytest.mark.parametrize("reason", list(Reason), ids=str)
def test_every_reason_is_either_for_a_person_or_passes_by_itself(reason: Reason) -> None:
    assert reason.needs_person is (reason not in PASSES_BY_ITSELF)


@pytest.mark.parametrize(
    ("subject", "identity", "label"),
    [
        pytest.param(Subject("kie", "", "studio"), "key:studio", "studio", id="a key"),
        pytest.param(
            Subject("kie", "main", "studio"),
            "key:studio",
            "studio",
            id="a key keeps its identity when it moves to an account",
        ),
        pytest.param(Subject("kie", "main"), "account:kie/main", "account main", id="an account"),
        pytest.param(Subject("kie"), "provider:kie", "provider kie", id="a provider"),
    ],
)
def test_subjects_have_a_stable_identity_and_a_name(
    subject: Subject, identity: str, label: str
) -> None:
    assert (subject.id, subject.label) == (identity, label)


def test_equal_account_names_of_two_providers_are_two_balances() -> None:
    assert Subject("kie", "main").id != Subject("openrouter", "main").id


@pytest.mark.parametrize(
    ("meter", "expected"),
    [("", "studio"), ("balance", "studio"), ("kling:anna", "studio (kling:anna)")],
    ids=["its health", "its only meter", "one of several meters"],
)
def test_an_alert_is_called_after_its_key_and_meter(meter: str, expected: str) -> None:
    assert recorded.alert(meter=meter).label == expected
    assert recorded.event(meter=meter).label == expected
