"""Charts of a message from a real store."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from support.scene import MINUTE, NOW, Scene

from monitor.core.events import Change, Event, Facts, Why
from monitor.core.model import Severity, Subject
from monitor.illustrations import MOST_CHARTS, SHOWN, read_charts, sketches
from monitor.store import open_store
from monitor.world import WatchedKey


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[Scene]:
    store = open_store(f"sqlite:///{tmp_path}/store.db", lock=True)
    yield Scene(store)
    store.close()


def about(subject: Subject, severity: Severity = Severity.CRITICAL) -> Event:
    return Event(
        id=1,
        alert_id=1,
        subject=subject,
        meter="balance",
        rule="low_balance",
        change=Change.FIRED,
        why=Why.NEW,
        told=True,
        severity=severity,
        at=NOW,
        opened_at=NOW,
        facts=Facts(balance=Decimal(40), unit="credits"),
    )


def names(scene: Scene, *events: Event) -> list[str]:
    return [
        chart.name for chart in read_charts(scene.store, sketches(events, scene.world), NOW, UTC)
    ]


def test_a_low_balance_comes_with_its_last_days_and_thresholds(scene: Scene) -> None:
    key = scene.key("studio", 1000, 500, 40)
    [chart] = read_charts(scene.store, sketches([about(key.subject)], scene.world), NOW, UTC)
    assert (chart.name, chart.unit, chart.last) == ("studio", "credits", Decimal(40))
    assert [sample.balance for sample in chart.samples] == [1000, 500, 40]
    assert dict(chart.thresholds) == {Severity.WARNING: 200, Severity.CRITICAL: 50}
    assert chart.longest_gap == 3 * MINUTE
    assert chart.until == NOW


def test_a_chart_begins_with_the_first_reading_but_is_an_hour_long_at_least(scene: Scene) -> None:
    young = scene.key("young", 10, 9)
    old = scene.key("old", *range(300, 100, -1), every=timedelta(hours=1))
    charts = read_charts(
        scene.store, sketches([about(young.subject), about(old.subject)], scene.world), NOW, UTC
    )
    assert NOW - charts[0].since == timedelta(hours=1)
    assert SHOWN - timedelta(hours=1) < NOW - charts[1].since <= SHOWN


def test_an_account_is_charted_through_one_of_its_keys(scene: Scene) -> None:
    scene.key("first", account="team")
    second = scene.key("second", 10, 9, account="team")
    assert names(scene, about(second.balance_subject)) == ["account team"]


WITHOUT = {
    "a key that left the configuration": lambda key: about(Subject("kie", "", "gone")),
    "a provider": lambda key: about(Subject("kie")),
    "an event without a balance": lambda key: replace(about(key.subject), facts=Facts()),
    "the health of a key": lambda key: replace(about(key.subject), meter=""),
}


@pytest.mark.parametrize("event", WITHOUT.values(), ids=WITHOUT)
def test_there_is_no_chart_of(event: object, scene: Scene) -> None:
    key: WatchedKey = scene.key("studio", 10, 9)
    assert names(scene, event(key)) == []  # type: ignore[operator]  # a row of the table


def test_a_key_without_readings_has_no_chart(scene: Scene) -> None:
    key = scene.key("new")
    assert names(scene, about(key.subject)) == []


def test_the_worst_come_first_and_there_are_few(scene: Scene) -> None:
    keys = [scene.key(f"key-{n}", 10, 9) for n in range(5)]
    events = [about(key.subject, Severity.WARNING) for key in keys[:4]]
    shown = names(scene, *events, about(keys[4].subject))
    assert len(shown) == MOST_CHARTS
    assert shown[0] == "key-4"


def test_a_chart_goes_on_to_when_the_event_says_that_it_runs_out(scene: Scene) -> None:
    event = about(scene.key("studio", 1000, 500, 40).subject)
    soon, then, late = (NOW + timedelta(minutes=minutes) for minutes in (5, 8, 15))
    facts = replace(event.facts, earliest=soon, runs_out_at=then, latest=late)
    told = replace(event, facts=facts)
    [chart] = read_charts(scene.store, sketches([told], scene.world), NOW, UTC)
    assert (chart.ahead.earliest, chart.ahead.runs_out_at, chart.end) == (soon, then, late)
