"""What each step of a balance means, told as stories of readings."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from monitor.core.ledger import (
    LedgerState,
    Movement,
    MovementKind,
    advance,
    may_enter,
    open_ledger,
    reopen,
)

START = datetime(2026, 11, 1, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)

Story = list[tuple[float, str]]
"""(minutes since the start, balance) of each reading."""


def enter(story: Story) -> tuple[LedgerState, list[Movement]]:
    first, *rest = story
    state = open_ledger(START + MINUTE * first[0], Decimal(first[1]), "credits")
    movements = []
    for minute, balance in rest:
        state, movement = advance(state, START + MINUTE * minute, Decimal(balance))
        if movement is not None:
            movements.append(movement)
    return state, movements


def words(movements: list[Movement]) -> list[str]:
    return [f"{m.kind} {m.amount}" for m in movements]


@pytest.mark.parametrize(
    ("story", "expected"),
    [
        pytest.param([(0, "1000")], [], id="a first reading is no movement"),
        pytest.param([(0, "1000"), (5, "1000")], [], id="equal readings are no movement"),
        pytest.param([(0, "1000"), (5, "1000.00")], [], id="trailing zeros are no movement"),
        pytest.param(
            [(0, "1000"), (5, "990.5")], ["consumption 9.5"], id="a step down is consumption"
        ),
        pytest.param(
            [(0, "1000"), (3000, "400")],
            ["consumption 600"],
            id="a gap of two days is carried by the next reading",
        ),
        pytest.param([(0, "100"), (5, "600")], ["top_up 500"], id="a large step up is a top-up"),
        pytest.param(
            [(0, "0"), (5, "0.01")], ["top_up 0.01"], id="from nothing, any rise is a top-up"
        ),
        pytest.param(
            [(0, "-5"), (5, "-1")], ["top_up 4"], id="a debt that is paid down is a top-up"
        ),
        pytest.param(
            [(0, "-5"), (5, "-8")], ["consumption 3"], id="below zero, work is still consumption"
        ),
        pytest.param(
            [(0, "1000"), (1, "960"), (3, "1000")],
            ["consumption 40", "refund 40"],
            id="a failed job's charge that comes back is a refund",
        ),
        pytest.param(
            [(0, "1000"), (1, "960"), (2, "980"), (3, "1000")],
            ["consumption 40", "refund 20", "refund 20"],
            id="a charge may come back in parts",
        ),
        pytest.param(
            [(0, "1000"), (1, "960"), (2, "1000"), (3, "1040")],
            ["consumption 40", "refund 40", "top_up 40"],
            id="what was given back cannot be given back again",
        ),
        pytest.param(
            [(0, "1000"), (1, "960"), (62, "960"), (65, "1000")],
            ["consumption 40", "top_up 40"],
            id="an hour after the charge it is no refund any more",
        ),
        pytest.param(
            [(0, "1000"), (1, "960"), (55, "955"), (700, "995")],
            ["consumption 40", "consumption 5", "refund 40"],
            id="what a gap of hours brings back may have come at its beginning",
        ),
        pytest.param(
            [(0, "1000"), (1, "900"), (5, "5900"), (20, "5990")],
            ["consumption 100", "top_up 5000", "refund 90"],
            id="a charge from before a top-up can still come back",
        ),
        pytest.param(
            [(0, "1000"), (5, "5800"), (20, "6000")],
            ["top_up 4800", "refund 200"],
            id="the step of a top-up may hide the charge that comes back",
        ),
        pytest.param(
            [(0, "1000"), (5, "5800"), (70, "5800"), (75, "6000")],
            ["top_up 4800", "top_up 200"],
            id="but not for longer than an hour",
        ),
        pytest.param(
            [(0, "0"), (5, "5000"), (600, "3000"), (605, "500"), (620, "2400")],
            ["top_up 5000", "consumption 2000", "consumption 2500", "refund 1900"],
            id="a whole job that comes back is smaller than what is usually paid in",
        ),
        pytest.param(
            [(0, "0"), (5, "5000"), (600, "3000"), (605, "500"), (620, "2600")],
            ["top_up 5000", "consumption 2000", "consumption 2500", "top_up 2100"],
            id="what is nearly as much as a payment is one",
        ),
        pytest.param(
            [(0, "1000"), (240, "960"), (480, "1000")],
            ["consumption 40", "refund 40"],
            id="with polls four hours apart, the last poll's charge can still come back",
        ),
        pytest.param(
            [(0, "1000"), (240, "960"), (480, "960"), (720, "1000")],
            ["consumption 40", "top_up 40"],
            id="but not two such polls later",
        ),
        pytest.param(
            [(0, "1000"), (1, "700"), (3, "850")],
            ["consumption 300", "top_up 150"],
            id="more than a tenth of the reference is a top-up, whatever was charged",
        ),
        pytest.param(
            [(0, "1000"), (1, "950"), (2, "900"), (3, "1000")],
            ["consumption 50", "consumption 50", "refund 100"],
            id="exactly a tenth, covered by charges, is a refund",
        ),
        pytest.param(
            [(0, "1000"), (1, "990"), (3, "1010")],
            ["consumption 10", "top_up 20"],
            id="more than was charged is a top-up",
        ),
        pytest.param(
            [(0, "1000"), (5, "1003"), (10, "1000"), (15, "1002")],
            ["refund 3", "consumption 3", "refund 2"],
            id="jitter that begins upwards is no top-up",
        ),
        pytest.param(
            [(0, "1000"), (600, "50"), (1200, "58")],
            ["consumption 950", "refund 8"],
            id="a crumb that comes hours later is no top-up",
        ),
        pytest.param(
            [(0, "1000"), (5, "900"), (4, "1000"), (6, "890")],
            ["consumption 100", "consumption 10"],
            id="a late older reading is no refund",
        ),
        pytest.param(
            [(0, "1000"), (5, "900"), (5, "899")],
            ["consumption 100", "consumption 1"],
            id="a reading of the same moment counts",
        ),
        pytest.param(
            [(0, "100"), (5, "20"), (10, "520"), (15, "1020")],
            ["consumption 80", "top_up 500", "top_up 500"],
            id="two payments are two top-ups",
        ),
        pytest.param(
            [(0, "1000000000000.000000000000000000001"), (5, "1")],
            ["consumption 999999999999.000000000000000000001"],
            id="more digits than the default decimal context keeps are kept",
        ),
    ],
)
def test_a_step_means(story: Story, expected: list[str]) -> None:
    assert words(enter(story)[1]) == expected


@pytest.mark.parametrize(
    ("story", "reference", "seen"),
    [
        pytest.param([(0, "1000")], "1000", False, id="the first reading until more is known"),
        pytest.param([(0, "1000"), (5, "300")], "1000", False, id="the highest seen, not the last"),
        pytest.param(
            [(0, "1000"), (5, "1008")], "1008", False, id="a crumb may be the highest seen"
        ),
        pytest.param([(0, "1000"), (5, "100"), (9, "600")], "600", True, id="after a top-up"),
        pytest.param(
            [(0, "100"), (5, "600"), (6, "580"), (7, "600")],
            "600",
            True,
            id="a refund after a top-up leaves it",
        ),
        pytest.param(
            [(0, "100"), (5, "600"), (6, "605")],
            "600",
            True,
            id="a crumb above the last top-up leaves it",
        ),
        pytest.param(
            [(0, "1000"), (600, "50"), (1200, "58")],
            "1000",
            False,
            id="a late refund does not make what is left the new level",
        ),
        pytest.param([(0, "-50"), (5, "-10")], "-10", True, id="a debt paid in part"),
    ],
)
def test_the_reference_level_is(story: Story, reference: str, seen: bool) -> None:  # noqa: FBT001 - a table
    state, _ = enter(story)
    assert state.reference == Decimal(reference)
    assert (state.topped_up_at is not None) is seen


def test_a_movement_carries_its_time_and_the_balance_after_it() -> None:
    _, (movement,) = enter([(0, "1000"), (5, "990")])
    assert movement == Movement(
        kind=MovementKind.CONSUMPTION,
        amount=Decimal(10),
        at=START + 5 * MINUTE,
        balance=Decimal(990),
    )


def test_an_older_reading_changes_nothing_at_all() -> None:
    state, _ = enter([(0, "1000"), (5, "900")])
    assert advance(state, START + 4 * MINUTE, Decimal(5000)) == (state, None)


def test_an_equal_reading_moves_only_the_time() -> None:
    state, _ = enter([(0, "1000"), (5, "900")])
    after, movement = advance(state, START + 10 * MINUTE, Decimal(900))
    assert movement is None
    assert after.at == START + 10 * MINUTE
    assert (after.balance, after.charges, after.reference) == (
        state.balance,
        state.charges,
        state.reference,
    )


def test_a_month_of_charges_every_minute_keeps_the_ledger_small() -> None:
    state, _ = enter([(minute, str(100_000 - minute)) for minute in range(2_000)])
    assert len(state.charges) <= 6
    assert state.consumed_total == 1_999


def test_the_charges_of_the_last_hour_can_come_back_at_once() -> None:
    story: Story = [(minute, str(1000 - minute)) for minute in range(61)]
    state, _ = enter(story)
    _, refund = advance(state, START + 61 * MINUTE, state.balance + 45)
    assert refund is not None
    assert refund.kind is MovementKind.REFUND


def test_reopening_keeps_the_totals_and_tells_no_movement() -> None:
    state, _ = enter([(0, "100"), (5, "600"), (6, "550")])
    after = reopen(state, START + 60 * MINUTE, Decimal(5000))
    assert after.balance == after.reference == 5000
    assert after.at == START + 60 * MINUTE
    assert after.consumed_total == 50
    assert after.topped_up_total == 500
    assert after.topped_up_at is None
    assert not after.charges


@pytest.mark.parametrize(
    ("key", "minutes_later", "expected"),
    [
        pytest.param("a", 0.1, True, id="the key that spoke last goes on speaking"),
        pytest.param("b", 0.1, False, id="another key a moment later does not"),
        pytest.param("b", -0.1, False, id="nor one a moment earlier"),
        pytest.param("b", 4.9, False, id="nor within its own interval"),
        pytest.param("b", 5, True, id="it takes over once nothing came for its interval"),
        pytest.param("b", -3000, True, id="a clock set back by days does not lock it out"),
    ],
)
def test_one_key_speaks_for_an_account(key: str, minutes_later: float, *, expected: bool) -> None:
    state = open_ledger(START, Decimal(100), "credits")
    at = START + minutes_later * MINUTE
    assert may_enter(key, "a", state, at, 5 * MINUTE) is expected


def test_two_keys_with_lagging_caches_make_neither_top_ups_nor_consumption() -> None:
    """Key b shows what key a showed five minutes ago; the account falls by 10 a minute."""
    interval = 5 * MINUTE
    state = open_ledger(START, Decimal(10_000), "credits")
    speaker = "a"
    for minute in range(1, 241):
        key = "a" if minute % 5 == 0 else "b" if minute % 5 == 2 else ""
        lag = 0 if key == "a" else 5
        at = START + minute * MINUTE
        if key and may_enter(key, speaker, state, at, interval):
            speaker = key
            state, _ = advance(state, at, Decimal(10_000 - 10 * (minute - lag)))
    assert speaker == "a"
    assert state.consumed_total == 2_400
    assert not state.refunded_total
    assert not state.topped_up_total


@pytest.mark.parametrize(
    ("rise", "used_before", "minutes", "last_payment", "paid_in"),
    [
        pytest.param(
            "9987.3", "0", 5, None, "9987.3", id="the rise, where nothing was used before"
        ),
        pytest.param("9987.3", "120", 5, None, "10000", id="the roundest amount within reach"),
        pytest.param("9987.3", "20", 5, None, "9990", id="however round that is"),
        pytest.param("9987.3", "120", 5, "9999", "9999", id="the last payment again before that"),
        pytest.param("9987.3", "120", 5, "5000", "10000", id="unless it is out of reach"),
        pytest.param("10000", "600", 5, None, "10000", id="nothing more than a round rise"),
        pytest.param("0.987", "0.12", 5, None, "1", id="small units likewise"),
        pytest.param("9000", "120", 600, "10000", "10000", id="a gap hides more"),
        pytest.param("8000.5", "120", 600, None, "8100", id="but no more than a tenth is guessed"),
    ],
)
def test_a_top_up_hides_what_was_used_in_its_step(
    rise: str, used_before: str, minutes: int, last_payment: str | None, paid_in: str
) -> None:
    before = replace(
        open_ledger(START, Decimal(0), "credits"),
        charges=((START, Decimal(used_before)),),
        last_payment=None if last_payment is None else Decimal(last_payment),
    )
    after, movement = advance(before, START + MINUTE * minutes, Decimal(rise))
    assert movement is not None
    assert movement.kind is MovementKind.TOP_UP
    assert str(movement.amount) == paid_in
    assert after.topped_up_total == Decimal(paid_in) == after.last_payment
    assert after.consumed_total == movement.used == Decimal(paid_in) - Decimal(rise)
    assert after.balance == Decimal(rise)
