"""The scripts of simulated accounts: the same times and seed give the same balances."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from monitor.providers.simulator import PASSING_FAULTS, Account, Mode

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)


def test_an_idle_account_keeps_its_balance() -> None:
    account = Account(token="idle", balance=Decimal("12.5"))

    assert account.advance(NOON) == account.advance(NOON + 100 * HOUR) == Decimal("12.5")


def test_a_draining_account_falls_in_whole_charges() -> None:
    account = Account(token="busy", balance=Decimal(100), per_hour=Decimal(6), charge=Decimal(2))
    account.advance(NOON)

    balances = [account.advance(NOON + timedelta(minutes=m)) for m in (19, 20, 39, 40, 60)]

    assert balances == [100, 98, 98, 96, 94]


def test_a_drained_account_stays_at_zero() -> None:
    account = Account(token="busy", balance=Decimal(1), per_hour=Decimal(6))
    account.advance(NOON)

    assert account.advance(NOON + 9 * HOUR) == 0


def test_top_ups_come_at_their_times_even_when_nobody_asked_in_between() -> None:
    account = Account(token="paid", balance=Decimal(10), top_up=Decimal(50), top_up_every=HOUR)
    account.advance(NOON)

    assert account.advance(NOON + 3.5 * HOUR) == 160


def test_what_was_used_before_a_top_up_cannot_be_taken_from_it() -> None:
    account = Account(
        token="paid",
        balance=Decimal(1),
        per_hour=Decimal(10),
        charge=Decimal(1),
        top_up=Decimal(50),
        top_up_every=HOUR,
    )
    account.advance(NOON)

    assert account.advance(NOON + HOUR) == 50


@given(st.lists(st.integers(0, 3600), min_size=1, max_size=20))
def test_asking_more_often_changes_nothing(offsets: list[int]) -> None:
    def account() -> Account:
        return Account(token="busy", balance=Decimal(1000), per_hour=Decimal(720))

    often, once = account(), account()
    for machine in (often, once):
        machine.advance(NOON)
    for offset in sorted(offsets):
        often.advance(NOON + timedelta(seconds=offset))

    end = NOON + timedelta(seconds=3601)
    assert often.advance(end) == once.advance(end)


def test_failures_now_and_then_are_drawn_from_the_given_chance() -> None:
    account = Account(token="flaky", failure_share=0.3)

    def statuses(seed: int) -> list[bytes]:
        chance = random.Random(seed)
        return [account.answer(NOON, chance).body for _ in range(200)]

    assert statuses(1) == statuses(1) != statuses(2)
    good = sum(b'"data":1000' in body for body in statuses(1))
    assert 110 < good < 170
    assert Mode.OK not in PASSING_FAULTS
