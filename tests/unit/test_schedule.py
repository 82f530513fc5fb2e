"""The schedule alone: first times, fixed phases, missed times, backoff."""

from __future__ import annotations

import math
from collections.abc import Callable
from itertools import pairwise
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.core.model import Reason
from monitor.schedule import (
    JITTER,
    RETRY_AFTER_CAP,
    START_SHARE,
    Due,
    Schedule,
    next_delay,
    spread,
)

MINUTE = 60.0
HOUR = 3600.0

DELAYS = {
    "the first transient failure of an hourly key is retried after a minute": (
        (HOUR, 1, Reason.TIMEOUT, None),
        MINUTE,
    ),
    "the second transient failure waits twice as long": (
        (HOUR, 2, Reason.SERVER_ERROR, None),
        2 * MINUTE,
    ),
    "retries of an hourly key never wait longer than its interval": (
        (HOUR, 40, Reason.CONNECTION, None),
        HOUR,
    ),
    "a key polled every ten seconds is slowed down from its interval": (
        (10.0, 1, Reason.TIMEOUT, None),
        10.0,
    ),
    "and doubles": ((10.0, 4, Reason.TIMEOUT, None), 80.0),
    "and ends at five minutes": ((10.0, 99, Reason.MAINTENANCE, None), 5 * MINUTE),
    "a revoked key is asked at its interval first": (
        (5 * MINUTE, 1, Reason.UNAUTHORIZED, None),
        5 * MINUTE,
    ),
    "a revoked key polled every minute is asked every quarter of an hour in the end": (
        (MINUTE, 9, Reason.UNAUTHORIZED, None),
        15 * MINUTE,
    ),
    "a revoked hourly key is never asked sooner than hourly": (
        (HOUR, 1, Reason.FORBIDDEN, None),
        HOUR,
    ),
    "Retry-After is a minimum": ((MINUTE, 1, Reason.RATE_LIMITED, 600.0), 600.0),
    "a shorter Retry-After than the backoff changes nothing": (
        (MINUTE, 1, Reason.RATE_LIMITED, 5.0),
        MINUTE,
    ),
    "an absurd Retry-After is bounded": (
        (MINUTE, 1, Reason.RATE_LIMITED, 1e9),
        RETRY_AFTER_CAP,
    ),
    "a thousand failures do not overflow": ((1.0, 100_000, Reason.TIMEOUT, None), 5 * MINUTE),
}


@pytest.mark.parametrize(("given_", "expected"), DELAYS.values(), ids=DELAYS)
def test_the_wait_after_a_failure(
    given_: tuple[float, int, Reason, float | None], expected: float
) -> None:
    interval, failures, reason, retry_after = given_
    delay = next_delay(interval=interval, failures=failures, reason=reason, retry_after=retry_after)
    assert delay == pytest.approx(expected)


@given(
    interval=st.floats(1, 86400),
    failures=st.integers(1, 1000),
    reason=st.sampled_from(Reason),
    jitter=st.floats(-1, 1),
)
def test_a_backoff_stays_within_its_bounds(
    interval: float, failures: int, reason: Reason, jitter: float
) -> None:
    delay = next_delay(interval=interval, failures=failures, reason=reason, jitter=jitter)
    least = min(interval, MINUTE) * (1 - JITTER)
    most = max(interval, 15 * MINUTE) * (1 + JITTER)
    assert least <= delay * (1 + 1e-9)
    assert delay <= most * (1 + 1e-9)


def test_jitter_never_undercuts_a_retry_after() -> None:
    delay = next_delay(
        interval=600.0, failures=1, reason=Reason.RATE_LIMITED, retry_after=60.0, jitter=-1.0
    )
    assert delay >= 60.0


def test_polls_of_a_key_keep_their_phase_however_late_they_are_taken() -> None:
    schedule: Schedule[str] = Schedule()
    schedule.add("studio", first=0.3, interval=10.0)
    seen = []
    for late in [0.0, 4.0, 0.1, 9.9, 0.0] * 400:
        due = schedule.next_due()
        seen += [entry.since for entry in schedule.take(due + late)]
    gaps = [after - before for before, after in pairwise(seen)]
    assert max(abs(gap - 10.0) for gap in gaps) < 1e-6
    assert seen[-1] == pytest.approx(0.3 + (len(seen) - 1) * 10.0)


def test_keys_are_taken_in_the_order_in_which_they_became_due() -> None:
    schedule: Schedule[str] = Schedule()
    for name, first in [("c", 3.0), ("a", 1.0), ("b", 2.0), ("later", 9.0)]:
        schedule.add(name, first=first, interval=60.0)
    assert [due.key for due in schedule.take(3.0)] == ["a", "b", "c"]
    assert schedule.next_due() == 9.0


def test_nothing_is_taken_before_it_is_due() -> None:
    schedule: Schedule[str] = Schedule()
    schedule.add("studio", first=5.0, interval=60.0)
    assert schedule.take(4.999) == []


def test_an_empty_schedule_is_never_due() -> None:
    schedule: Schedule[str] = Schedule()
    assert schedule.next_due() == math.inf
    assert schedule.take(1e9) == []


@pytest.mark.parametrize(
    ("now", "missed", "next_due"),
    [(10.0, 0, 20.0), (19.9, 0, 20.0), (20.0, 1, 30.0), (47.0, 3, 50.0)],
    ids=["on time", "just before the next time", "one time passed", "three times passed"],
)
def test_times_that_passed_while_nothing_was_taken_are_counted(
    now: float, missed: int, next_due: float
) -> None:
    schedule: Schedule[str] = Schedule()
    schedule.add("studio", first=10.0, interval=10.0)
    assert schedule.take(now) == [Due("studio", 10.0, missed)]
    assert schedule.next_due() == next_due


