"""From irregular balance samples to consumption, top-ups and refunds, exact in decimals.

A step down is consumption.  A step up is a top-up, or a refund when it is small and follows a
charge.  A gap or a failed poll is not zero consumption: the next reading carries it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal
from enum import StrEnum

REFUND_WINDOW = timedelta(hours=1)
"""A job's refund follows its charge within this time; kie.ai gives no figure, an hour covers what
integrators report."""

REFUND_SHARE = Decimal("0.1")
"""A refund is at most this share of the reference level; anything larger is a top-up."""

ZERO = Decimal(0)


class MovementKind(StrEnum):
    """What a step of the balance means."""

    CONSUMPTION = "consumption"
    TOP_UP = "top_up"
    REFUND = "refund"


@dataclass(frozen=True, slots=True, kw_only=True)
class Movement:
    """One step of a balance: ``amount`` is always positive, in the meter's unit."""

    kind: MovementKind
    amount: Decimal
    at: datetime
    balance: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class LedgerState:
    """The running account of one meter.

    ``reference`` is the level that percentages refer to: the balance after the last top-up, until
    one is seen the highest balance seen.  ``charges`` are the recent steps down (time, amount) that
    a refund may give back.
    """

    at: datetime
    balance: Decimal
    unit: str
    reference: Decimal
    topped_up_at: datetime | None = None
    consumed_total: Decimal = ZERO
    topped_up_total: Decimal = ZERO
    refunded_total: Decimal = ZERO
    charges: tuple[tuple[datetime, Decimal], ...] = ()


def open_ledger(at: datetime, balance: Decimal, unit: str) -> LedgerState:
    """The ledger of a meter's first reading."""
    return LedgerState(at=at, balance=balance, unit=unit, reference=balance)


def advance(
    state: LedgerState, at: datetime, balance: Decimal
) -> tuple[LedgerState, Movement | None]:
    """Enter a reading of *balance* at *at*; a reading older than the last one changes nothing."""
    if at < state.at:
        return state, None
    delta = balance - state.balance
    if not delta:
        return replace(state, at=at), None
    charges = tuple(c for c in state.charges if at - c[0] <= REFUND_WINDOW)
    if delta < 0:
        return _consume(state, at, balance, charges)
    if delta <= min(sum((c[1] for c in charges), ZERO), state.reference * REFUND_SHARE):
        return _refund(state, at, balance, charges)
    return _top_up(state, at, balance)


_MAX_CHARGES = 60


def _consume(
    state: LedgerState,
    at: datetime,
    balance: Decimal,
    charges: tuple[tuple[datetime, Decimal], ...],
) -> tuple[LedgerState, Movement]:
    amount = state.balance - balance
    after = replace(
        state,
        at=at,
        balance=balance,
        consumed_total=state.consumed_total + amount,
        charges=(*charges, (at, amount))[-_MAX_CHARGES:],
    )
    return after, Movement(kind=MovementKind.CONSUMPTION, amount=amount, at=at, balance=balance)


def _refund(
    state: LedgerState,
    at: datetime,
    balance: Decimal,
    charges: tuple[tuple[datetime, Decimal], ...],
) -> tuple[LedgerState, Movement]:
    amount = balance - state.balance
    after = replace(
        state,
        at=at,
        balance=balance,
        reference=state.reference if state.topped_up_at else max(state.reference, balance),
        refunded_total=state.refunded_total + amount,
        charges=_without(charges, amount),
    )
    return after, Movement(kind=MovementKind.REFUND, amount=amount, at=at, balance=balance)


def _without(
    charges: tuple[tuple[datetime, Decimal], ...], amount: Decimal
) -> tuple[tuple[datetime, Decimal], ...]:
    """*charges* less *amount*, newest first: what was given back cannot be given back again."""
    left = amount
    kept: list[tuple[datetime, Decimal]] = []
    for at, charge in reversed(charges):
        taken = min(left, charge)
        left -= taken
        if charge > taken:
            kept.append((at, charge - taken))
    return tuple(reversed(kept))


def _top_up(state: LedgerState, at: datetime, balance: Decimal) -> tuple[LedgerState, Movement]:
    amount = balance - state.balance
    after = replace(
        state,
        at=at,
        balance=balance,
        reference=balance,
        topped_up_at=at,
        topped_up_total=state.topped_up_total + amount,
        charges=(),
    )
    return after, Movement(kind=MovementKind.TOP_UP, amount=amount, at=at, balance=balance)
