"""What a picture of a replay shows: one sentence per property of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from monitor.core.model import Sample, Severity
from monitor.core.rules import LowBalance, Rules, Runway
from monitor.drawing import Drawing
from monitor.drawing.items import BAND, COLOURS, CURVE, RISE
from monitor.replay import Episode, ForecastLine, Replay, Sighting, Wanted, episodes
from monitor.replay.picture import WIDTH, Judged, Panel, picture
from monitor.world import WatchedKey

START = datetime(2026, 5, 1, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
KEY = WatchedKey(name="studio", provider="samples", interval=timedelta(minutes=5), rules=Rules())


def panel(balances: Sequence[int | None], every: timedelta = HOUR) -> Panel:
    """What a replay of *balances* shows; the rules are the usual ones."""
    seen = [
        Sighting(START + every * n, "studio", "balance", None if b is None else Decimal(b))
        for n, b in enumerate(balances)
    ]
    replay = Replay(lambda _: (KEY,), Wanted())
    lines = [line for one in seen for line in replay.feed(one)]
    samples = [
        Sample(key="studio", meter="balance", at=s.at, until=s.at, balance=s.balance) for s in seen
    ]
    return Panel(
        name="studio",
        unit="credits",
        samples=samples,
        forecasts=[line for line in lines if isinstance(line, ForecastLine)],
        judged=[Judged(name="config.yaml", rules=KEY.rules, episodes=episodes(lines))],
        longest_gap=3 * HOUR,
    )


def episode(rule: str, since: float, until: float | None = None) -> Episode:
    """A warning from so many hours after the start on."""
    return Episode(
        key="studio",
        meter="balance",
        rule=rule,
        severity=Severity.WARNING,
        since=START + since * HOUR,
        until=None if until is None else START + until * HOUR,
        alert_id=len(rule) * 100 + round(since),
    )


FALLING = panel([5000 - 50 * n for n in range(96)])
REFILLED = panel([*range(1000, 0, -50), *range(5000, 4000, -50)])


def texts(drawing: Drawing) -> list[str]:
    return [item.text for item in drawing.items if item.kind == "text"]


def test_the_meter_its_last_balance_and_each_rule_with_its_alerts_are_named() -> None:
    twice = [episode("runway", 3, 5), episode("runway", 7), episode("silent", 9)]
    judged = replace(FALLING.judged[0], episodes=twice)
    shown = texts(picture([replace(FALLING, judged=[judged])]))
    assert shown[0] == "studio"
    assert any("last: 250 credits" in text for text in shown)
    assert {"config.yaml: 3 alerts", "runway 2", "silent 1"} <= set(shown)


def test_the_forecast_has_a_band_a_line_and_the_limits_of_its_rule() -> None:
    items = picture([FALLING]).items
    assert len([item for item in items if item.colour == BAND]) == 1
    assert len([item for item in items if item.kind == "line" and item.colour == CURVE]) == 2
    assert {"3 d", "1 d"} <= set(texts(picture([FALLING])))


def test_without_forecasts_there_is_no_place_for_them() -> None:
    bare = replace(FALLING, forecasts=[])
    assert "runs out in" not in texts(picture([bare]))
    assert picture([bare]).height < picture([FALLING]).height


def test_a_top_up_is_marked_with_its_amount_and_as_an_event() -> None:
    drawing = picture([REFILLED])
    assert "+4,950" in texts(drawing)
    assert len([i for i in drawing.items if i.kind == "area" and i.colour == RISE]) == 2


def bars(drawing: Drawing, severity: Severity) -> list[tuple[float, float]]:
    """From where to where alerts of *severity* are drawn."""
    return [
        (item.points[0][0], item.points[1][0])
        for item in drawing.items
        if item.kind == "area" and item.colour == COLOURS[severity]
    ]


def test_an_alert_is_a_bar_from_its_begin_to_its_end_or_to_the_edge() -> None:
    both = [episode("runway", 40, 50), episode("spike", 40)]
    judged = replace(FALLING.judged[0], episodes=both)
    found = sorted(bars(picture([replace(FALLING, judged=[judged])]), Severity.WARNING))
    assert found[0][0] == found[1][0]
    assert found[0][1] < found[1][1] == 1170


def test_what_nobody_is_told_of_is_pale() -> None:
    judged = FALLING.judged[0]
    quiet = replace(judged, episodes=[replace(e, told=False) for e in judged.episodes])
    drawing = picture([replace(FALLING, judged=[quiet])])
    assert not bars(drawing, Severity.WARNING)
    assert "config.yaml: 0 alerts" in texts(drawing)


def test_two_configurations_stand_one_below_the_other() -> None:
    calm = Rules(low_balance=LowBalance(), runway=Runway(warning=timedelta(hours=6), critical=None))
    ours = replace(FALLING.judged[0], episodes=[episode("runway", 3), episode("spike", 4)])
    other = Judged(name="calm.yaml", rules=calm, episodes=[episode("spike", 4)])
    shown = texts(picture([replace(FALLING, judged=[ours, other])]))
    assert shown.index("config.yaml: 2 alerts") < shown.index("calm.yaml: 1 alert")


@pytest.mark.parametrize(
    "panels",
    [
        pytest.param([FALLING, REFILLED], id="two meters"),
        pytest.param([panel([7])], id="one reading"),
        pytest.param([panel([0, 0, 0])], id="nothing but zero"),
        pytest.param([panel([5, -20, -300])], id="a debt"),
        pytest.param([panel([5, None, 4])], id="no cap in between"),
        pytest.param([panel([100] * 48)], id="nothing used"),
        pytest.param([replace(FALLING, judged=[])], id="nobody judged"),
        pytest.param([replace(FALLING, name="n" * 200)], id="a long name"),
    ],
)
def test_everything_lies_within_the_picture(panels: list[Panel]) -> None:
    drawing = picture(panels)
    places = [point for item in drawing.items for point in item.points]
    assert all(0 <= x <= WIDTH and 0 <= y <= drawing.height for x, y in places)


def test_a_year_is_drawn_with_no_more_than_can_be_seen() -> None:
    minutes = timedelta(minutes=5)
    samples = [
        Sample(
            key="a", meter="b", at=START + minutes * n, until=START + minutes * n,
            balance=Decimal(n % 997),
        )
        for n in range(105_120)
    ]  # fmt: skip
    year = replace(FALLING, samples=samples, forecasts=[], judged=[])
    assert sum(len(item.points) for item in picture([year]).items) < 10_000
