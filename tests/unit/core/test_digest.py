"""What a week was like, from samples: one sentence per case."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support import recorded

from monitor.core.digest import digest
from monitor.core.digest_values import (
    BalanceDigest,
    ChannelDigest,
    Digest,
    KnownMeter,
    Mark,
    Payments,
    Records,
)
from monitor.core.model import Sample, Severity, Subject
from monitor.core.notifications import NotificationState
from monitor.core.periods import Every, last_period, period_before

NOW = datetime(2026, 5, 4, 9, tzinfo=UTC)  # a Monday
WEEK = last_period(Every.WEEK, NOW, UTC)
BEFORE = period_before(WEEK, UTC)
DAY = timedelta(days=1)
HOUR = timedelta(hours=1)
MINUTE = timedelta(minutes=1)

Points = Sequence[tuple[float, str | None]]
"""(hours from the start of the week, balance): read from then until a minute before the next."""


def runs(
    points: Points, *, key: str = "studio", until: float = 168, gap: bool = False
) -> list[Sample]:
    """Runs that follow one another without a gap, or single readings that leave them."""
    ends = [*(at for at, _ in points[1:]), until]
    return [
        recorded.sample(
            balance,
            WEEK.since + at * HOUR,
            lasted=timedelta(0) if gap else (end - at) * HOUR - MINUTE,
            key=key,
        )
        for (at, balance), end in zip(points, ends, strict=True)
    ]


def report(records: Records, *meters: KnownMeter, **more: Any) -> Digest:
    known = meters or (known_meter(),)
    keys = [key for meter in known for key in meter.keys]
    values = {"at": NOW, "meters": known, "keys": keys, "channels": ["ops"], **more}
    return digest(WEEK, BEFORE, records=records, **values)


def known_meter(balance: str | None = "500", **more: Any) -> KnownMeter:
    values: dict[str, Any] = {
        "subject": Subject("kie", "", "studio"),
        "meter": "balance",
        "keys": ("studio",),
        "unit": "credits",
        "balance": None if balance is None else Decimal(balance),
        "read_at": NOW,
        "interval": 5 * MINUTE,
        **more,
    }
    return KnownMeter(**values)


def of(points: Points, *, gap: bool = False, **more: Any) -> BalanceDigest:
    return report(Records(samples=runs(points, gap=gap)), known_meter(**more)).balances[0]


@pytest.mark.parametrize(
    ("points", "consumed", "before"),
    [
        pytest.param(
            [(-168, "100"), (-1, "90"), (5, "80"), (90, "60.5")], "29.5", "10", id="falls"
        ),
        pytest.param(
            [(-168, "100"), (1, "80"), (2, "180"), (3, "170")], "30", "0", id="a rise is no use"
        ),
        pytest.param([(-168, "100")], "0", "0", id="a balance that stands still was not used"),
        pytest.param(
            [(-10, "100"), (1, "80")], "20", None, id="half a week before is not compared"
        ),
        pytest.param([(10, "100"), (20, "80")], "20", None, id="it was first read this week"),
        pytest.param(
            [(-168, "100"), (1, None), (2, "80")], "0", "0", id="from no cap on it starts anew"
        ),
        pytest.param([(-160, "100"), (167.9, "99")], "1", "0", id="the last minutes count"),
    ],
)
def test_used_and_used_before(points: Points, consumed: str, before: str | None) -> None:
    found = of(points)
    assert found.consumed == Decimal(consumed)
    assert found.consumed_before == (None if before is None else Decimal(before))


def test_without_a_reading_nothing_is_known_to_be_used() -> None:
    found = report(Records()).balances[0]
    assert (found.consumed, found.consumed_before, found.lowest) == (None, None, None)
    assert not found.outlook.known
    assert report(Records()).totals == ()


def test_what_was_used_in_a_gap_counts_where_it_was_read_again_and_in_no_hour() -> None:
    found = of([(-168, "100"), (0, "100"), (1, "98"), (49, "10"), (49.5, "5")], gap=True)
    assert found.consumed == 95
    assert found.worst_hour == Mark(amount=Decimal(5), at=WEEK.since + 49 * HOUR)
    assert found.gaps == 48 * HOUR + (168 - 49.5) * HOUR


def test_a_slow_schedule_leaves_no_gaps() -> None:
    every_six_hours = [(6.0 * n, str(1000 - n)) for n in range(-28, 28)]
    assert of(every_six_hours, gap=True, interval=6 * HOUR).gaps == timedelta(0)
    assert of(every_six_hours, gap=True).gaps > 6 * DAY


def test_top_ups_and_refunds_are_told_apart_and_summed_up() -> None:
    points = [(-168, "1000"), (1, "900"), (1.2, "950"), (30, "1950"), (40, "1900"), (50, "2400")]
    found = of(points, reference=Decimal(2400))
    assert found.refunded == Payments(count=1, amount=Decimal(50))
    assert found.topped_up == Payments(count=2, amount=Decimal(1500))


def test_the_present_level_tells_a_refund_where_the_old_one_is_not_recorded() -> None:
    points = [(-168, "300"), (1, "200"), (1.2, "290")]
    assert of(points, reference=Decimal(10000)).refunded.count == 1
    assert of(points).topped_up.count == 1


def test_the_lowest_balance_and_when_it_was_first_read() -> None:
    found = of([(-168, "3"), (-100, "50"), (1, "7.5"), (2, "90"), (3, "7.5"), (4, "8")])
    assert found.lowest == Mark(amount=Decimal("7.5"), at=WEEK.since + HOUR)


def test_a_balance_that_was_low_when_the_week_began_counts_from_then() -> None:
    assert of([(-168, "3"), (5, "50")]).lowest == Mark(amount=Decimal(3), at=WEEK.since)


def test_the_hour_in_which_most_was_used() -> None:
    points = [(-168, "100"), (5, "90"), (5.5, "78"), (6.1, "60"), (7.5, "59")]
    found = of(points)
    assert found.worst_hour == Mark(amount=Decimal(22), at=WEEK.since + 5 * HOUR)


@pytest.mark.parametrize(
    ("points", "balance", "known", "days"),
    [
        pytest.param([(-168, "1000"), (100, "300")], "300", True, 3, id="mean pace of the week"),
        pytest.param([(-168, "1000"), (100, "1000")], "300", True, None, id="nothing was used"),
        pytest.param(
            [(90, "1000"), (100, "300")], "300", False, None, id="read for less than half"
        ),
        pytest.param(
            [(-168, "1000"), (100, "300")], None, False, None, id="a balance without a cap"
        ),
        pytest.param(
            [(-168, "1000"), (100, "300")], "-5", True, 0, id="an overdrawn one is at its end"
        ),
        pytest.param(
            [(-168, "1000"), (9, "999.9999999")], "1e20", True, 3650, id="ten years at most"
        ),
    ],
)
def test_how_long_it_lasts(
    points: Points, balance: str | None, *, known: bool, days: int | None
) -> None:
    found = of(points, balance=balance).outlook
    assert found.known is known
    assert (None if found.lasts is None else round(found.lasts / DAY)) == days


def test_two_keys_of_an_account_are_one_balance_and_their_caches_no_charges() -> None:
    mine = runs([(-168, "100"), (10, "90")], key="a")
    other = runs([(-168.5, "101"), (9, "100.5"), (11, "91")], key="b")
    meter = known_meter(subject=Subject("kie", "studio-main"), keys=("a", "b"))
    found = report(Records(samples=[*mine, *other]), meter).balances[0]
    assert found.consumed in (Decimal(10), Decimal("9.5"))
    assert found.topped_up.count == found.refunded.count == 0


def test_another_key_speaks_for_the_account_when_the_first_falls_silent() -> None:
    mine = runs([(-168, "100")], key="a", until=2)
    other = runs([(5, "80"), (20, "70")], key="b")
    meter = known_meter(subject=Subject("kie", "studio-main"), keys=("a", "b"))
    assert report(Records(samples=[*mine, *other]), meter).balances[0].consumed == 30


def test_units_are_summed_up_apart_and_compared_only_as_a_whole() -> None:
    meters = [
        known_meter(),
        known_meter(keys=("b",), subject=Subject("kie", "", "b")),
        known_meter(keys=("c",), subject=Subject("json", "", "c"), unit="USD"),
    ]
    samples = [
        *runs([(-168, "100"), (-1, "90"), (5, "75")]),
        *runs([(1, "100"), (5, "99")], key="b"),
        *runs([(-168, "10"), (-1, "8"), (5, "7")], key="c"),
    ]
    dollars, points = report(Records(samples=samples), *meters).totals
    assert (points.unit, points.consumed_before) == ("credits", None)
    assert points.consumed == 16
    assert (dollars.unit, str(dollars.consumed), str(dollars.consumed_before)) == ("USD", "1", "2")
    assert dollars.change_share == Decimal("-0.5")


def test_failed_polls_are_counted_within_the_week() -> None:
    edge = recorded.outage(WEEK.since - HOUR, WEEK.since + HOUR, polls=120)
    single = recorded.outage(WEEK.since + DAY, key="b")
    later = recorded.outage(WEEK.until + HOUR, WEEK.until + 2 * HOUR)
    found = report(Records(outages=[edge, single, later])).failed_polls
    assert (found.count, found.keys, found.total) == (61, 2, HOUR)
    assert (found.longest, found.longest_key) == (HOUR, "studio")


def test_alerts_are_counted_by_their_worst_and_events_are_none() -> None:
    at = WEEK.since + DAY
    alerts = [
        recorded.alert(1, at, resolved_at=at + HOUR),
        recorded.alert(2, at, worst=Severity.WARNING, rule="silent"),
        recorded.alert(3, at, rule="topped_up", worst=Severity.INFO, resolved_at=at),
        recorded.alert(4, at - 3 * DAY, resolved_at=at),
        recorded.alert(5, at, resolved_at=WEEK.until + HOUR),
    ]
    found = report(Records(alerts=alerts)).alerts
    assert found.opened == {Severity.CRITICAL: 2, Severity.WARNING: 1, Severity.INFO: 0}
    assert found.resolved == 2
    assert found.still_open == ("studio silent", "studio low_balance")


def test_deliveries_are_told_per_channel() -> None:
    at = WEEK.since + DAY

    def sent(number: int, seconds: int, attempts: int = 1) -> Any:
        return recorded.notification(
            number,
            state=NotificationState.DELIVERED,
            due_at=at,
            finished_at=at + timedelta(seconds=seconds),
            attempts=attempts,
        )

    dead = recorded.notification(4, state=NotificationState.DEAD, attempts=3)
    foreign = recorded.notification(5, channel="mail")
    waiting = recorded.notification(6, attempts=0)
    notifications = [sent(1, 1), sent(2, 3), sent(3, 600, attempts=5), dead, foreign, waiting]
    found = report(Records(notifications=notifications)).channels
    assert found == (
        ChannelDigest(
            name="ops",
            delivered=3,
            retries=6,
            dead=1,
            pending=1,
            median_delay=timedelta(seconds=3),
        ),
    )


def test_keys_without_a_reading_are_named() -> None:
    samples = [*runs([(-168, "1")], until=-2), *runs([(5, None)], key="b")]
    found = report(Records(samples=samples), keys=["studio", "b", "never"])
    assert found.unread_keys == ("studio", "never")


def test_what_ends_soonest_comes_first() -> None:
    meters = [
        known_meter(balance, subject=Subject("kie", "", name), keys=(name,))
        for name, balance in (("calm", "900"), ("unread", "5"), ("urgent", "9"))
    ]
    samples = [s for name in ("calm", "urgent") for s in runs([(-168, "100"), (9, "50")], key=name)]
    found = report(Records(samples=samples), *meters)
    assert [b.known.name for b in found.balances] == ["urgent", "calm", "unread"]


amounts = st.decimals(-(10**12), 10**12, places=6, allow_nan=False)


@given(st.lists(amounts, min_size=1, max_size=40), st.integers(1, 400))
def test_what_comes_in_less_what_goes_out_is_the_change_of_the_balance(
    balances: list[Decimal], minutes: int
) -> None:
    points = [(-1 + n * minutes / 60, str(b)) for n, b in enumerate(balances)]
    inside = [p for p in points if p[0] < 168]
    found = of(inside, gap=True)
    start = [Decimal(b or 0) for at, b in inside if at < 0][-1]
    assert found.consumed is not None or len(inside) == sum(at < 0 for at, _ in inside)
    if found.consumed is not None:
        paid_in = found.topped_up.amount + found.refunded.amount
        assert start + paid_in - found.consumed == Decimal(inside[-1][1] or 0)
        assert found.lowest is not None
        assert found.lowest.amount == min(Decimal(b or 0) for at, b in inside if at >= 0)
