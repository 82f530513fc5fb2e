"""When a burn is more than a meter does by itself."""

import math
import random
from array import array
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from monitor.core.forecast import ForecastState, Step, Usual, advance, decode, encode, usual
from monitor.core.forecast.peaks import Peaks

MONDAY = datetime(2026, 3, 2, tzinfo=UTC)
STEP = timedelta(minutes=5)


class _Meter:
    """A meter with a daily rhythm and a little noise; *factor* makes it leak."""

    def __init__(self, noise: float = 0.2) -> None:
        self.chance = random.Random(3)
        self.noise = noise
        self.at = MONDAY
        self.state: ForecastState | None = None

    def run(self, time: timedelta, factor: float = 1.0) -> list[Usual | None]:
        found = []
        end = self.at + time
        while self.at < end:
            used = 10 + 7 * math.cos((self.at.hour - 14) / 12 * math.pi)
            used *= factor * self.chance.lognormvariate(0, self.noise) / 12
            self.state = advance(self.state, Step(since=self.at, at=self.at + STEP, consumed=used))
            self.at += STEP
            found.append(usual(self.state, self.at))
        return found

    def seen(self) -> Usual:
        found = usual(self.state, self.at)
        assert found is not None
        return found

    def minutes_until_told(self, factor: float) -> int | None:
        leak = self.run(timedelta(hours=2), factor)
        told = [n for n, seen in enumerate(leak, 1) if seen and seen.surprise >= 1]
        return told[0] * 5 if told else None


@pytest.mark.parametrize("factor", [3, 5, 10])
def test_a_leak_is_told_within_twenty_minutes(factor: int) -> None:
    meter = _Meter()
    meter.run(timedelta(days=6.5))
    minutes = meter.minutes_until_told(factor)
    assert minutes is not None
    assert minutes <= 20


def test_a_leak_is_told_though_there_was_one_the_day_before() -> None:
    meter = _Meter()
    meter.run(timedelta(days=6))
    assert meter.minutes_until_told(10)
    meter.run(timedelta(days=1))
    assert meter.minutes_until_told(5)


def test_leaks_that_were_told_teach_the_meter_little() -> None:
    meter = _Meter()
    meter.run(timedelta(days=6, hours=12))
    before = meter.seen().limit_per_hour / meter.seen().normal_per_hour
    for _ in range(4):
        assert meter.minutes_until_told(10)
        meter.run(timedelta(days=2, hours=10))
    after = meter.seen().limit_per_hour / meter.seen().normal_per_hour
    assert after < 1.1 * before
    assert meter.minutes_until_told(3)


def test_a_new_habit_of_two_hours_a_day_is_normal_after_a_week() -> None:
    meter = _Meter()
    meter.run(timedelta(days=7, hours=3))
    told = []
    for _ in range(9):
        told.append(meter.minutes_until_told(10) is not None)
        meter.run(timedelta(hours=22))
    assert told[0]
    assert not any(told[7:])


@pytest.mark.parametrize("factor", [3, 5, 10])
def test_a_new_level_that_lasts_is_normal_within_a_day(factor: int) -> None:
    meter = _Meter()
    meter.run(timedelta(days=7, hours=12))
    assert meter.minutes_until_told(factor)
    meter.run(timedelta(hours=22), factor)
    later = [seen for seen in meter.run(timedelta(days=6), factor) if seen]
    assert max(seen.surprise for seen in later) < 1


def test_a_day_that_begins_half_an_hour_early_is_no_spike() -> None:
    at, state, early = MONDAY, None, timedelta(minutes=30)
    seen = []
    for _ in range(9 * 24 * 12):
        begins = at + early if at >= MONDAY + timedelta(days=8) else at
        used = 10.0 if 8 <= begins.hour < 18 else 1.0
        state = advance(state, Step(since=at, at=at + STEP, consumed=used))
        at += STEP
        if at > MONDAY + timedelta(days=8):
            seen.append(usual(state, at))
    assert max(one.surprise for one in seen if one) < 1


def test_the_worse_a_meter_is_foreseen_the_more_it_takes() -> None:
    peaks = Peaks(array("f", [0.7] * 28), 0, 0.0)
    regular, wild = peaks.limit(0.1), peaks.limit(0.8)
    assert regular is not None
    assert wild is not None
    assert wild - regular == pytest.approx(0.7 * 0.8)


def test_a_spike_teaches_a_meter_the_more_the_worse_it_is_foreseen() -> None:
    before = Peaks(array("f", [0.5] * 28), 0, 3.0)
    entered = [before.entered(6 * 3600, 0.0, miss).blocks[-1] for miss in (0.2, 0.8, 2.0)]
    assert entered == pytest.approx([0.5 + 0.16 - 0.02, 0.5 + 0.64 - 0.02 + 1.0, 3.0])


def test_the_peaks_of_an_older_version_are_read_and_fade_within_a_week() -> None:
    """It kept forty of them, and let a leak count for more than the limit."""
    state = _Meter()
    state.run(timedelta(days=10))
    assert state.state is not None
    old = replace(state.state, peaks=Peaks(array("f", [2.5] * 40), state.state.peaks.block, 0.0))
    state.state = decode(encode(old))
    assert state.state == old
    state.run(timedelta(days=8))
    assert len(state.state.peaks.blocks) == 28
    assert state.minutes_until_told(3)


def test_the_morning_of_a_meter_that_sleeps_at_night_is_no_spike() -> None:
    meter = _Meter()
    meter.run(timedelta(days=3))
    later = [seen for seen in meter.run(timedelta(days=14)) if seen]
    assert max(seen.surprise for seen in later) < 1


def test_what_a_wild_meter_does_every_day_is_no_spike_for_it() -> None:
    wild, calm = _Meter(noise=1.2), _Meter(noise=0.1)
    limits = []
    for meter in (wild, calm):
        meter.run(timedelta(days=6))
        seen = usual(meter.state, meter.at)
        assert seen is not None
        limits.append(seen.limit_per_hour / seen.normal_per_hour)
    assert limits[0] > 1.5 * limits[1]


def test_the_facts_of_a_spike_fit_together() -> None:
    meter = _Meter(noise=0.01)
    meter.run(timedelta(days=6))
    seen = meter.run(timedelta(hours=1), 6)[5]
    assert seen is not None
    assert seen.factor == pytest.approx(6, rel=0.2)
    assert seen.burn_per_hour == pytest.approx(seen.factor * seen.normal_per_hour)
    assert seen.burn_per_hour > seen.limit_per_hour
    assert seen.window == timedelta(minutes=15)


def test_a_meter_that_never_used_anything_and_begins_to_is_a_spike() -> None:
    at, state = MONDAY, None
    for _ in range(6 * 24):
        state = advance(state, Step(since=at, at=at + timedelta(hours=1)))
        at += timedelta(hours=1)
    state = advance(state, Step(since=at, at=at + STEP, consumed=5))
    seen = usual(state, at + STEP)
    assert seen is not None
    assert seen.surprise >= 1
    assert seen.factor == math.inf


def test_during_the_first_day_nothing_is_said() -> None:
    assert not any(_Meter().run(timedelta(hours=23)))
    assert usual(None, MONDAY) is None


def test_an_old_reading_says_nothing_about_now() -> None:
    meter = _Meter()
    meter.run(timedelta(days=6))
    assert usual(meter.state, meter.at + timedelta(minutes=21)) is None
