"""The rules that look ahead: a table of situations each, one sentence per row."""

from __future__ import annotations

import math
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from pydantic import ValidationError

from monitor.core.forecast import Forecast, Usual
from monitor.core.forecast import Runway as Hours
from monitor.core.ledger import open_ledger
from monitor.core.model import MeterReading, Severity
from monitor.core.projection import Projection
from monitor.core.rules import (
    BeforeTopUp,
    Expiring,
    MeterView,
    OverdueTopUp,
    Runway,
    Spike,
    Verdict,
)
from monitor.core.rules.before_top_up import next_top_up

NOW = datetime(2026, 11, 1, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
CRITICAL, WARNING = Severity.CRITICAL, Severity.WARNING


def view(
    *,
    balance: str | None = "1000",
    hours: float | None = None,
    burn: float = 0.0,
    firing: Severity | None = None,
    **more: Any,
) -> MeterView:
    """A balance that lasts *hours* for sure (None: not known), used at *burn* per hour."""
    runway = None if hours is None else Hours(hours, hours, hours)
    made = Forecast(burn_per_hour=burn, expected_per_hour=burn, runway=runway)
    amount = None if balance is None else Decimal(balance)
    projection = Projection(NOW, float(amount or 0), made)
    values: dict[str, Any] = {
        "reading": MeterReading(unit="credits", balance=amount),
        "ledger": open_ledger(NOW, Decimal(1000), "credits"),
        "movement": None,
        "projection": projection,
    }
    return MeterView(at=NOW, firing=firing, **(values | more))


def says(verdict: Verdict) -> Severity | str:
    return verdict.severity if verdict.severity is not None else str(verdict.state)


@pytest.mark.parametrize(
    ("balance", "hours", "firing", "expected"),
    [
        pytest.param("1000", None, None, "unknown", id="without enough history nobody knows"),
        pytest.param("1000", None, WARNING, "unknown", id="and an alert stays as it is"),
        pytest.param("1000", math.inf, None, "ok", id="what is not used never runs out"),
        pytest.param("1000", 72, None, "ok", id="three days are not less than three days"),
        pytest.param("1000", 71, None, WARNING, id="less than three days is a warning"),
        pytest.param("1000", 24, None, WARNING, id="a day is not less than a day"),
        pytest.param("1000", 23, None, CRITICAL, id="less than a day is critical"),
        pytest.param("1000", 90, WARNING, WARNING, id="within the margin it goes on"),
        pytest.param("1000", 94, WARNING, "ok", id="past the margin it ends"),
        pytest.param("1000", 30, CRITICAL, CRITICAL, id="critical has its margin too"),
        pytest.param("1000", 32, CRITICAL, WARNING, id="past it critical eases"),
        pytest.param("1000", 30, WARNING, WARNING, id="a warning needs no margin to stay one"),
        pytest.param(None, None, WARNING, "ok", id="no cap: nothing runs out"),
    ],
)
def test_runway_says(
    balance: str | None, hours: float | None, firing: Severity | None, expected: str
) -> None:
    assert says(Runway().judge(view(balance=balance, hours=hours, firing=firing))) == expected


def test_the_runway_that_is_judged_lies_somewhat_before_the_median() -> None:
    made = Forecast(burn_per_hour=1.0, expected_per_hour=1.0, runway=Hours(40, 75, 200))
    wide = view(projection=Projection(NOW, 1000.0, made))
    assert says(Runway().judge(wide)) == WARNING


def test_a_limit_that_is_null_is_never_reached() -> None:
    assert says(Runway(warning=None).judge(view(hours=48))) == "ok"
    assert says(Runway(critical=None).judge(view(hours=1))) == WARNING


@pytest.mark.parametrize("rule", [Runway, Expiring])
def test_a_critical_limit_longer_than_that_of_a_warning_is_refused(rule: Any) -> None:
    with pytest.raises(ValidationError, match="must not be longer"):
        rule.model_validate({"warning": "1h", "critical": "2h"})


def usual(factor: float, surprise: float, burn: float = 100.0) -> Usual:
    return Usual(
        window=timedelta(minutes=15),
        burn_per_hour=burn,
        normal_per_hour=0.0 if math.isinf(factor) else burn / factor,
        limit_per_hour=burn / surprise,
        factor=factor,
        surprise=surprise,
    )


@pytest.mark.parametrize(
    ("seen", "firing", "expected"),
    [
        pytest.param(None, None, "unknown", id="without a normal there is nothing to compare"),
        pytest.param(usual(8, 2), None, WARNING, id="far above normal and above its own limit"),
        pytest.param(usual(8, 0.9), None, "ok", id="far above normal, as this meter often is"),
        pytest.param(usual(2.5, 2), None, WARNING, id="a steady meter is believed at half of it"),
        pytest.param(usual(1.9, 2), None, "ok", id="but not at less"),
        pytest.param(usual(1.5, 0.75), WARNING, WARNING, id="a little less does not end it"),
        pytest.param(usual(8, 0.6), WARNING, WARNING, id="nor does a little less beyond the limit"),
        pytest.param(usual(8, 0.45), WARNING, "ok", id="half of the limit does"),
        pytest.param(usual(1.3, 2), WARNING, "ok", id="and so does a burn close to normal"),
        pytest.param(usual(8, 2, burn=400), None, CRITICAL, id="gone within hours is critical"),
        pytest.param(usual(8, 2), CRITICAL, CRITICAL, id="and stays so"),
        pytest.param(usual(math.inf, 9, burn=6), None, "ok", id="a first use of crumbs is none"),
        pytest.param(usual(math.inf, 9, burn=60), None, WARNING, id="an idle meter that drains"),
    ],
)
def test_spike_says(seen: Usual | None, firing: Severity | None, expected: str) -> None:
    assert says(Spike().judge(view(usual=seen, firing=firing))) == expected


def test_a_spike_tells_what_is_used_beside_the_normal() -> None:
    facts = Spike().judge(view(usual=usual(8, 2))).facts
    assert (facts.burn, facts.usual, facts.factor) == (Decimal(100), Decimal("12.5"), Decimal(8))


@pytest.mark.parametrize(
    ("balance", "left", "burn", "firing", "expected"),
    [
        pytest.param("1000", None, 0, None, "ok", id="what does not expire"),
        pytest.param("1000", 8 * DAY, 0, None, "ok", id="what expires in more than a week"),
        pytest.param("1000", 6 * DAY, 0, None, WARNING, id="within a week"),
        pytest.param("1000", 23 * HOUR, 0, None, CRITICAL, id="within a day"),
        pytest.param("1000", -HOUR, 0, None, CRITICAL, id="what has expired is told as well"),
        pytest.param("1000", 6 * DAY, 10, None, "ok", id="nothing will be left of it"),
        pytest.param("1000", 6 * DAY, 5, None, WARNING, id="some will be left of it"),
        pytest.param("1000", 6 * DAY, 10, WARNING, WARNING, id="told is told, until it is used up"),
        pytest.param("0", 6 * DAY, 0, WARNING, "ok", id="when it is used up nothing is lost"),
        pytest.param("1000", 8 * DAY, 0, WARNING, "ok", id="renewed in time"),
        pytest.param(None, HOUR, 0, None, CRITICAL, id="a session has no amount, and ends"),
    ],
)
def test_expiring_says(
    balance: str | None,
    left: timedelta | None,
    burn: float,
    firing: Severity | None,
    expected: str,
) -> None:
    reading = MeterReading(
        unit="credits",
        balance=None if balance is None else Decimal(balance),
        expires_at=None if left is None else NOW + left,
    )
    seen = view(balance=balance, burn=burn, reading=reading, firing=firing)
    assert says(Expiring().judge(seen)) == expected


def test_expiring_tells_what_will_be_left() -> None:
    reading = MeterReading(unit="credits", balance=Decimal(1000), expires_at=NOW + 6 * DAY)
    facts = Expiring().judge(view(burn=5, reading=reading)).facts
    assert (facts.unused, facts.expires_at) == (Decimal(280), NOW + 6 * DAY)


OVERDUE = OverdueTopUp(below=Decimal(100), after=HOUR)


@pytest.mark.parametrize(
    ("low_for", "firing", "expected"),
    [
        pytest.param(None, None, "ok", id="not low"),
        pytest.param(30, None, "unknown", id="low for less than it may take"),
        pytest.param(60, None, WARNING, id="low for as long as it may take"),
        pytest.param(5, WARNING, WARNING, id="a restart does not end it"),
        pytest.param(None, WARNING, "ok", id="no longer low"),
    ],
)
def test_overdue_top_up_says(low_for: int | None, firing: Severity | None, expected: str) -> None:
    since = None if low_for is None else NOW - timedelta(minutes=low_for)
    assert says(OVERDUE.judge(view(balance="50", low_since=since, firing=firing))) == expected


@pytest.mark.parametrize(
    ("balance", "firing", "expected"),
    [
        pytest.param("100", False, False, id="at the level nothing is due"),
        pytest.param("99", False, True, id="below it a top-up is due"),
        pytest.param("105", True, True, id="a refund is no top-up"),
        pytest.param("110", True, False, id="a tenth more is"),
        pytest.param(None, False, False, id="no cap"),
    ],
)
def test_a_top_up_is_due(balance: str | None, firing: bool, expected: bool) -> None:  # noqa: FBT001 - a table
    assert OVERDUE.is_low(view(balance=balance), firing=firing) is expected


WEEKLY = tuple(NOW - n * 7 * DAY + DAY for n in (4, 3, 2, 1))
"""The next one is due in a day."""


@pytest.mark.parametrize(
    ("times", "due"),
    [
        pytest.param(WEEKLY, NOW + DAY, id="every week"),
        pytest.param(WEEKLY[1:], None, id="three are too few"),
        pytest.param((*WEEKLY[:3], WEEKLY[3] + 3 * DAY), None, id="at no regular times"),
        pytest.param([NOW - n * HOUR for n in (4, 3, 2, 1)], None, id="by the hour"),
        pytest.param((), None, id="never"),
    ],
)
def test_the_next_top_up(times: tuple[datetime, ...], due: datetime | None) -> None:
    assert next_top_up(times) == due


@pytest.mark.parametrize(
    ("hours", "firing", "expected"),
    [
        pytest.param(20, None, WARNING, id="it runs out before"),
        pytest.param(23, None, "ok", id="a little before is no warning"),
        pytest.param(100, None, "ok", id="it lasts longer"),
        pytest.param(28, WARNING, WARNING, id="a little longer does not end it"),
        pytest.param(32, WARNING, "ok", id="clearly longer does"),
        pytest.param(None, None, "unknown", id="not enough history"),
    ],
)
def test_before_top_up_says(hours: float | None, firing: Severity | None, expected: str) -> None:
    ledger = replace(open_ledger(NOW, Decimal(1000), "credits"), top_ups=WEEKLY)
    weekly = view(hours=hours, firing=firing, ledger=ledger)
    assert says(BeforeTopUp().judge(weekly)) == expected


def test_after_a_top_up_the_warning_about_it_is_over() -> None:
    assert says(BeforeTopUp().judge(view(hours=20, firing=WARNING))) == "ok"
