"""When a login is renewed by itself: never too often, whatever polls, restarts and clocks do."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.core.model import Kind, MeterFailure, MeterReading, Reading, Reason
from monitor.core.renewals import Outcome, Renewal, due, session_meter

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
ANNA, BEN = "kling:anna", "kling:ben"
HOUR = timedelta(hours=1)


def reading(*broken: str, ending: dict[str, timedelta] | None = None) -> Reading:
    sessions = [
        MeterReading(
            meter=session_meter(meter),
            unit="",
            balance=None,
            kind=Kind.SESSION,
            expires_at=NOW + left,
        )
        for meter, left in (ending or {}).items()
    ]
    failures = [MeterFailure(meter=meter, reason=Reason.SESSION_BROKEN) for meter in broken]
    return Reading.of("tools", NOW, [*sessions, *failures])


def last(ago: timedelta, outcome: Outcome = Outcome.FAILED, failures: int = 1) -> Renewal:
    return Renewal(key="tools", meter=ANNA, at=NOW - ago, outcome=outcome, failures=failures)


def chosen(found: Reading, before: Renewal | None = None) -> list[str]:
    return due(found, {ANNA, BEN}, {("tools", ANNA): before} if before else {}, NOW)


def test_what_is_broken_is_renewed_at_once() -> None:
    assert chosen(reading(ANNA)) == [ANNA]


def test_what_may_not_be_renewed_is_not() -> None:
    assert due(reading(ANNA), {BEN}, {}, NOW) == []


def test_only_a_broken_session_is_renewed_and_no_other_failure() -> None:
    found = Reading.of("tools", NOW, [MeterFailure(meter=ANNA, reason=Reason.TIMEOUT)])
    assert chosen(found) == []


@pytest.mark.parametrize(
    ("left", "expected"),
    [
        (timedelta(hours=23), [ANNA]),
        (timedelta(hours=25), []),
        (timedelta(hours=-5), [ANNA]),
    ],
    ids=["a session that ends today", "one that ends tomorrow", "one that has ended"],
)
def test_a_session_is_renewed_before_it_ends(left: timedelta, expected: list[str]) -> None:
    assert chosen(reading(ending={ANNA: left})) == expected


@pytest.mark.parametrize(
    ("before", "expected"),
    [
        (last(0.99 * HOUR), []),
        (last(1 * HOUR), [ANNA]),
        (last(0.5 * HOUR, Outcome.BEGUN), []),
        (last(1.5 * HOUR, failures=2), []),
        (last(2 * HOUR, failures=2), [ANNA]),
        (last(23 * HOUR, failures=9), []),
        (last(24 * HOUR, failures=9), [ANNA]),
        (last(0.9 * HOUR, Outcome.RENEWED, 0), []),
        (last(1 * HOUR, Outcome.RENEWED, 0), [ANNA]),
        (last(-2 * HOUR), [ANNA]),
        (last(-0.5 * HOUR), []),
    ],
    ids=[
        "not within an hour",
        "after an hour",
        "not while one is under way, or was cut off",
        "a second failure waits two hours",
        "and no longer",
        "many failures wait a day",
        "and no longer than that",
        "a renewal that worked counts as well",
        "and is followed by another if it broke again",
        "a clock that was set back far does not stop renewals",
        "nor does it hasten them",
    ],
)
def test_the_wait_before_the_next_try(before: Renewal, expected: list[str]) -> None:
    assert chosen(reading(ANNA), before) == expected


def test_a_session_that_was_renewed_and_still_ends_soon_is_left_alone_for_a_day() -> None:
    ending = reading(ending={ANNA: HOUR})
    assert chosen(ending, last(23 * HOUR, Outcome.RENEWED, 0)) == []
    assert chosen(ending, last(24 * HOUR, Outcome.RENEWED, 0)) == [ANNA]


@given(
    minutes=st.lists(st.integers(0, 600), max_size=60),
    works=st.lists(st.booleans(), min_size=60, max_size=60),
)
def test_never_twice_within_an_hour(minutes: list[int], works: list[bool]) -> None:
    now, tried = NOW, list[datetime]()
    renewals: dict[tuple[str, str], Renewal] = {}
    for minute, good in zip(minutes, works, strict=False):
        now += timedelta(minutes=minute)
        found = Reading.of("tools", now, [MeterFailure(meter=ANNA, reason=Reason.SESSION_BROKEN)])
        for meter in due(found, {ANNA}, renewals, now):
            before = renewals.get(("tools", meter))
            outcome = Outcome.RENEWED if good else Outcome.FAILED
            failures = 0 if good else (before.failures if before else 0) + 1
            renewals["tools", meter] = Renewal(
                key="tools", meter=meter, at=now, outcome=outcome, failures=failures
            )
            tried.append(now)
    assert all(later - earlier >= HOUR for earlier, later in pairwise(tried))


def test_a_balance_has_no_session() -> None:
    points = MeterReading(meter=ANNA, unit="points", balance=Decimal(5), expires_at=NOW)
    assert chosen(Reading.of("tools", NOW, [points])) == []
