"""What holds for every series of readings, whatever a provider makes up."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Context, Decimal, localcontext
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from monitor.core.ledger import LedgerState, Movement, MovementKind, advance, open_ledger

START = datetime(2026, 11, 1, tzinfo=UTC)
WIDE = Context(prec=200)

amounts = st.one_of(
    st.decimals(min_value=-(10**6), max_value=10**6, places=2),
    st.decimals(min_value=-(10**29), max_value=10**29, places=30, allow_nan=False),
    st.integers(min_value=-5, max_value=5).map(Decimal),
)
steps = st.tuples(st.integers(min_value=0, max_value=20_000), amounts)
series = st.lists(steps, max_size=40)


def run(first: Decimal, rest: list[tuple[int, Decimal]]) -> list[LedgerState]:
    states = [open_ledger(START, first, "credits")]
    at = START
    for seconds, balance in rest:
        at += timedelta(seconds=seconds)
        states.append(advance(states[-1], at, balance)[0])
    return states


@given(amounts, series)
def test_the_balance_is_the_first_plus_paid_in_plus_given_back_less_used(
    first: Decimal, rest: list[tuple[int, Decimal]]
) -> None:
    last = run(first, rest)[-1]
    with localcontext(WIDE):
        expected = first + last.topped_up_total + last.refunded_total - last.consumed_total
    assert last.balance == expected
    assert last.balance == (rest[-1][1] if rest else first)


@given(amounts, series)
def test_totals_never_fall(first: Decimal, rest: list[tuple[int, Decimal]]) -> None:
    for before, after in pairwise(run(first, rest)):
        assert after.consumed_total >= before.consumed_total
        assert after.topped_up_total >= before.topped_up_total
        assert after.refunded_total >= before.refunded_total


@given(amounts, series, amounts)
def test_every_movement_is_positive_and_says_where_it_led(
    first: Decimal, rest: list[tuple[int, Decimal]], last: Decimal
) -> None:
    state = run(first, rest)[-1]
    _, movement = advance(state, state.at + timedelta(seconds=1), last)
    if movement is None:
        assert last == state.balance
        return
    assert movement.amount > 0
    assert movement.balance == last
    assert (movement.kind is MovementKind.CONSUMPTION) is (last < state.balance)


@given(amounts, series, st.integers(min_value=0, max_value=10_000))
def test_a_repeated_reading_changes_nothing_but_the_time(
    first: Decimal, rest: list[tuple[int, Decimal]], seconds: int
) -> None:
    state = run(first, rest)[-1]
    later = state.at + timedelta(seconds=seconds)
    after, movement = advance(state, later, state.balance)
    assert movement is None
    assert after == replace(state, at=later)


@given(amounts, series, st.data())
def test_late_readings_thrown_in_anywhere_change_nothing(
    first: Decimal, rest: list[tuple[int, Decimal]], data: st.DataObject
) -> None:
    clean = run(first, rest)[-1]
    state, at = open_ledger(START, first, "credits"), START
    for seconds, balance in rest:
        at += timedelta(seconds=seconds)
        state, _ = advance(state, at, balance)
        late = state.at - timedelta(seconds=data.draw(st.integers(1, 600)))
        state, movement = advance(state, late, data.draw(amounts))
        assert movement is None
    assert state == clean


@given(amounts, series)
def test_refunds_never_exceed_what_was_charged_but_for_crumbs_and_what_a_top_up_hides(
    first: Decimal, rest: list[tuple[int, Decimal]]
) -> None:
    for before, (_, balance) in zip(run(first, rest), rest, strict=False):
        _, movement = advance(before, before.at, balance)
        if movement and movement.kind is MovementKind.REFUND:
            level = max(before.reference, Decimal(0))
            hidden = level / (10 if before.topped_up_at else 100)
            assert movement.amount <= max(hidden, before.consumed_total)


def is_top_up(movement: Movement | None) -> bool:
    return movement is not None and movement.kind is MovementKind.TOP_UP


@given(
    st.integers(min_value=1_000, max_value=10**9),
    st.lists(
        st.tuples(
            st.integers(min_value=1, max_value=100_000),  # seconds
            st.integers(min_value=0, max_value=40),  # used, in 1/10,000 of the level
            st.integers(min_value=-40, max_value=40),  # noise, in 1/10,000 of the level
        ),
        max_size=60,
    ),
)
def test_noise_below_half_a_percent_is_never_a_top_up(
    level: int, rest: list[tuple[int, int, int]]
) -> None:
    unit = Decimal(level) / 10_000
    true, at = Decimal(level), START
    state = open_ledger(START, true, "credits")
    for seconds, used, noise in rest:
        at += timedelta(seconds=seconds)
        true -= unit * used
        state, movement = advance(state, at, true + unit * noise)
        assert not is_top_up(movement)
    assert state.reference >= level
