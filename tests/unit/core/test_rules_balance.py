"""The rules about a balance: a table of situations each, one sentence per row."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from pydantic import ValidationError

from monitor.core.ledger import Movement, advance, open_ledger
from monitor.core.model import MeterReading, Severity
from monitor.core.rules import Exhausted, LowBalance, MeterView, State, ToppedUp, Verdict

NOW = datetime(2026, 11, 1, 12, tzinfo=UTC)

CRITICAL, WARNING, INFO = Severity.CRITICAL, Severity.WARNING, Severity.INFO

AMOUNTS = {"warning": 2000, "critical": 500}
SHARES: dict[str, Any] = {}


def view(
    balance: str | None,
    *,
    reference: str = "10000",
    firing: Severity | None = None,
    movement: Movement | None = None,
) -> MeterView:
    amount = None if balance is None else Decimal(balance)
    return MeterView(
        reading=MeterReading(unit="credits", balance=amount),
        at=NOW,
        ledger=open_ledger(NOW, Decimal(reference), "credits"),
        movement=movement,
        firing=firing,
        top_up_url="https://example.com/top-up",
    )


def says(verdict: Verdict) -> Severity | str:
    return verdict.severity if verdict.severity is not None else str(verdict.state)


@pytest.mark.parametrize(
    ("rule", "balance", "reference", "firing", "expected"),
    [
        pytest.param(AMOUNTS, "2000", "1", None, "ok", id="at the amount is not below it"),
        pytest.param(AMOUNTS, "1999.99", "1", None, WARNING, id="below the amount is a warning"),
        pytest.param(AMOUNTS, "500", "1", None, WARNING, id="at critical it is still a warning"),
        pytest.param(AMOUNTS, "499.9", "1", None, CRITICAL, id="below critical is critical"),
        pytest.param(AMOUNTS, "-20", "1", None, CRITICAL, id="a debt is critical"),
        pytest.param(AMOUNTS, "2100", "1", WARNING, WARNING, id="within the margin it goes on"),
        pytest.param(AMOUNTS, "2200", "1", WARNING, "ok", id="at the end of the margin it ends"),
        pytest.param(AMOUNTS, "540", "1", CRITICAL, CRITICAL, id="critical has its margin too"),
        pytest.param(AMOUNTS, "550", "1", CRITICAL, WARNING, id="past it critical eases"),
        pytest.param(
            AMOUNTS, "540", "1", WARNING, WARNING, id="a warning needs no margin to stay one"
        ),
        pytest.param(
            AMOUNTS, "2100", "1", CRITICAL, WARNING, id="critical eases into warning's margin"
        ),
        pytest.param(AMOUNTS, "2200", "1", CRITICAL, "ok", id="from critical straight to ok"),
        pytest.param(AMOUNTS, None, "1", WARNING, "ok", id="no cap: nothing can be low"),
        pytest.param(SHARES, "2000", "10000", None, "ok", id="a fifth is not below a fifth"),
        pytest.param(SHARES, "1999", "10000", None, WARNING, id="below a fifth is a warning"),
        pytest.param(SHARES, "499", "10000", None, CRITICAL, id="below a twentieth is critical"),
        pytest.param(SHARES, "2150", "10000", WARNING, WARNING, id="the margin of a share"),
        pytest.param(SHARES, "2200", "10000", WARNING, "ok", id="past the margin of a share"),
        pytest.param(SHARES, "0", "0", None, CRITICAL, id="nothing left of nothing is critical"),
        pytest.param(
            SHARES, "0", "0", CRITICAL, CRITICAL, id="paid up to zero is no recovery from a debt"
        ),
        pytest.param(SHARES, "-50", "-50", None, CRITICAL, id="a debt from the first reading on"),
        pytest.param(SHARES, "-10", "-50", CRITICAL, CRITICAL, id="a smaller debt is a debt"),
        pytest.param(SHARES, "3", "3", CRITICAL, "ok", id="a small top-up is a new full level"),
        pytest.param(
            {"warning": 0, "critical": -100}, "0", "100", None, "ok", id="zero is not below zero"
        ),
        pytest.param(
            {"warning": 0, "critical": -100}, "-1", "100", None, WARNING, id="below zero is"
        ),
        pytest.param(
            {"warning": 0, "critical": -100},
            "0.5",
            "100",
            WARNING,
            WARNING,
            id="a limit of zero has a margin as well",
        ),
        pytest.param(
            {"warning": 0, "critical": -100}, "1", "100", WARNING, "ok", id="which ends somewhere"
        ),
        pytest.param(
            {"warning": 0, "critical": -100},
            "-95",
            "100",
            CRITICAL,
            CRITICAL,
            id="the margin of a debt lies above it",
        ),
        pytest.param(
            {"warning": 0, "critical": -100}, "-90", "100", CRITICAL, WARNING, id="and ends there"
        ),
        pytest.param(
            {"warning": "20%", "critical": 5000},
            "4000",
            "10000",
            None,
            CRITICAL,
            id="critical may lie above warning when one is a share: the worse wins",
        ),
        pytest.param(
            {"warning": None, "critical": 500}, "900", "1", None, "ok", id="without a warning"
        ),
        pytest.param(
            {"warning": 500, "critical": None}, "0", "1", None, WARNING, id="never critical"
        ),
        pytest.param({"warning": None, "critical": None}, "-5", "1", None, "ok", id="no limits"),
        pytest.param(
            {**AMOUNTS, "margin": 0}, "2000", "1", WARNING, "ok", id="without a margin, at once"
        ),
    ],
)
def test_low_balance(
    rule: dict[str, Any],
    balance: str | None,
    reference: str,
    firing: Severity | None,
    expected: Severity | str,
) -> None:
    verdict = LowBalance(**rule).judge(view(balance, reference=reference, firing=firing))
    assert says(verdict) == expected


def test_low_balance_tells_the_crossed_limit_and_its_share() -> None:
    facts = LowBalance().judge(view("400")).facts
    assert (facts.balance, facts.unit) == (Decimal(400), "credits")
    assert (facts.threshold, facts.share) == (Decimal(500), Decimal("0.05"))
    assert facts.reference == Decimal(10000)
    assert facts.last_reading_at == NOW
    assert facts.top_up_url == "https://example.com/top-up"


def test_low_balance_ends_with_the_warning_limit_that_was_left() -> None:
    facts = LowBalance().judge(view("9000", firing=CRITICAL)).facts
    assert (facts.balance, facts.threshold) == (Decimal(9000), Decimal(2000))


@pytest.mark.parametrize(
    "settings",
    [
        pytest.param({"warning": 100, "critical": 200}, id="critical above warning as amounts"),
        pytest.param({"warning": "5%", "critical": "20%"}, id="critical above warning as shares"),
        pytest.param({"margin": -0.1}, id="a negative margin"),
        pytest.param({"margin": True}, id="a margin that is a bool"),
        pytest.param({"margin": float("nan")}, id="a margin that is not a number"),
        pytest.param({"margin": "10%"}, id="a margin in percent"),
        pytest.param({"warnings": 100}, id="an unknown field"),
    ],
)
def test_low_balance_refuses(settings: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        LowBalance(**settings)


@pytest.mark.parametrize(
    ("balance", "reference", "firing", "expected"),
    [
        pytest.param("0.01", "1000", None, "ok", id="something is left"),
        pytest.param("0", "1000", None, CRITICAL, id="nothing is left"),
        pytest.param("-7", "1000", None, CRITICAL, id="less than nothing is left"),
        pytest.param("10", "1000", CRITICAL, CRITICAL, id="a refund of crumbs is no recovery"),
        pytest.param("10.01", "1000", CRITICAL, "ok", id="more than crumbs is"),
        pytest.param("3", "3", CRITICAL, "ok", id="a small top-up is"),
        pytest.param("0", "0", None, CRITICAL, id="a first reading of zero"),
        pytest.param("0", "0", CRITICAL, CRITICAL, id="which goes on"),
        pytest.param("-0.01", "-5", CRITICAL, CRITICAL, id="a debt nearly paid is still exhausted"),
        pytest.param(None, "1000", CRITICAL, "ok", id="no cap any more"),
    ],
)
def test_exhausted(
    balance: str | None, reference: str, firing: Severity | None, expected: Severity | str
) -> None:
    assert says(Exhausted().judge(view(balance, reference=reference, firing=firing))) == expected


def moved(before: str, after: str) -> MeterView:
    ledger, movement = advance(
        open_ledger(NOW, Decimal(before), "credits"), NOW + timedelta(minutes=5), Decimal(after)
    )
    assert ledger.balance == Decimal(after)
    return view(after, movement=movement)


@pytest.mark.parametrize(
    ("settings", "before", "after", "expected"),
    [
        pytest.param({}, "100", "600", INFO, id="a payment is told"),
        pytest.param({}, "600", "100", "unknown", id="consumption is not"),
        pytest.param({}, "600", "603", "unknown", id="a crumb is not"),
        pytest.param({}, "600", "600", "unknown", id="no movement is not"),
        pytest.param({"min": 500}, "100", "600", INFO, id="a payment of the least amount is told"),
        pytest.param({"min": 500}, "100", "599", "unknown", id="a smaller payment is not"),
    ],
)
def test_topped_up(
    settings: dict[str, Any], before: str, after: str, expected: Severity | str
) -> None:
    assert says(ToppedUp(**settings).judge(moved(before, after))) == expected


def test_topped_up_tells_what_was_paid_in_and_what_is_there_now() -> None:
    facts = ToppedUp().judge(moved("100", "600")).facts
    assert (facts.amount, facts.balance, facts.unit) == (Decimal(500), Decimal(600), "credits")


def test_topped_up_is_never_ok_so_that_it_ends_nothing() -> None:
    assert ToppedUp().judge(moved("600", "100")).state is State.UNKNOWN
