"""Days, weeks and due times, where the clock is changed and where it is not."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.core.periods import (
    Every,
    last_due,
    last_period,
    next_report,
    parse_send_time,
    period_before,
)

BERLIN = ZoneInfo("Europe/Berlin")  # +1, in summer +2; changes on 29 March and 25 October 2026
ZONES = [UTC, BERLIN, *map(ZoneInfo, ("America/New_York", "Asia/Kolkata", "Australia/Lord_Howe"))]


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("at", "every", "now", "due"),
    [
        pytest.param("09:00", "day", "2026-05-01 06:59", "2026-05-01 07:00", id="later today"),
        pytest.param(
            "09:00", "day", "2026-05-01 07:00", "2026-05-02 07:00", id="at its time it is over"
        ),
        pytest.param("Mon 09:00", "week", "2026-05-01 12:00", "2026-05-04 07:00", id="next Monday"),
        pytest.param(
            "09:00", "week", "2026-05-01 12:00", "2026-05-04 07:00", id="weekly means Monday"
        ),
        pytest.param(
            "Sun 23:30", "week", "2026-05-03 21:31", "2026-05-10 21:30", id="a week from just now"
        ),
        pytest.param(
            "09:00", "day", "2026-03-28 09:00", "2026-03-29 07:00", id="23 hours later in spring"
        ),
        pytest.param(
            "09:00", "day", "2026-10-24 07:00", "2026-10-25 08:00", id="25 hours later in autumn"
        ),
        pytest.param(
            "02:30",
            "day",
            "2026-03-28 12:00",
            "2026-03-29 01:30",
            id="a time that spring skips comes an hour later on the wall",
        ),
        pytest.param(
            "02:30",
            "day",
            "2026-10-24 12:00",
            "2026-10-25 00:30",
            id="of a time that autumn shows twice the first counts",
        ),
        pytest.param(
            "02:30",
            "day",
            "2026-10-25 00:30",
            "2026-10-26 01:30",
            id="and the second is not another one",
        ),
    ],
)
def test_the_next_report_is_due(at: str, every: str, now: str, due: str) -> None:
    assert next_report(parse_send_time(at), Every(every), BERLIN, utc(now)) == utc(due)


@pytest.mark.parametrize(
    ("kind", "now", "since", "until"),
    [
        pytest.param("day", "2026-05-01 12:00", "2026-04-29 22:00", "2026-04-30 22:00", id="a day"),
        pytest.param(
            "day", "2026-04-30 22:00", "2026-04-29 22:00", "2026-04-30 22:00", id="at midnight"
        ),
        pytest.param(
            "day", "2026-03-30 12:00", "2026-03-28 23:00", "2026-03-29 22:00", id="one of 23 hours"
        ),
        pytest.param(
            "day", "2026-10-26 12:00", "2026-10-24 22:00", "2026-10-25 23:00", id="one of 25 hours"
        ),
        pytest.param(
            "week", "2026-05-03 21:59", "2026-04-19 22:00", "2026-04-26 22:00", id="on Sunday night"
        ),
        pytest.param(
            "week", "2026-05-03 22:00", "2026-04-26 22:00", "2026-05-03 22:00", id="from Monday on"
        ),
        pytest.param(
            "week",
            "2026-03-30 07:00",
            "2026-03-22 23:00",
            "2026-03-29 22:00",
            id="a week that is an hour short",
        ),
    ],
)
def test_the_last_whole_period_is(kind: str, now: str, since: str, until: str) -> None:
    period = last_period(Every(kind), utc(now), BERLIN)
    assert (period.since, period.until) == (utc(since), utc(until))


@pytest.mark.parametrize(
    "text",
    ["9:00", "24:00", "09:60", "mon 09:00", "Mon", "Mon  09:00", "\N{ARABIC-INDIC DIGIT ZERO}9:00"],
)
def test_what_is_no_time_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="must be a time such as"):
        parse_send_time(text)


moments = st.datetimes(datetime(2024, 1, 1), datetime(2030, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001 - hypothesis wants naive bounds
times = st.tuples(st.integers(0, 23), st.integers(0, 59)).map(lambda t: f"{t[0]:02}:{t[1]:02}")


@given(now=moments, zone=st.sampled_from(ZONES), at=times, every=st.sampled_from(Every))
def test_due_times_follow_one_another_and_periods_touch(
    now: datetime, zone: ZoneInfo, at: str, every: Every
) -> None:
    clock = parse_send_time(at)
    before, after = last_due(clock, every, zone, now), next_report(clock, every, zone, now)
    assert before <= now < after
    assert last_due(clock, every, zone, after) == after
    assert next_report(clock, every, zone, before) == after
    assert timedelta(hours=-2) <= after - before - timedelta(days=every.days) <= timedelta(hours=2)
    period = last_period(every, now, zone)
    assert period.until <= now < period.until + period.length + timedelta(hours=2)
    assert period_before(period, zone).until == period.since
    # Each due time has a period of its own: none is reported twice, none is left out.
    assert last_period(every, after, zone).since == last_period(every, before, zone).until
