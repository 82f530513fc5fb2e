"""What the forecast says of meters whose future is known."""

import math
import random
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest

from monitor.core.forecast import ForecastState, Runway, Step, advance, forecast
from monitor.core.forecast.outlook import look_ahead

MONDAY = datetime(2026, 3, 2, tzinfo=UTC)
STEP = timedelta(minutes=5)
Rate = Callable[[datetime], float]


def fed(
    rate: Rate, days: float, state: ForecastState | None = None, since: datetime = MONDAY
) -> tuple[ForecastState, datetime]:
    """A state after *days* of consumption at *rate* per hour, and the time by then."""
    at = since
    while at < since + timedelta(days=days):
        step = Step(since=at, at=at + STEP, consumed=rate(at) / 12)
        state, at = advance(state, step), at + STEP
    assert state is not None
    return state, at


def runway(state: ForecastState, at: datetime, balance: float) -> Runway:
    found = forecast(state, at, balance).runway
    assert found is not None
    return found


def _office(at: datetime) -> float:
    return 10.0 if at.weekday() < 5 and 8 <= at.hour < 18 else 0.0


def _day(at: datetime) -> float:
    return 10 + 9 * math.cos((at.hour + at.minute / 60 - 14) / 12 * math.pi)


def test_a_steady_meter_lasts_as_long_as_its_balance_at_its_burn() -> None:
    state, now = fed(lambda _: 10.0, 5)
    assert runway(state, now, 480).p50 == pytest.approx(48, rel=0.05)


def test_the_night_is_known_after_a_few_days() -> None:
    state, now = fed(_day, 4.75)  # until 18:00
    until_morning = sum(_day(now + n * STEP) / 12 for n in range(15 * 12))
    assert runway(state, now, until_morning).p50 == pytest.approx(15, rel=0.1)


def test_the_weekend_is_known_after_two_weeks() -> None:
    state, now = fed(_office, 18.75)  # Friday, 18:00
    found = runway(state, now, 50)
    assert 62 <= found.p50 <= 70  # Monday, 08:00 to 16:00


def test_a_top_up_changes_the_runway_and_not_what_is_expected() -> None:
    state, now = fed(_day, 7)
    before = forecast(state, now, 100)
    step = Step(since=now, at=now + STEP, consumed=_day(now) / 12, topped_up=5000)
    after = forecast(advance(state, step), now + STEP, 5000)
    assert after.expected_per_hour == pytest.approx(before.expected_per_hour, rel=0.01)
    assert after.runway is not None
    assert after.runway.p50 == pytest.approx(500, rel=0.1)


def test_a_burn_that_steps_up_twenty_times_is_followed_within_hours() -> None:
    state, now = fed(_day, 10)
    state, now = fed(lambda at: 20 * _day(at), 0.75, state, now)
    assert runway(state, now, 24 * 200).p50 == pytest.approx(24, rel=0.3)


@pytest.mark.parametrize("times", [3, 5], ids=["three times", "five times"])
def test_a_regular_meter_that_uses_several_times_as_much_is_followed_within_half_a_day(
    times: int,
) -> None:
    state, now = fed(_day, 10)
    state, now = fed(lambda at: times * _day(at), 0.5, state, now)
    assert runway(state, now, 480 * times).p50 == pytest.approx(48, rel=0.15)


def test_three_busy_hours_count_more_for_a_wild_meter_than_for_a_regular_one() -> None:
    hours = [10.0] * 237 + [30.0] * 3
    regular, wild = (look_ahead(hours, 0, miss) for miss in (0.05, 0.6))
    assert regular is not None
    assert wild is not None
    assert 240 * 1.1 < regular.consumed_within(24) < 240 * 1.4
    assert wild.consumed_within(24) - 240 > 1.4 * (regular.consumed_within(24) - 240)


def test_the_more_a_meter_misses_its_profile_the_more_its_mean_counts() -> None:
    hours = [20.0 if 8 <= hour % 24 < 20 else 0.0 for hour in range(14 * 24)]
    regular, wild = (look_ahead(hours, 0, miss) for miss in (0.02, 0.8))
    assert regular is not None
    assert wild is not None
    assert regular.consumed_within(8) < 8  # midnight to 8
    assert 20 < wild.consumed_within(8) < 8 * 10
    assert wild.consumed_within(168) == pytest.approx(regular.consumed_within(168), rel=0.02)


