"""What a chart shows: one sentence per property of the layout."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest
from support.charts import UNTIL, chart, sample

from monitor.core.charts import AHEAD_SHARE, Chart
from monitor.core.model import Severity
from monitor.core.projection import Outlook
from monitor.delivery.charts import HEIGHT, WIDTH, layout
from monitor.drawing import Item

CURVE = "#2563eb"
BAND = "#e9d5ff"


def texts(told: Chart) -> list[str]:
    return [item.text for item in layout(told) if item.kind == "text"]


def curves(told: Chart) -> list[Item]:
    return [item for item in layout(told) if item.kind == "line" and item.colour == CURVE]


def test_the_heading_says_whose_balance_it_is_and_how_much_is_left() -> None:
    assert "studio: 412 credits" in texts(chart())


def test_the_end_is_given_in_the_zone_of_the_chart() -> None:
    assert "2026-05-01 14:00 CEST" in texts(chart(timezone=ZoneInfo("Europe/Berlin")))


def test_thresholds_are_named_with_their_amount() -> None:
    assert {"warning 2,000", "critical 500"} <= set(texts(chart()))


def test_thresholds_lie_within_the_picture_even_far_above_the_balance() -> None:
    told = chart(sample(2, "3", 2), thresholds=((Severity.WARNING, Decimal(100_000)),))
    assert "100,000" in texts(told)


def test_a_large_rise_is_marked_with_its_amount() -> None:
    told = chart(sample(48, "100", 20), sample(20, "10100", 20))
    assert "+10,000" in texts(told)


def test_a_small_rise_is_not_marked() -> None:
    told = chart(sample(48, "9000", 20), sample(20, "9100", 20))
    assert not [text for text in texts(told) if text.startswith("+")]


def test_the_line_breaks_off_where_readings_are_missing() -> None:
    assert len(curves(chart(sample(48, "9", 1), sample(40, "8", 40)))) == 2
    assert len(curves(chart(sample(48, "9", 1), sample(47, "8", 47)))) == 1


def test_days_are_those_of_the_zone() -> None:
    told = chart(timezone=ZoneInfo("Europe/Berlin"), since=UNTIL - timedelta(days=6))
    assert {"26 Apr", "30 Apr"} <= set(texts(told))


def test_hours_are_those_of_the_zone() -> None:
    told = chart(
        sample(3, "9", 3), timezone=ZoneInfo("Europe/Berlin"), since=UNTIL - timedelta(hours=3)
    )
    assert {"12:00", "13:00"} <= set(texts(told))


def test_large_amounts_have_short_labels() -> None:
    assert "15M" in texts(chart(sample(48, "14000000", 48)))


@pytest.mark.parametrize(
    "told",
    [
        pytest.param(chart(), id="usual"),
        pytest.param(chart(sample(48, "-5", 24), sample(24, "-300", 24)), id="overdrawn"),
        pytest.param(chart(sample(48, "0", 48), thresholds=()), id="nothing but zero"),
        pytest.param(chart(sample(500, "7", 500)), id="older than the picture"),
        pytest.param(chart(sample(1, "1", 0), name="n" * 63), id="one reading, a long name"),
        pytest.param(chart(sample(48, "1e12"), sample(1, "0.00000001")), id="extremes"),
    ],
)
def test_everything_lies_within_the_picture(told: Chart) -> None:
    places = [point for item in layout(told) for point in item.points]
    assert places
    assert all(0 <= x <= WIDTH and 0 <= y <= HEIGHT for x, y in places)


@pytest.mark.parametrize(
    "told",
    [
        pytest.param(chart(sample(3, None, 3)), id="no cap"),
        pytest.param(chart(since=UNTIL), id="no time"),
    ],
)
def test_without_amounts_or_time_there_is_nothing_to_draw(told: Chart) -> None:
    assert layout(told) == []


COMING = Outlook(
    is_known=True,
    runs_out_at=UNTIL + timedelta(hours=8),
    earliest=UNTIL + timedelta(hours=5),
    latest=UNTIL + timedelta(hours=12),
)


def test_what_lies_ahead_is_drawn_to_where_the_balance_runs_out() -> None:
    told = chart(ahead=COMING)
    assert told.end == COMING.latest
    band = next(i for i in layout(told) if i.colour == BAND)
    ground = max(y for _, y in band.points)
    at_ground = [x for x, y in band.points if y == ground]
    assert len(at_ground) == 2
    assert max(at_ground) == 870


@pytest.mark.parametrize(
    ("ahead", "length"),
    [
        pytest.param(Outlook(), 0.0, id="nothing is known"),
        pytest.param(replace(COMING, runs_out_at=UNTIL), 0.0, id="it is empty already"),
        pytest.param(
            replace(COMING, runs_out_at=UNTIL + timedelta(days=90), latest=None),
            AHEAD_SHARE,
            id="far away the picture ends before",
        ),
    ],
)
def test_the_picture_shows_no_more_of_the_future_than_there_is_to_see(
    ahead: Outlook, length: float
) -> None:
    told = chart(ahead=ahead)
    assert (told.end - told.until) / (told.until - told.since) == pytest.approx(length)
    assert any(i.colour == BAND for i in layout(told)) is bool(length)
