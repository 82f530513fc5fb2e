"""The geometry of a chart."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from monitor.core.model import Outage, Reason, Sample
from monitor.web.chart import HEIGHT, WIDTH, Chart, draw

UNTIL = datetime(2026, 5, 2, tzinfo=UTC)
SINCE = UNTIL - timedelta(days=1)
MINUTE = timedelta(minutes=1)


def sample(hour: float, balance: str | None, length: float = 0) -> Sample:
    at = SINCE + timedelta(hours=hour)
    amount = None if balance is None else Decimal(balance)
    until = at + timedelta(hours=length)
    return Sample(key="k", meter="balance", at=at, until=until, balance=amount)


def chart(
    *samples: Sample, outages: tuple[Outage, ...] = (), thresholds: dict[str, str] | None = None
) -> Chart:
    drawn = draw(
        samples,
        outages,
        since=SINCE,
        until=UNTIL,
        interval=MINUTE,
        thresholds=[(name, Decimal(amount)) for name, amount in (thresholds or {}).items()],
    )
    assert drawn is not None
    return drawn


def test_a_run_of_equal_balances_is_a_level_line() -> None:
    assert chart(sample(0, "50", 24)).line == "M0 0L720 0"


def test_half_of_the_range_is_half_of_the_height() -> None:
    drawn = chart(sample(0, "100", 12), sample(12, "50", 12))
    assert drawn.line == f"M0 0L{WIDTH / 2:g} 0 {WIDTH / 2:g} {HEIGHT / 2:g} {WIDTH} {HEIGHT / 2:g}"
    assert [drawn.top, drawn.middle, drawn.bottom] == [Decimal(100), Decimal(50), Decimal(0)]


def test_the_line_is_broken_off_where_readings_are_missing() -> None:
    assert chart(sample(0, "50", 6), sample(12, "50", 6)).line.count("M") == 2


def test_the_line_goes_on_over_a_short_gap() -> None:
    assert chart(sample(0, "50", 6), sample(6.2, "40", 6)).line.count("M") == 1


def test_no_cap_breaks_the_line_and_is_no_amount() -> None:
    assert chart(sample(0, "50", 6), sample(6, None, 6), sample(12, "50", 6)).line.count("M") == 2


@pytest.mark.parametrize(
    "samples",
    [
        pytest.param((), id="no samples"),
        pytest.param((sample(0, None, 3),), id="no amounts"),
    ],
)
def test_without_amounts_there_is_no_chart(samples: tuple[Sample, ...]) -> None:
    assert draw(samples, (), since=SINCE, until=UNTIL, interval=MINUTE) is None


def test_a_span_of_nothing_has_no_chart() -> None:
    assert draw([sample(0, "1")], (), since=UNTIL, until=UNTIL, interval=MINUTE) is None


def test_one_reading_is_a_dot() -> None:
    assert chart(sample(12, "50")).line == "M360 0L360 0"


def test_what_lies_outside_of_the_time_is_cut() -> None:
    assert chart(sample(-5, "50", 50)).line == "M0 0L720 0"


@pytest.mark.parametrize(
    ("balance", "top", "bottom"),
    [
        pytest.param("2600", "3000", "0", id="up to the next round amount"),
        pytest.param("0.9", "1", "0", id="below one"),
        pytest.param("0.00042", "0.0005", "0", id="far below one"),
        pytest.param("0", "1", "0", id="nothing at all"),
        pytest.param("-12", "0", "-15", id="overdrawn"),
        pytest.param("1E+20", "1E+20", "0", id="huge"),
    ],
)
def test_the_scale_has_round_ends_and_holds_zero(balance: str, top: str, bottom: str) -> None:
    drawn = chart(sample(0, balance, 1))
    assert (drawn.top, drawn.bottom) == (Decimal(top), Decimal(bottom))


def test_outages_are_shaded_and_never_too_thin_to_see() -> None:
    at = SINCE + timedelta(hours=12)
    short = Outage(key="k", at=at, until=at, reason=Reason.TIMEOUT)
    long = Outage(key="k", at=at, until=UNTIL, reason=Reason.TIMEOUT)
    assert chart(sample(0, "1"), outages=(short, long)).gaps == ((360, 1), (360, 360))


def test_thresholds_within_the_range_are_drawn() -> None:
    drawn = chart(sample(0, "100", 1), thresholds={"warning": "50", "critical": "5000"})
    assert [(limit.severity, limit.y) for limit in drawn.limits] == [("warning", 100)]


def test_a_year_of_minutes_stays_a_small_path_and_keeps_its_extremes() -> None:
    samples = [sample(n / 60, "1" if n == 700 else "99" if n == 900 else "50") for n in range(1440)]
    many = [s for s in samples for _ in range(20)]
    drawn = chart(*many)
    assert drawn.line.count(" ") <= 4 * (WIDTH + 1) * 2
    assert "198" in drawn.line  # 1 of 100
    assert " 2 " in drawn.line  # 99 of 100