def test_a_burst_of_half_a_day_is_taken_back_when_it_is_over() -> None:
    state, now = fed(_day, 10)
    state, now = fed(lambda at: 20 * _day(at), 0.5, state, now)
    state, now = fed(_day, 1.5, state, now)
    assert runway(state, now, 2400).p50 > 120  # ten days at the old level, half a day at the new


def test_a_burn_that_falls_is_followed_more_slowly_and_errs_on_the_safe_side() -> None:
    state, now = fed(lambda _: 10.0, 10)
    state, now = fed(lambda _: 1.0, 2, state, now)
    assert 24 < runway(state, now, 240).p50 < 240


def test_nothing_consumed_lasts_for_ever() -> None:
    state, now = fed(lambda _: 0.0, 3)
    found = forecast(state, now, 100)
    assert found.runway == Runway(math.inf, math.inf, math.inf)
    assert found.burn_per_hour == 0
    assert found.runway.quantile(0.4) == math.inf


def test_less_than_six_hours_are_not_enough_history() -> None:
    state, now = fed(lambda _: 10.0, 0.24)
    found = forecast(state, now, 100)
    assert found.runway is None
    assert found.burn_per_hour == pytest.approx(10)
    assert forecast(None, now, 100).burn_per_hour is None


def test_six_hours_are_enough_and_the_interval_says_how_little_that_is() -> None:
    state, now = fed(lambda _: 10.0, 0.25)
    young = runway(state, now, 240)
    old_state, later = fed(lambda _: 10.0, 8)
    old = runway(old_state, later, 240)
    assert young.p10 < young.p50 < young.p90
    assert young.p90 / young.p10 > 1.5 * old.p90 / old.p10


def test_after_the_first_night_the_interval_allows_for_a_day() -> None:
    state, now = fed(_day, 0.25)  # until 6:00
    assert runway(state, now, 240).p10 < 24 + 2  # what a day consumes


@pytest.mark.parametrize("balance", [0.0, -5.0])
def test_what_is_used_up_has_no_time_left(balance: float) -> None:
    state, now = fed(lambda _: 10.0, 2)
    found = runway(state, now, balance)
    assert found == Runway(0, 0, 0)


def test_time_without_a_reading_is_taken_off() -> None:
    state, now = fed(lambda _: 10.0, 5)
    at_once = runway(state, now, 480)
    later = runway(state, now + timedelta(hours=12), 480)
    assert later.p50 == pytest.approx(at_once.p50 - 12, rel=0.05)
    assert runway(state, now + timedelta(hours=72), 480) == Runway(0, 0, 0)


def test_a_wild_meter_has_a_wider_interval_than_a_regular_one() -> None:
    chance = random.Random(1)
    burst = [chance.choice((0, 0, 0, 0, 0, 60)) for _ in range(24 * 14)]
    regular, now = fed(_day, 14)
    wild, _ = fed(lambda at: burst[int((at - MONDAY).total_seconds() // 3600)], 14)
    widths = [runway(s, now, 300).p90 / runway(s, now, 300).p10 for s in (regular, wild)]
    assert widths[1] > 1.5 * widths[0]


def test_long_runways_go_beyond_the_week_that_is_looked_ahead() -> None:
    state, now = fed(_office, 21)
    assert runway(state, now, 50 * 10 * 6).p50 == pytest.approx(6 * 168, rel=0.1)


def test_a_quantile_lies_where_the_interval_puts_it() -> None:
    found = Runway(10, 20, 60)
    shares = (0.05, 0.1, 0.4, 0.5, 0.7, 0.9, 0.95)
    hours = [found.quantile(share) for share in shares]
    assert hours == sorted(set(hours))
    for share, end in ((0.1, 10), (0.5, 20), (0.9, 60)):
        assert found.quantile(share) == pytest.approx(end)


def test_a_burst_that_will_empty_the_account_is_seen_while_it_goes_on() -> None:
    state, now = fed(lambda _: 10.0, 10)
    calm = runway(state, now, 150)
    state, now = fed(lambda _: 150.0, 1 / 24, state, now)
    assert calm.p50 == pytest.approx(15, rel=0.1)
    assert runway(state, now, 150).p50 < 2


def test_a_lull_of_an_hour_is_not_taken_for_the_end() -> None:
    state, now = fed(lambda _: 10.0, 10)
    state, now = fed(lambda _: 0.0, 1 / 24, state, now)
    assert 24 <= runway(state, now, 240).p50 < 30
