"""Alerts about the store: who hears of it, when, and what it says."""

from __future__ import annotations

from datetime import UTC, timedelta
from typing import Any

import pytest
from support.bench import Bench, watched

from monitor.core.events import Change, Event, Silence
from monitor.core.messages import compose
from monitor.core.model import HOST, Severity

MINUTE = timedelta(minutes=1)
FULL = "store /var/lib/credit-monitor.db: the disk is full: free some space"


def sweep(bench: Bench, error: str, behind: timedelta) -> list[Event]:
    return bench.take(bench.pipeline.store.sweep(error, behind, bench.now))


def title(bench: Bench, events: list[Event]) -> str:
    return compose(events, now=bench.now, timezone=UTC).title


def test_a_store_that_fails_is_told_once_after_two_minutes_and_when_it_works_again() -> None:
    bench = Bench([watched("a")])
    assert not sweep(bench, FULL, MINUTE)
    [fired] = sweep(bench, FULL, 2 * MINUTE)
    assert (fired.subject, fired.rule, fired.change) == (HOST, "store", Change.FIRED)
    assert (fired.severity, fired.told) == (Severity.CRITICAL, True)
    assert title(bench, [fired]) == "CRITICAL: this host cannot record: the store fails for 2 min"
    bench.pass_time(10 * MINUTE)
    assert not sweep(bench, FULL, 12 * MINUTE)
    [over] = sweep(bench, "", timedelta(0))
    assert (over.change, over.told) == (Change.RESOLVED, True)
    assert title(bench, [over]).startswith("OK again: this host: the store works again")


def test_the_message_names_the_cause_and_what_to_do() -> None:
    bench = Bench([watched("a")])
    events = sweep(bench, FULL, 2 * MINUTE)
    [story] = compose(events, now=bench.now, timezone=UTC).stories
    assert ("Error", FULL) in story.facts
    assert "do not restart" in story.advice


def test_damage_is_told_at_once_as_it_does_not_pass_by_itself() -> None:
    bench = Bench([watched("a")])
    changes = bench.pipeline.store.sweep(FULL, timedelta(seconds=3), bench.now, lasting=True)
    [fired] = bench.take(changes)
    assert (fired.change, fired.told) == (Change.FIRED, True)


def test_a_store_that_works_is_no_news() -> None:
    bench = Bench([watched("a")])
    assert not sweep(bench, "", timedelta(0))


def test_after_a_restart_the_alert_is_still_open_and_ends_when_the_store_works() -> None:
    bench = Bench([watched("a")])
    sweep(bench, FULL, 2 * MINUTE)
    again = bench.restart()
    [over] = sweep(again, "", timedelta(0))
    assert over.change is Change.RESOLVED


@pytest.mark.parametrize(
    ("silence", "quiet"),
    [
        pytest.param({"rules": "store"}, True, id="by its rule"),
        pytest.param({"keys": "*"}, True, id="with every key"),
        pytest.param({"keys": "a"}, False, id="not with one of several keys"),
    ],
)
def test_it_can_be_silenced(silence: dict[str, Any], quiet: bool) -> None:  # noqa: FBT001 - a case
    bench = Bench([watched("a"), watched("b")])
    end = bench.now + timedelta(days=1)
    bench.pipeline.world.silences = (Silence(id=1, created_at=bench.now, until=end, **silence),)
    [fired] = sweep(bench, FULL, 2 * MINUTE)
    assert fired.told is not quiet


def test_a_replaced_store_is_told_with_the_place_of_the_old_one() -> None:
    bench = Bench([watched("a")])
    [event] = bench.take(bench.pipeline.store.replaced("/var/lib/x.db.corrupt-1", bench.now))
    assert (event.change, event.told) == (Change.OCCURRED, True)
    message = compose([event], now=bench.now, timezone=UTC)
    assert message.title == (
        "CRITICAL: the store of this host was corrupt and has been replaced by a new one"
    )
    [story] = message.stories
    assert ("Error", "the old file is /var/lib/x.db.corrupt-1") in story.facts
    assert "restore a backup" in story.advice
