"""How long a forecast speaks for a balance that goes on falling, and what people are told of it."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from monitor.core.forecast import Forecast, Runway
from monitor.core.projection import LONGEST, Outlook, Projection, outlook, rounded, runs_out

MADE = datetime(2026, 5, 1, 12, tzinfo=UTC)


def made(runway: Runway | None, burn: float = 5.0) -> Projection:
    """A forecast for a balance of 1,000."""
    forecast = Forecast(burn_per_hour=burn, expected_per_hour=5.0, runway=runway)
    return Projection(MADE, 1000.0, forecast)


PROJECTION = made(Runway(150.0, 200.0, 260.0))


@pytest.mark.parametrize(
    ("minutes", "balance", "holds"),
    [
        pytest.param(5, 999.5, True, id="while the balance falls as slowly as it did"),
        pytest.param(5, 992.0, False, id="not after a fall that would leave nothing in a day"),
        pytest.param(5, 1001.0, False, id="not after a top-up"),
        pytest.param(10, 1000.0, False, id="not after ten minutes"),
        pytest.param(-1, 1000.0, False, id="not if the clock was set back"),
    ],
)
def test_a_forecast_holds(minutes: int, balance: float, holds: bool) -> None:  # noqa: FBT001 - a table's column
    assert PROJECTION.holds(MADE + timedelta(minutes=minutes), balance) is holds


def test_the_runway_shrinks_with_the_balance() -> None:
    left = PROJECTION.runway(500.0)
    assert left == Runway(75.0, 100.0, 130.0)


def test_people_are_told_moments_and_a_round_burn() -> None:
    assert outlook(made(Runway(20.0, 48.0, 100.0), burn=12.3456), Decimal(500), MADE) == Outlook(
        is_known=True,
        burn=Decimal("12.3"),
        runs_out_at=MADE + timedelta(hours=24),
        earliest=MADE + timedelta(hours=10),
        latest=MADE + timedelta(hours=50),
    )


YEARS = LONGEST / timedelta(hours=1)


@pytest.mark.parametrize(
    ("runway", "shown", "latest"),
    [
        pytest.param(None, "", None, id="too little history"),
        pytest.param(Runway(1.0, 76.0, 90.0), "in 3 d 4 h", timedelta(hours=90), id="in some days"),
        pytest.param(Runway(0.0, 0.0, 1.0), "any time now", timedelta(hours=1), id="no time left"),
        pytest.param(Runway(1.0, 2.0, YEARS + 1), "in 2 h", None, id="an end beyond ten years"),
        pytest.param(Runway(1.0, 2.0, YEARS), "in 2 h", LONGEST, id="an end in ten years"),
        pytest.param(Runway(9.0, math.inf, math.inf), "not in years", None, id="hardly used"),
    ],
)
def test_how_long_it_lasts_is_told_shortly(
    runway: Runway | None, shown: str, latest: timedelta | None
) -> None:
    ahead = outlook(made(runway), Decimal(1000), MADE)
    assert runs_out(ahead, MADE) == shown
    assert ahead.latest == (None if latest is None else MADE + latest)


def test_without_forecast_or_balance_nothing_is_foretold() -> None:
    assert outlook(None, Decimal(1), MADE) == Outlook()
    assert outlook(PROJECTION, None, MADE) == Outlook()
    assert runs_out(Outlook(), MADE) == ""


@pytest.mark.parametrize(
    ("estimate", "shown"),
    [(1234.56, Decimal(1230)), (0.0, Decimal(0)), (None, None), (math.inf, None), (math.nan, None)],
)
def test_an_estimate_has_three_digits_or_is_none(
    estimate: float | None, shown: Decimal | None
) -> None:
    assert rounded(estimate) == shown