def test_a_moved_key_is_due_at_its_new_time_only() -> None:
    schedule: Schedule[str] = Schedule()
    slot = schedule.add("studio", first=10.0, interval=100.0)
    schedule.take(10.0)
    schedule.move(slot, 25.0)
    schedule.move(slot, 40.0)
    assert schedule.next_due() == 40.0
    assert schedule.take(39.0) == []
    assert [due.since for due in schedule.take(110.0)] == [40.0]
    assert schedule.next_due() == 140.0


@given(interval=st.floats(1, 86400), first=st.floats(0, 1000), moments=st.floats(0.001, 1_000_000))
def test_after_a_backoff_a_key_returns_to_its_phase_and_is_not_polled_twice_in_a_row(
    interval: float, first: float, moments: float
) -> None:
    schedule: Schedule[str] = Schedule()
    slot = schedule.add("studio", first=first, interval=interval)
    now = first + moments
    schedule.back_to_phase(slot, now)
    periods = (slot.due - first) / interval
    assert abs(periods - round(periods)) < 1e-6
    assert 0.5 * interval - 1e-6 <= slot.due - now <= 1.5 * interval + 1e-6


def test_leftovers_of_moves_do_not_pile_up_for_ever() -> None:
    schedule: Schedule[str] = Schedule()
    slot = schedule.add("studio", first=0.0, interval=10.0)
    for now in range(0, 100_000, 10):
        schedule.take(float(now))
        schedule.move(slot, now + 10.0 + 0.5)
        schedule.move(slot, now + 10.0)
    assert len(schedule._heap) < 10


def test_a_thousand_failing_keys_leave_the_schedule_small() -> None:
    schedule: Schedule[int] = Schedule()
    slots = [schedule.add(n, first=0.0, interval=60.0) for n in range(1000)]
    for now in range(0, 6000, 60):
        for due in schedule.take(float(now)):
            schedule.move(slots[due.key], now + 60.0)
    assert len(schedule._heap) <= 3000


Phases = Callable[[list[tuple[str, float]]], list[float]]


@pytest.fixture
def phases() -> Phases:
    def of(entries: list[tuple[str, float]], rate: float = 1e6) -> list[float]:
        rates = dict.fromkeys({group for group, _ in entries}, rate)
        return spread(entries, rates, spacing=0.05, within=0.5, random=Random(7))

    return of


def test_three_keys_do_not_wait_for_minutes(phases: Phases) -> None:
    assert max(phases([("kie", 300.0)] * 3)) < 1.0


def test_the_first_poll_of_all_starts_within_half_a_second(phases: Phases) -> None:
    assert 0 <= min(phases([("kie", 3600.0)] * 500)) <= 0.5


def test_a_group_with_a_low_rate_begins_within_half_a_second_too() -> None:
    found = spread(
        [("slow", 3600.0)] * 3, {"slow": 0.01}, spacing=0.05, within=0.5, random=Random(7)
    )
    assert 0 <= min(found) <= 0.5
    assert max(found) - min(found) == pytest.approx(200.0)


def test_a_key_with_a_short_interval_is_not_kept_waiting_by_a_long_one(phases: Phases) -> None:
    first, _ = phases([("kie", 0.5), ("kie", 3600.0)])
    assert 0 <= first <= (1 - START_SHARE) * 0.5


def test_every_key_is_polled_within_its_first_interval(phases: Phases) -> None:
    for count, interval in [(1, 1.0), (10_000, 30.0), (1000, 1.0)]:
        assert max(phases([("kie", interval)] * count)) < interval * (START_SHARE + 0.06)


def test_many_keys_are_spread_evenly_over_the_interval(phases: Phases) -> None:
    found = sorted(phases([("kie", 30.0)] * 10_000))
    per_second = [sum(n <= phase < n + 1 for phase in found) for n in range(1, 26)]
    assert min(per_second) >= 365
    assert max(per_second) <= 375


def test_the_keys_of_every_group_are_spread_over_the_same_time(phases: Phases) -> None:
    entries = [("big", 60.0)] * 90 + [("small", 60.0)] * 10
    small = sorted(phases(entries)[90:])
    gaps = [after - before for before, after in pairwise(small)]
    assert gaps == pytest.approx([0.5] * 9)


def test_a_rate_limit_stretches_the_start_of_its_own_group_only() -> None:
    entries = [("slow", 300.0)] * 20 + [("fast", 300.0)] * 20
    found = spread(
        entries, {"slow": 0.1, "fast": 1000.0}, spacing=0.05, within=0.5, random=Random(1)
    )
    slow, fast = sorted(found[:20]), found[20:]
    assert slow[-1] - slow[0] == pytest.approx(190.0)
    assert max(fast) < 20  # not the 200 s that the other group takes


def test_two_daemons_do_not_poll_at_the_same_moment() -> None:
    entries = [("kie", 300.0)] * 2
    starts = {
        spread(entries, {"kie": 20.0}, spacing=0.05, within=0.5, random=Random(seed))[0]
        for seed in range(20)
    }
    assert len(starts) == 20
    assert max(starts) - min(starts) > 0.2


def test_no_keys_need_no_times(phases: Phases) -> None:
    assert phases([]) == []
