"""What the forecast remembers: nothing lost, nothing invented, the same after a restart."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.core.forecast import ForecastState, Step, advance, decode, encode, forecast

START = datetime(2026, 3, 2, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


def _fed(*steps: tuple[float, float], state: ForecastState | None = None) -> ForecastState:
    """A state after steps of (minutes, consumed), one after another."""
    at = START if state is None else datetime.fromtimestamp(state.at, UTC)
    for minutes, consumed in steps:
        step = Step(since=at, at=at + minutes * MINUTE, consumed=consumed)
        state, at = advance(state, step), step.at
    assert state is not None
    return state


STEPS = st.lists(
    st.tuples(
        st.floats(min_value=0.1, max_value=900), st.one_of(st.just(0.0), st.floats(0.01, 1e6))
    ),
    min_size=1,
    max_size=60,
)


@given(STEPS.map(lambda steps: [(minutes / 40, amount) for minutes, amount in steps]))
def test_every_amount_is_in_one_hour_or_the_present_one(steps: list[tuple[float, float]]) -> None:
    state = _fed(*steps)
    total = sum(amount for _, amount in steps)
    assert sum(state.hours) + state.partial == pytest.approx(total, rel=1e-5)


@given(STEPS, st.integers(0, 59))
def test_a_restart_between_any_two_readings_changes_nothing(
    steps: list[tuple[float, float]], cut: int
) -> None:
    cut = min(cut, len(steps) - 1) + 1
    half = _fed(*steps[:cut])
    restored = decode(encode(half))
    assert restored is not None
    whole, resumed = _fed(*steps), restored
    if steps[cut:]:
        resumed = _fed(*steps[cut:], state=restored)
    assert encode(resumed) == encode(whole)


def test_a_refund_of_earlier_hours_is_seen_at_once_as_it_is_after_a_restart() -> None:
    state = _fed(*[(60, 5)] * 30)
    at = datetime.fromtimestamp(state.at, UTC)
    state = advance(state, Step(since=at, at=at + MINUTE, consumed=0.1, refunded=40))
    restored = decode(encode(state))
    assert restored is not None
    now = at + MINUTE
    assert forecast(state, now, 1000) == forecast(restored, now, 1000)


def test_quiet_steps_in_a_row_are_the_same_as_one() -> None:
    one = _fed((60, 5), (600, 0), (60, 5))
    many = _fed((60, 5), *[(5, 0)] * 120, (60, 5))
    assert encode(one) == encode(many)


def test_consumption_across_a_gap_is_spread_over_all_of_it() -> None:
    state = _fed((60, 10), (600, 100), (60, 10))
    assert list(state.hours) == pytest.approx([10] * 12)


def test_time_that_nobody_watched_is_unknown_and_not_idle() -> None:
    state = _fed(*[(60, 10)] * 12)
    later = datetime.fromtimestamp(state.at, UTC) + timedelta(hours=24)
    state = advance(state, Step(since=later, at=later + 60 * MINUTE, consumed=10))
    assert forecast(state, later + 60 * MINUTE, 100).expected_per_hour == pytest.approx(10)


def test_a_refund_is_no_consumption_but_leaves_the_burn_of_the_last_hour() -> None:
    state = _fed((60, 10), (30, 6))
    at = datetime.fromtimestamp(state.at, UTC)
    state = advance(state, Step(since=at, at=at + 5 * MINUTE, refunded=8))
    assert state.hours[0] + state.partial == pytest.approx(8)
    assert forecast(state, at + 5 * MINUTE, 1).burn_per_hour == pytest.approx(6 + 10 * 25 / 60)


def test_the_burn_is_that_of_the_last_hour() -> None:
    state = _fed(*[(5, 1)] * 24, *[(5, 3)] * 12)
    at = datetime.fromtimestamp(state.at, UTC)
    assert forecast(state, at, 1).burn_per_hour == pytest.approx(36)


def test_a_clock_set_back_loses_no_consumption() -> None:
    state = _fed((60, 10), (30, 6))
    at = datetime.fromtimestamp(state.at, UTC)
    state = advance(state, Step(since=at - 50 * MINUTE, at=at - 40 * MINUTE, consumed=4))
    assert state.at == at.timestamp()
    assert state.partial == pytest.approx(10)


def test_the_state_stays_small_however_long_and_often_it_is_fed() -> None:
    state = _fed(*[(0.2, 1)] * 2000, *[(240, 3)] * 6 * 70)
    assert len(encode(state)) <= 16_384
    assert len(state.hours) == 4 * 168


@pytest.mark.parametrize(
    "damage",
    [
        pytest.param(lambda data: b"", id="nothing"),
        pytest.param(lambda data: data[:-1], id="cut short"),
        pytest.param(lambda data: b"\x00" + data[1:], id="of another version"),
        pytest.param(lambda data: data[:-3] + b"abc", id="with other bytes in it"),
        pytest.param(lambda data: data[:9] + b"\xff\xff" + data[11:], id="with another head"),
    ],
)
def test_damaged_bytes_are_told_from_sound_ones(damage: Callable[[bytes], bytes]) -> None:
    assert decode(damage(encode(_fed((60, 1), (60, 2))))) is None
