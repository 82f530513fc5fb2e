"""What one balance did in a day or week.

Balances are entered into a ledger as the daemon does it, so steps mean the same: falls are
consumption, rises are top-ups or refunds.  A gap is not zero consumption: what was used meanwhile
counts where it was read again, and a balance without any reading has none that is known.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Context, Decimal
from functools import reduce
from itertools import pairwise

from monitor.core.digest_values import BalanceDigest, KnownMeter, Mark, Outlook, Payments
from monitor.core.ledger import (
    ZERO,
    LedgerState,
    Movement,
    MovementKind,
    advance,
    open_ledger,
    reopen,
)
from monitor.core.model import Sample
from monitor.core.periods import Period

HISTORY_SHARE = 2
"""A pace needs readings over one part in so many of the period."""

COMPARABLE_SHARE = 10
"""The period before is compared if readings began in the first one of so many parts of it."""

EXACT = Context(prec=80)


def share_of(now: Decimal | None, before: Decimal | None) -> Decimal | None:
    """The change as a share of *before*, to a thousandth; None if nothing compares."""
    if now is None or not before:
        return None
    return (EXACT.subtract(now, before) / before).quantize(_THOUSANDTH, context=EXACT)


_THOUSANDTH = Decimal("0.001")


def add(amounts: Iterable[Decimal]) -> Decimal:
    """The exact sum."""
    return reduce(EXACT.add, amounts, ZERO)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Step:
    """A movement, and when the balance was read last before it."""

    movement: Movement
    after: datetime


def balance_digest(
    known: KnownMeter, runs_by_key: Sequence[Sequence[Sample]], period: Period, before: Period
) -> BalanceDigest:
    """What the balance *known*, read by its keys in *runs_by_key*, did in *period*."""
    runs = _one_voice(runs_by_key, known.gap)
    steps = _steps(runs, known)
    inside = [s for s in steps if period.since <= s.movement.at < period.until]
    earlier = [s for s in steps if before.since <= s.movement.at < before.until]
    seen = [r for r in runs if r.until >= period.since and r.at < period.until]
    began = runs[0].at if runs else None
    consumed = _used(inside) if seen else None
    observed = _observed(runs, seen, period)
    compares = began is not None and began <= before.since + before.length / COMPARABLE_SHARE
    consumed_before = _used(earlier) if compares else None
    refunded = _sum(inside, MovementKind.REFUND)
    return BalanceDigest(
        known=known,
        consumed=consumed,
        consumed_before=consumed_before,
        change_share=share_of(consumed, consumed_before),
        topped_up=_sum(inside, MovementKind.TOP_UP),
        refunded=refunded,
        lowest=_lowest(seen, period),
        worst_hour=_worst_hour(inside, known.gap),
        outlook=known.forecast
        or outlook(known.balance, consumed, refunded.amount, observed, period),
        gaps=_gaps(runs, period, known.gap),
        observed_since=began if began is not None and began > period.since else None,
    )


def _one_voice(runs_by_key: Sequence[Sequence[Sample]], gap: timedelta) -> list[Sample]:
    """The runs of one balance that several keys may read, one key at a time.

    Caches of different age would look like charges and refunds, were they entered in turn.
    """
    runs = sorted((run for runs in runs_by_key for run in runs), key=lambda run: run.at)
    voiced: list[Sample] = []
    for run in runs:
        last = voiced[-1] if voiced else None
        if last is None or run.key == last.key or run.at - last.until >= gap:
            voiced.append(run)
    return voiced


def _steps(runs: Sequence[Sample], known: KnownMeter) -> list[_Step]:
    """Every movement between the runs, oldest first."""
    steps: list[_Step] = []
    ledger: LedgerState | None = None
    for earlier, run in pairwise([None, *runs]):
        if run is None or run.balance is None:
            continue
        if ledger is None:
            # What was the level then is not recorded; the present one is the best that is known.
            ledger = open_ledger(run.at, run.balance, known.unit)
            level = max(run.balance, known.reference or run.balance)
            ledger = replace(ledger, reference=level)
        elif earlier is not None and earlier.balance is None:
            ledger = reopen(ledger, run.at, run.balance)
        else:
            after = ledger.at
            ledger, movement = advance(ledger, run.at, run.balance)
            if movement is not None:
                steps.append(_Step(movement=movement, after=after))
        ledger = replace(ledger, at=max(ledger.at, run.until))
    return steps


def _sum(steps: Iterable[_Step], kind: MovementKind) -> Payments:
    amounts = [s.movement.amount for s in steps if s.movement.kind is kind]
    return Payments(count=len(amounts), amount=add(amounts))


def _used(steps: Iterable[_Step]) -> Decimal:
    """What was consumed, that within the steps of top-ups included."""
    moves = [s.movement for s in steps]
    falls = [m.amount for m in moves if m.kind is MovementKind.CONSUMPTION]
    return add([*falls, *(m.used for m in moves)])


def _lowest(seen: Sequence[Sample], period: Period) -> Mark | None:
    """The lowest balance and when it was first read in the period."""
    amounts = [(s.balance, max(s.at, period.since)) for s in seen if s.balance is not None]
    if not amounts:
        return None
    amount, at = min(amounts)
    return Mark(amount=amount, at=at)


def _worst_hour(steps: Iterable[_Step], gap: timedelta) -> Mark | None:
    """The hour of the clock in which most was used; falls across gaps belong to no hour."""
    hours: dict[datetime, Decimal] = {}
    for step in steps:
        moved = step.movement
        if moved.kind is MovementKind.CONSUMPTION and moved.at - step.after < gap:
            hour = moved.at.replace(minute=0, second=0, microsecond=0)
            hours[hour] = EXACT.add(hours.get(hour, ZERO), moved.amount)
    if not hours:
        return None
    at = max(hours, key=lambda hour: (hours[hour], -hour.timestamp()))
    return Mark(amount=hours[at], at=at)


def _gaps(runs: Sequence[Sample], period: Period, gap: timedelta) -> timedelta:
    """How much of the period lies between readings that are *gap* or more apart."""
    total = timedelta(0)
    ends = [(a.until, b.at) for a, b in pairwise(runs)]
    if runs:
        ends.append((runs[-1].until, period.until))
    for start, end in ends:
        if end - start >= gap:
            total += max(min(end, period.until) - max(start, period.since), timedelta(0))
    return total


def _observed(runs: Sequence[Sample], seen: Sequence[Sample], period: Period) -> timedelta:
    """From the first reading in the period, or its start if there were some before, to the last."""
    if not seen:
        return timedelta(0)
    start = period.since if runs[0].at <= period.since else seen[0].at
    return min(seen[-1].until, period.until) - start


def outlook(
    balance: Decimal | None,
    consumed: Decimal | None,
    refunded: Decimal,
    observed: timedelta,
    period: Period,
) -> Outlook:
    """How long *balance* lasts at the mean pace of what was *consumed* within *observed*.

    A plain statement, no forecast: it knows no rhythm.  Below half a period of readings there is
    not enough history.
    """
    if balance is None or consumed is None or observed < period.length / HISTORY_SHARE:
        return Outlook(known=False)
    used = EXACT.subtract(consumed, refunded)
    if used <= 0:
        return Outlook(known=True)
    ratio = min(float(max(balance, ZERO) / used), _LONGEST / observed)
    return Outlook(known=True, lasts=ratio * observed)


_LONGEST = timedelta(days=3650)
"""Ten years are as good as for ever."""
