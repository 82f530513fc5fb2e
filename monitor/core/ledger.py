"""From irregular balance samples to consumption, top-ups and refunds, exact in decimals.

A step down is consumption.  A step up is a top-up, or a refund when it is small and follows a
charge.  A gap or a failed poll is not zero consumption: the next reading carries it.  Why the line
between refund and top-up lies where it does: ``docs/decisions/0002-ledger-classification.md``.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import ROUND_CEILING, Context, Decimal
from enum import StrEnum

REFUND_WINDOW = timedelta(hours=1)
"""A job's refund follows its charge within this time; kie.ai gives no figure, an hour covers what
integrators report."""

REFUND_SHARE = Decimal("0.1")
"""A refund is at most this share of the reference level; anything larger is a top-up."""

JOB_SHARE = Decimal("0.4")
"""Once a payment was seen, what was charged may come back up to this share of it: people pay in
amounts of one size, and a whole job that failed can be more than a tenth of a low level."""

CRUMB_SHARE = Decimal("0.01")
"""A rise up to this share of the reference level is given back whether or not a charge is known:
a late refund, a rounding, a correction.  Nobody pays in so little, and taking it for a top-up would
make the present balance the new reference and so disarm every percentage."""

ZERO = Decimal(0)

_UNCERTAIN = 2
"""What was used within the step of a top-up lies between nothing and so many times the usual."""

_ROUND_SHARE = Decimal("0.1")
"""A payment is rounded up by at most this share of the rise."""

_BUCKET = timedelta(minutes=15)
"""Charges of a quarter of an hour are kept as one, so that a ledger stays a few hundred bytes."""

_EXACT = Context(prec=80)
"""Amounts have at most 30 digits on either side of the point (``fields.parse_amount``): every sum
and difference of them is exact; the default context would round to 28 digits."""

_UP = Context(prec=80, rounding=ROUND_CEILING)

_ROUND_DIGITS = 6
"""An amount with more digits than this is not round."""

_TOP_UPS_KEPT = 5
"""Times of top-ups that are remembered: enough to see a rhythm in them."""

Charges = tuple[tuple[datetime, Decimal], ...]


class MovementKind(StrEnum):
    """What a step of the balance means."""

    CONSUMPTION = "consumption"
    TOP_UP = "top_up"
    REFUND = "refund"


@dataclass(frozen=True, slots=True, kw_only=True)
class Movement:
    """One step of a balance: ``amount`` is always positive, in the meter's unit.

    ``used`` is what a top-up's step is taken to have used besides.
    """

    kind: MovementKind
    amount: Decimal
    at: datetime
    balance: Decimal
    used: Decimal = ZERO


@dataclass(frozen=True, slots=True, kw_only=True)
class LedgerState:
    """The running account of one meter.

    ``reference`` is the level that percentages refer to: the balance after the last top-up, until
    one is seen the highest balance seen.  ``charges`` are the recent steps down that a refund may
    give back: (start of a quarter of an hour, amount), oldest first, at most half a dozen.
    ``last_payment`` is the amount of the last top-up, ``top_ups`` the times of the last few.
    """

    at: datetime
    balance: Decimal
    unit: str
    reference: Decimal
    topped_up_at: datetime | None = None
    consumed_total: Decimal = ZERO
    topped_up_total: Decimal = ZERO
    refunded_total: Decimal = ZERO
    charges: Charges = ()
    last_payment: Decimal | None = None
    top_ups: tuple[datetime, ...] = ()


def open_ledger(at: datetime, balance: Decimal, unit: str) -> LedgerState:
    """The ledger of a meter's first reading, or of its first one in another unit."""
    return LedgerState(at=at, balance=balance, unit=unit, reference=balance)


def reopen(state: LedgerState, at: datetime, balance: Decimal) -> LedgerState:
    """The ledger after a time without an amount (the provider reported no cap).

    The totals go on; the step from the last amount to this one is neither consumption nor payment.
    """
    return replace(state, at=at, balance=balance, reference=balance, topped_up_at=None, charges=())


def may_enter(
    key: str, speaker: str, state: LedgerState, at: datetime, interval: timedelta
) -> bool:
    """Whether a reading through *key* is entered into an account's ledger that *speaker* fed last.

    Two keys of one account show the same balance a moment apart, or from caches of different age:
    entered in turn, the differences would look like charges and refunds.  So one key speaks for the
    account, and another takes over once nothing was entered for as long as its own *interval*.
    """
    return key == speaker or abs(at - state.at) >= interval


def advance(
    state: LedgerState, at: datetime, balance: Decimal
) -> tuple[LedgerState, Movement | None]:
    """Enter a reading of *balance* at *at*; a reading older than the last one changes nothing."""
    if at < state.at:
        return state, None
    if balance == state.balance:
        return replace(state, at=at), None
    charges = _recent(state)
    if balance < state.balance:
        return _consume(state, at, balance, charges)
    if _is_refund(state, balance, charges):
        return _refund(state, at, balance, charges)
    return _top_up(state, at, balance, charges)


