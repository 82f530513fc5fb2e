"""Meters that fail while their key works: told, remembered, well again, forgotten."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest
from support.bench import Bench, watched

from monitor.core.events import Event
from monitor.core.model import Kind, MeterFailure, MeterReading, Reading, Reason
from monitor.core.rules.silent import FAILED_POLLS

ANNA, BEN = "kling:anna", "kling:ben"
MINUTES = timedelta(minutes=5)


def points(meter: str, balance: str = "5000", **more: object) -> MeterReading:
    return MeterReading(meter=meter, unit="points", balance=Decimal(balance), **more)  # type: ignore[arg-type]  # checked when made


def broken(meter: str, reason: Reason = Reason.SESSION_BROKEN) -> MeterFailure:
    return MeterFailure(meter=meter, reason=reason, detail="refresh token rejected")


def said(events: list[Event]) -> list[tuple[str, str, str]]:
    return [(e.meter, e.rule, str(e.change)) for e in events]


def test_a_broken_meter_is_told_at_once_and_the_others_are_read_on() -> None:
    b = Bench([watched()])
    b.find("studio", points(ANNA), points(BEN))
    assert said(b.find("studio", points(ANNA, "90"), broken(BEN))) == [
        (ANNA, "low_balance", "fired"),
        (BEN, "rejected", "fired"),
    ]
    live = b.pipeline.world.keys["studio"]
    assert live.state.reason is None
    assert live.meters[BEN].reading.balance == 5000  # the last one, and its age shows
    assert live.meters[BEN].at < live.meters[ANNA].at or b.now == live.meters[BEN].at


def test_a_broken_meter_that_is_read_again_is_over() -> None:
    b = Bench([watched()])
    b.find("studio", broken(ANNA))
    assert said(b.find("studio", points(ANNA))) == [(ANNA, "rejected", "resolved")]
    assert b.stored["studio"].troubles == ()


def test_a_broken_meter_is_told_once_also_over_a_restart() -> None:
    b = Bench([watched()])
    b.find("studio", broken(ANNA))
    b = b.restart()
    assert b.pipeline.world.keys["studio"].troubles[ANNA].reason is Reason.SESSION_BROKEN
    b.pass_time(MINUTES)
    assert b.find("studio", broken(ANNA)) == []
    assert said(b.find("studio", points(ANNA))) == [(ANNA, "rejected", "resolved")]


def test_a_meter_that_fails_on_for_the_same_reason_is_not_written_at_each_poll() -> None:
    b = Bench([watched()])
    written = []
    for poll in range(FAILED_POLLS + 3):
        b.now += timedelta(seconds=1)
        detail = "refused" if poll < FAILED_POLLS + 2 else "refused in other words"
        b.find("studio", replace(broken(ANNA), detail=detail))
        written.append(bool(b.last.keys))
    assert written == [*[True] * FAILED_POLLS, False, False, True]
    assert b.stored["studio"].troubles[0].detail == "refused in other words"


def test_a_meter_that_times_out_is_silent_after_a_while_although_its_key_answers() -> None:
    b = Bench([watched()])
    for _ in range(5):
        b.find("studio", points(BEN), broken(ANNA, Reason.TIMEOUT))
        b.pass_time(MINUTES)
    assert said(b.events) == [(ANNA, "silent", "fired")]
    assert said(b.find("studio", points(ANNA), points(BEN))) == [(ANNA, "silent", "resolved")]


def test_a_refusal_goes_on_while_polls_of_the_meter_time_out() -> None:
    b = Bench([watched()])
    b.find("studio", broken(ANNA))
    for _ in range(6):
        b.pass_time(MINUTES)
        b.find("studio", broken(ANNA, Reason.TIMEOUT))
    assert said(b.events) == [(ANNA, "rejected", "fired")]


def test_a_key_that_fails_as_a_whole_speaks_for_its_meters() -> None:
    b = Bench([watched()])
    for _ in range(2):
        b.find("studio", broken(ANNA, Reason.TIMEOUT))
        b.pass_time(MINUTES)
    for _ in range(5):
        b.fail("studio", Reason.TIMEOUT)
        b.pass_time(MINUTES)
    assert said(b.events) == [("", "silent", "fired")]


def test_a_meter_that_vanishes_is_forgotten_after_a_day_with_its_alert() -> None:
    b = Bench([watched()])
    b.find("studio", points(BEN), broken(ANNA))
    b.now += timedelta(hours=25)
    b.find("studio", points(BEN))
    assert said(b.events) == [(ANNA, "rejected", "fired"), (ANNA, "rejected", "resolved")]
    assert [e.told for e in b.events] == [True, False]
    assert list(b.pipeline.world.keys["studio"].troubles) == []


def test_what_is_forgotten_is_written_down_so_that_it_stays_forgotten() -> None:
    b = Bench([watched()])
    b.find("studio", points(ANNA), points(BEN))
    b.now += timedelta(days=2)
    b.find("studio", points(BEN))
    assert b.last.forgotten == [("studio", ANNA)]


@pytest.mark.parametrize(
    ("kind", "balance", "samples"),
    [(Kind.COUNT, Decimal(0), 1), (Kind.SESSION, None, 0)],
    ids=["tickets are recorded, and none are no reason to warn", "a login has no number to record"],
)
def test_only_balances_are_judged(kind: Kind, balance: Decimal | None, samples: int) -> None:
    b = Bench([watched()])
    meter = MeterReading(meter="kling:anna/more", unit="tickets", balance=balance, kind=kind)
    assert b.find("studio", meter) == []
    assert len(b.last.samples) == samples
    assert not b.pipeline.world.ledgers


def test_a_meter_cannot_be_read_and_fail_in_the_same_poll() -> None:
    with pytest.raises(ValueError, match="each meter once"):
        Reading.of("studio", Bench([watched()]).now, [points(ANNA), broken(ANNA)])


LAB = MeterReading(meter="manual", unit="credits", balance=Decimal(5000), kind=Kind.MANUAL)


def test_a_balance_entered_by_hand_is_a_sample_of_its_own_time_and_judged_by_nobody() -> None:
    day = Bench([watched()]).now - timedelta(days=20)
    low = replace(LAB, balance=Decimal(1))
    b = Bench([watched(manual=(low, day))])
    assert [(s.meter, s.at, s.until, s.balance) for s in b.last.samples] == [
        ("manual", day, day, Decimal(1))
    ]
    b.answer("studio")
    b.fail("studio", Reason.UNAUTHORIZED)
    assert [e.rule for e in b.events] == ["rejected"]
    assert b.events[0].facts.balance is None
    assert b.pipeline.world.ledgers == {}


def test_a_balance_entered_by_hand_stays_as_long_as_it_is_configured() -> None:
    day = Bench([watched()]).now - timedelta(days=20)
    b = Bench([watched(manual=(LAB, day))])
    b.now += timedelta(days=30)
    b.answer("studio")
    assert b.stored["studio"].meters == ((LAB, day),)

    newer = (replace(LAB, balance=Decimal(4000)), b.now)
    b = b.restart([watched(manual=newer)])
    assert b.stored["studio"].meters == (newer,)

    b = b.restart([watched()])
    assert b.stored["studio"].meters == ()
    assert b.last.forgotten == [("studio", "manual")]
