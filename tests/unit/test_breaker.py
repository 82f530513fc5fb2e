"""When a group of keys is held to few polls, who may still ask, and what ends it."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal

import pytest

from monitor.breaker import PATIENCE, PROBE_EVERY, UNANSWERED, Breaker
from monitor.core.model import Failure, MeterReading, Observation, Reading, Reason

AT = datetime(2026, 11, 1, 12, tzinfo=UTC)
TIMEOUT = Failure(key="a", at=AT, reason=Reason.TIMEOUT, detail="no answer within 10 s")
READING = Reading(key="a", at=AT, meters=(MeterReading(unit="credits", balance=Decimal(1)),))


def silent(breaker: Breaker, since: float, count: int = UNANSWERED) -> list[bool]:
    """What *count* polls changed that began at *since* and ended unanswered ten seconds later."""
    return [breaker.take(TIMEOUT, began=since, ended=since + 10) for _ in range(count)]


@pytest.fixture
def held() -> Breaker:
    breaker = Breaker(0.0)
    silent(breaker, 0.0)
    breaker.asked(8.0)
    return breaker


def test_the_last_of_many_polls_without_an_answer_holds_the_group_and_says_why() -> None:
    breaker = Breaker(0.0)
    assert silent(breaker, 0.0, UNANSWERED + 1) == [False] * (UNANSWERED - 1) + [True, False]
    assert breaker.is_held
    assert breaker.cause == TIMEOUT


@pytest.mark.parametrize("reason", [Reason.TIMEOUT, Reason.CONNECTION, Reason.TLS])
def test_whatever_keeps_an_answer_away_counts(reason: Reason) -> None:
    breaker = Breaker(0.0)
    for _ in range(UNANSWERED):
        breaker.take(Failure(key="a", at=AT, reason=reason), began=0.0, ended=10.0)
    assert breaker.is_held


@pytest.mark.parametrize(
    "answer",
    [
        READING,
        Failure(key="a", at=AT, reason=Reason.SERVER_ERROR),
        Failure(key="a", at=AT, reason=Reason.UNAUTHORIZED),
        Failure(key="a", at=AT, reason=Reason.RATE_LIMITED),
    ],
    ids=["a reading", "an error of the server", "a refusal", "a limit"],
)
def test_any_answer_in_between_begins_the_count_anew_and_frees_a_held_group(
    answer: Observation,
) -> None:
    breaker = Breaker(0.0)
    silent(breaker, 0.0, UNANSWERED - 1)
    assert not breaker.take(answer, began=9.0, ended=11.0)
    silent(breaker, 12.0, UNANSWERED - 1)
    assert not breaker.is_held
    silent(breaker, 12.0, 1)
    assert breaker.is_held
    assert breaker.take(answer, began=40.0, ended=41.0)
    assert not breaker.is_held


def test_a_host_that_restarts_within_moments_holds_nobody_back() -> None:
    breaker = Breaker(0.0)
    for number in range(1000):
        breaker.take(TIMEOUT, began=0.0, ended=(PATIENCE - 0.01) * number / 1000)
    assert not breaker.is_held
    breaker.take(TIMEOUT, began=0.0, ended=PATIENCE)
    assert breaker.is_held


def test_polls_that_began_before_the_last_answer_say_nothing_of_the_time_after_it() -> None:
    breaker = Breaker(0.0)
    breaker.take(READING, began=5.0, ended=6.0)
    silent(breaker, 5.9, 100)
    assert not breaker.is_held


def test_while_nobody_answers_only_who_failed_and_now_and_then_another_may_ask(
    held: Breaker,
) -> None:
    assert held.admits(8.1, mute=True)
    assert not held.admits(8.1, mute=False)
    assert held.admits(8.0 + PROBE_EVERY, mute=False)
    held.asked(8.0 + PROBE_EVERY)
    assert not held.admits(8.1 + PROBE_EVERY, mute=False)


def test_a_group_that_is_not_held_lets_everybody_ask() -> None:
    breaker = Breaker(0.0)
    breaker.asked(0.0)
    assert breaker.admits(0.0, mute=False)


def test_a_failure_that_began_while_nobody_answered_is_outdated_by_the_first_answer(
    held: Breaker,
) -> None:
    assert not held.is_outdated(15.0)
    held.take(READING, began=19.0, ended=20.0)
    assert held.is_outdated(15.0)
    assert not held.is_outdated(20.0)


def test_an_answer_in_good_times_outdates_nothing() -> None:
    breaker = Breaker(0.0)
    breaker.take(READING, began=1.0, ended=2.0)
    assert not breaker.is_outdated(0.5)


def test_patience_and_probes_are_real_seconds_however_fast_the_clock_runs() -> None:
    breaker = Breaker(0.0, speed=100.0)
    silent(breaker, 0.0, UNANSWERED)
    assert not breaker.is_held
    breaker.take(TIMEOUT, began=0.0, ended=100 * PATIENCE)
    assert breaker.is_held
    assert not breaker.admits(99 * PROBE_EVERY, mute=False)
    assert breaker.admits(100 * PROBE_EVERY, mute=False)
