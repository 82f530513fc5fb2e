"""How long a forecast speaks for a balance that goes on falling."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from monitor.core.forecast import Forecast, Runway
from monitor.core.projection import Projection

MADE = datetime(2026, 5, 1, 12, tzinfo=UTC)
PROJECTION = Projection(
    MADE,
    1000.0,
    Forecast(burn_per_hour=5.0, expected_per_hour=5.0, runway=Runway(150.0, 200.0, 260.0)),
)


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
