"""What the pipeline learns of consumption: over restarts, crashes, gaps and other units."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from support.bench import START, Bench, watched

from monitor.core.events import Suppression
from monitor.core.forecast import forecast
from monitor.core.model import MeterReading, Reading, Severity
from monitor.core.projection import caught_up
from monitor.core.rules import Rules
from monitor.teller import TellingPolicy

FIVE = timedelta(minutes=5)
SLOT = ("key:studio", "balance")


def burned(bench: Bench, steps: int, per_step: int = 10, first: int = 100_000) -> int:
    """Readings every five minutes of a balance that falls evenly; returns the last one."""
    balance = first
    for _ in range(steps):
        balance -= per_step
        bench.now += FIVE
        bench.read("studio", str(balance))
    return balance


def ready(**rules: Any) -> Bench:
    return Bench([watched(rules=Rules.model_validate(rules))])


def told(bench: Bench) -> list[tuple[str, str, str]]:
    return [(e.rule, str(e.severity), str(e.change)) for e in bench.events if e.told]


def test_a_restart_gives_the_same_forecast_as_none() -> None:
    bench = ready()
    last = burned(bench, 400)
    again = bench.restart()
    for each in (bench, again):
        each.now += FIVE
        each.read("studio", str(last - 10))
    assert again.pipeline.world.forecasts == bench.pipeline.world.forecasts
    amount = float(last - 10)
    here, there = (
        forecast(b.pipeline.world.forecasts[SLOT], b.now, amount) for b in (bench, again)
    )
    assert here == there


def test_states_are_saved_once_an_hour_and_when_the_daemon_stops() -> None:
    bench = ready()
    saved = 0
    for _ in range(36):
        burned(bench, 1)
        saved += len(bench.last.forecasts)
    assert saved in (3, 4)
    [stored] = bench.pipeline.finish().forecasts
    assert stored.state == bench.pipeline.world.forecasts[SLOT]


def test_what_a_crash_loses_of_a_state_the_ledger_brings_back() -> None:
    bench = ready()
    burned(bench, 400)
    [stored] = bench.pipeline.finish().forecasts
    burned(bench, 9, first=50_000)
    ledger = bench.pipeline.world.ledgers[SLOT]
    found = caught_up(stored.state, stored.consumed_total, stored.refunded_total, ledger)
    true = bench.pipeline.world.forecasts[SLOT]
    assert found.at == true.at
    assert sum(found.hours) + found.partial == pytest.approx(sum(true.hours) + true.partial)


def test_a_ledger_that_was_opened_anew_brings_nothing() -> None:
    bench = ready()
    burned(bench, 20)
    [stored] = bench.pipeline.finish().forecasts
    ledger = replace(bench.pipeline.world.ledgers[SLOT], consumed_total=Decimal(0))
    found = caught_up(stored.state, stored.consumed_total, stored.refunded_total, ledger)
    assert found is stored.state


def test_another_unit_is_learned_anew() -> None:
    bench = ready()
    burned(bench, 100)
    reading = MeterReading(unit="USD", balance=Decimal(5))
    bench.take(bench.pipeline.observe(Reading(key="studio", at=bench.now, meters=(reading,))))
    state = bench.pipeline.world.forecasts[SLOT]
    assert state.since == bench.now.timestamp()
    assert bench.last.forecasts[0].consumed_total == 0


def test_consumption_across_a_gap_is_spread_over_it() -> None:
    bench = ready()
    last = burned(bench, 300)
    bench.now += timedelta(hours=10)
    bench.read("studio", str(last - 1200))
    made = forecast(bench.pipeline.world.forecasts[SLOT], bench.now, 1000.0)
    assert made.burn_per_hour == pytest.approx(120)


def test_a_short_runway_and_a_low_balance_are_told_once() -> None:
    bench = ready(low_balance={"warning": 3000}, topped_up=None)
    last = burned(bench, 300, first=6000)
    burned(bench, 60, first=last)
    assert told(bench) == [("runway", "warning", "fired"), ("runway", "critical", "escalated")]
    inhibited = [e for e in bench.events if e.rule == "low_balance"]
    assert [(str(e.severity), e.told) for e in inhibited] == [("warning", False)]


def test_what_was_covered_is_told_when_the_other_is_over() -> None:
    bench = ready(low_balance={"warning": 3000}, runway={"warning": "2d"}, spike=None)
    last = burned(bench, 330, first=6200)
    assert ("runway", "warning", "fired") in told(bench)
    for _ in range(12 * 24 * 6):  # nothing is used any more
        bench.now += FIVE
        bench.read("studio", str(last))
        bench.take(bench.pipeline.sweep(bench.now))
        if told(bench)[-1][0] == "low_balance":
            break
    assert told(bench)[-1] == ("low_balance", "warning", "reminded")


def test_a_runaway_job_is_told_within_minutes_with_its_factor() -> None:
    bench = ready(runway=None, low_balance=None)
    last = burned(bench, 12 * 24 * 3)
    burned(bench, 4, per_step=100, first=last)
    [spike] = [e for e in bench.events if e.rule == "spike"]
    assert spike.severity is Severity.WARNING
    assert bench.now - spike.at <= timedelta(minutes=15)
    assert spike.facts.factor is not None
    assert 2 <= spike.facts.factor <= 11


def test_what_expires_is_judged_though_nothing_moves() -> None:
    bench = ready(runway=None, low_balance=None)
    expires_at = START + timedelta(days=8)
    for _ in range(12 * 30):
        reading = MeterReading(unit="credits", balance=Decimal(100), expires_at=expires_at)
        bench.take(bench.pipeline.observe(Reading(key="studio", at=bench.now, meters=(reading,))))
        bench.now += FIVE
    [event] = bench.events
    assert (event.rule, event.severity) == ("expiring", Severity.WARNING)
    assert timedelta(days=1) <= event.at - START < timedelta(days=1, minutes=20)


def test_a_top_up_that_does_not_come_is_told_after_its_time() -> None:
    rules = {"overdue_top_up": {"below": 500, "after": "1h"}, "low_balance": None, "spike": None}
    bench = ready(**rules, runway=None)
    bench.read("studio", "1000")
    for n in range(14):
        bench.now += FIVE
        bench.read("studio", str(490 - n))
    assert told(bench) == [("overdue_top_up", "warning", "fired")]
    bench.now += FIVE
    bench.read("studio", "5000")
    assert ("overdue_top_up", "warning", "resolved") in told(bench)


def test_an_empty_balance_is_reminded_of_without_what_it_makes_plain() -> None:
    repeat = {Severity.WARNING: timedelta(hours=1), Severity.CRITICAL: timedelta(hours=1)}
    policy = TellingPolicy(group_wait=timedelta(seconds=10), repeat=repeat)
    bench = Bench([watched()], policy=policy)
    for balance in ("5000", "900", "0"):
        bench.now += FIVE
        bench.read("studio", balance)
    bench.pass_time(timedelta(hours=2))
    reminded = {e.rule for e in bench.events if str(e.change) == "reminded"}
    assert reminded == {"exhausted"}


def test_what_is_covered_is_recorded_as_such() -> None:
    bench = ready(low_balance={"warning": 3000}, topped_up=None)
    suppressed = []
    balance = 7000
    for _ in range(420):
        balance -= 10
        bench.now += FIVE
        bench.read("studio", str(balance))
        suppressed += bench.last.suppressed
    assert [s.reason for s in suppressed] == [Suppression.INHIBITED]