def _recent(state: LedgerState) -> Charges:
    """The charges that may still be given back: those of the hour before the last reading.

    Counted from there and not from the present, because a refund may have come at any time of the
    step: after a gap, or with polls hours apart, every charge would be too old.
    """
    return tuple(charge for charge in state.charges if state.at - charge[0] <= REFUND_WINDOW)


def _is_refund(state: LedgerState, balance: Decimal, charges: Charges) -> bool:
    rise = _EXACT.subtract(balance, state.balance)
    level = max(state.reference, ZERO)
    if rise <= level * CRUMB_SHARE:
        return True
    if rise <= level * REFUND_SHARE and _may_hide_a_charge(state):
        return True
    most = max(level * REFUND_SHARE, (state.last_payment or ZERO) * JOB_SHARE)
    return rise <= most and rise <= _sum(charges)


def _may_hide_a_charge(state: LedgerState) -> bool:
    """Whether the step of a top-up lies within the window: what it charged nobody has seen."""
    paid_at = state.topped_up_at
    return paid_at is not None and state.at - paid_at <= REFUND_WINDOW


def _consume(
    state: LedgerState, at: datetime, balance: Decimal, charges: Charges
) -> tuple[LedgerState, Movement]:
    amount = _EXACT.subtract(state.balance, balance)
    after = replace(
        state,
        at=at,
        balance=balance,
        consumed_total=_EXACT.add(state.consumed_total, amount),
        charges=_with(charges, at, amount),
    )
    return after, Movement(kind=MovementKind.CONSUMPTION, amount=amount, at=at, balance=balance)


def _refund(
    state: LedgerState, at: datetime, balance: Decimal, charges: Charges
) -> tuple[LedgerState, Movement]:
    amount = _EXACT.subtract(balance, state.balance)
    after = replace(
        state,
        at=at,
        balance=balance,
        reference=state.reference if state.topped_up_at else max(state.reference, balance),
        refunded_total=_EXACT.add(state.refunded_total, amount),
        charges=_without(charges, amount),
    )
    return after, Movement(kind=MovementKind.REFUND, amount=amount, at=at, balance=balance)


def _top_up(
    state: LedgerState, at: datetime, balance: Decimal, charges: Charges
) -> tuple[LedgerState, Movement]:
    rise = _EXACT.subtract(balance, state.balance)
    amount = _payment(rise, _sum(charges), at - state.at, state.last_payment)
    used = _EXACT.subtract(amount, rise)
    after = replace(
        state,
        at=at,
        balance=balance,
        reference=balance,
        topped_up_at=at,
        consumed_total=_EXACT.add(state.consumed_total, used),
        topped_up_total=_EXACT.add(state.topped_up_total, amount),
        charges=_with(charges, at, used) if used else charges,
        last_payment=amount,
        top_ups=(*state.top_ups[1 - _TOP_UPS_KEPT :], at),
    )
    return after, Movement(
        kind=MovementKind.TOP_UP, amount=amount, at=at, balance=balance, used=used
    )


def _payment(rise: Decimal, hourly: Decimal, length: timedelta, last: Decimal | None) -> Decimal:
    """What was paid in where the balance rose by *rise* in a step of *length*.

    The step hides what was used in it: about as much as before, which was *hourly* in the last
    hour, and at most twice that.  Within reach of that lies the *last* payment again, or else the
    roundest amount: people pay 10,000, not 9,987.3.  For round amounts use counts only up to a
    tenth of the rise, because everything is within reach of a long gap.
    """
    most = _EXACT.multiply(hourly, Decimal(_UNCERTAIN * (length / REFUND_WINDOW)))
    if last is not None and rise <= last <= _EXACT.add(rise, most):
        return last
    highest = _EXACT.add(rise, min(most, _EXACT.multiply(rise, _ROUND_SHARE)))
    for exponent in range(highest.adjusted(), rise.adjusted() - _ROUND_DIGITS, -1):
        amount = _UP.quantize(rise, Decimal(1).scaleb(exponent))
        if amount <= highest:
            return Decimal(f"{amount:f}")  # 1E+4 is 10000 to everybody who reads it
    return rise


def _with(charges: Charges, at: datetime, amount: Decimal) -> Charges:
    """*charges* and one more, in the newest quarter of an hour or a new one."""
    if charges and at - charges[-1][0] < _BUCKET:
        start, before = charges[-1]
        return (*charges[:-1], (start, _EXACT.add(before, amount)))
    return (*charges, (at, amount))


def _without(charges: Charges, amount: Decimal) -> Charges:
    """*charges* less *amount*, newest first: what was given back cannot be given back again."""
    left = amount
    kept: list[tuple[datetime, Decimal]] = []
    for at, charge in reversed(charges):
        taken = min(left, charge)
        left = _EXACT.subtract(left, taken)
        if charge > taken:
            kept.append((at, _EXACT.subtract(charge, taken)))
    return tuple(reversed(kept))


def _sum(charges: Charges) -> Decimal:
    total = ZERO
    for _, amount in charges:
        total = _EXACT.add(total, amount)
    return total
