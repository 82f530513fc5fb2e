"""What a day or week was like, from what is recorded of it: per balance and as a whole.

Balances are entered into a ledger as the daemon does it, so steps mean the same: falls are
consumption, rises are top-ups or refunds.  A gap is not zero consumption: what was used meanwhile
counts where it was read again, and a balance without any reading has none that is known.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Context, Decimal
from functools import reduce
from itertools import pairwise
from statistics import median

from monitor.core.ledger import (
    ZERO,
    LedgerState,
    Movement,
    MovementKind,
    advance,
    open_ledger,
    reopen,
)
from monitor.core.model import (
    DEFAULT_METER,
    Alert,
    Notification,
    NotificationState,
    Outage,
    Sample,
    Severity,
    Subject,
)
from monitor.core.periods import Period

GAP = timedelta(hours=2)
"""Readings further apart leave a gap, as samples are given by the hour: a fall across it happened
nobody knows when, and after it another key may speak for the account."""

GAP_INTERVALS = 3
"""Likewise in poll intervals, where those are long."""

HISTORY_SHARE = 2
"""A pace needs readings over one part in so many of the period."""

COMPARABLE_SHARE = 10
"""The period before is compared if readings began in the first one of so many parts of it."""

_EXACT = Context(prec=80)


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownMeter:
    """One balance and what is known of it now: an account's, or that of a key without one.

    ``keys`` read it.  ``balance`` None means no cap, or never read if ``read_at`` is None too.
    ``reference`` is the ledger's level that percentages refer to, ``interval`` the time between
    polls.
    """

    subject: Subject
    meter: str
    keys: tuple[str, ...]
    unit: str = ""
    balance: Decimal | None = None
    read_at: datetime | None = None
    reference: Decimal | None = None
    interval: timedelta = timedelta(0)

    @property
    def name(self) -> str:
        """What a person calls it."""
        label = self.subject.label
        return label if self.meter == DEFAULT_METER else f"{label} ({self.meter})"

    @property
    def gap(self) -> timedelta:
        """How far apart readings are that leave a gap."""
        return max(GAP, GAP_INTERVALS * self.interval)


@dataclass(frozen=True, slots=True, kw_only=True)
class Records:
    """What is recorded of the period and, as for samples, of the one before it."""

    samples: Sequence[Sample] = ()
    outages: Sequence[Outage] = ()
    alerts: Sequence[Alert] = ()
    notifications: Sequence[Notification] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Payments:
    """How many top-ups or refunds there were, and how much together."""

    count: int = 0
    amount: Decimal = ZERO


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """An amount and when: the lowest balance, or the hour in which most was used."""

    amount: Decimal
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Outlook:
    """How long the balance lasts from now on at the period's mean pace.

    ``lasts`` None: nothing was used, or ``known`` is False because there is not enough history.
    """

    known: bool
    lasts: timedelta | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class BalanceDigest:
    """One balance over the period; amounts are in ``known.unit``.

    ``consumed`` None: it was not read.  ``consumed_before`` None: not read over the whole period
    before; ``change_share`` is the change as a share of that.  ``gaps`` is the time in which it was
    not read, ``observed_since`` when readings began if that was within the period.
    """

    known: KnownMeter
    consumed: Decimal | None
    consumed_before: Decimal | None
    change_share: Decimal | None
    topped_up: Payments
    refunded: Payments
    lowest: Mark | None
    worst_hour: Mark | None
    outlook: Outlook
    gaps: timedelta
    observed_since: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Total:
    """All balances of one unit together; ``consumed_before`` None unless known of all of them."""

    unit: str
    consumed: Decimal
    consumed_before: Decimal | None
    change_share: Decimal | None
    topped_up: Payments
    refunded: Payments


@dataclass(frozen=True, slots=True, kw_only=True)
class FailedPolls:
    """Polls that gave no reading: how many, of how many keys, for how long (all keys together).

    ``longest`` is the longest run of one reason of one key, within the period.
    """

    count: int = 0
    keys: int = 0
    total: timedelta = timedelta(0)
    longest: timedelta = timedelta(0)
    longest_key: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertCounts:
    """Alerts without those that only tell of an event; ``still_open`` when the period ended."""

    opened: Mapping[Severity, int]
    resolved: int
    still_open: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ChannelDigest:
    """What one channel was sent in the period and how that went, reports included.

    ``median_delay`` is from when a notification was due to its delivery.
    """

    name: str
    delivered: int
    retries: int
    dead: int
    pending: int
    median_delay: timedelta | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Digest:
    """The whole report, made at ``at``; balances that end soonest come first."""

    period: Period
    at: datetime
    totals: tuple[Total, ...]
    balances: tuple[BalanceDigest, ...]
    failed_polls: FailedPolls
    alerts: AlertCounts
    channels: tuple[ChannelDigest, ...]
    unread_keys: tuple[str, ...]


def digest(
    period: Period,
    before: Period,
    *,
    at: datetime,
    meters: Sequence[KnownMeter],
    keys: Sequence[str],
    channels: Sequence[str],
    records: Records,
) -> Digest:
    """The report of *period* as of *at*, about *keys*, their *meters* and *channels*."""
    by_meter: dict[tuple[str, str], list[Sample]] = defaultdict(list)
    for sample in records.samples:
        by_meter[sample.key, sample.meter].append(sample)
    balances = [
        _balance(known, [by_meter[k, known.meter] for k in known.keys], period, before)
        for known in meters
    ]
    read = {
        name
        for (name, _), samples in by_meter.items()
        if any(s.until >= period.since and s.at < period.until for s in samples)
    }
    return Digest(
        period=period,
        at=at,
        totals=_totals(balances),
        balances=tuple(sorted(balances, key=_soonest_first)),
        failed_polls=_failed_polls(records.outages, period),
        alerts=_alert_counts(records.alerts, period),
        channels=tuple(_channel(name, records.notifications) for name in channels),
        unread_keys=tuple(name for name in keys if name not in read),
    )


def _soonest_first(balance: BalanceDigest) -> tuple[bool, timedelta, str, str]:
    lasts = balance.outlook.lasts
    known = balance.known
    return (lasts is None, lasts or timedelta(0), known.subject.label, known.meter)


def _totals(balances: Iterable[BalanceDigest]) -> tuple[Total, ...]:
    by_unit: dict[str, list[BalanceDigest]] = defaultdict(list)
    for balance in balances:
        if balance.consumed is not None:
            by_unit[balance.known.unit].append(balance)
    return tuple(_total(unit, by_unit[unit]) for unit in sorted(by_unit))


def _total(unit: str, balances: Sequence[BalanceDigest]) -> Total:
    before = [b.consumed_before for b in balances if b.consumed_before is not None]
    consumed = _add(b.consumed for b in balances if b.consumed is not None)
    consumed_before = _add(before) if len(before) == len(balances) else None
    return Total(
        unit=unit,
        consumed=consumed,
        consumed_before=consumed_before,
        change_share=_share(consumed, consumed_before),
        topped_up=_together(b.topped_up for b in balances),
        refunded=_together(b.refunded for b in balances),
    )


def _together(payments: Iterable[Payments]) -> Payments:
    found = list(payments)
    return Payments(count=sum(p.count for p in found), amount=_add(p.amount for p in found))


def _share(now: Decimal | None, before: Decimal | None) -> Decimal | None:
    """The change as a share of *before*, to a thousandth; None if nothing compares."""
    if now is None or not before:
        return None
    return (_EXACT.subtract(now, before) / before).quantize(_THOUSANDTH, context=_EXACT)


_THOUSANDTH = Decimal("0.001")


def _add(amounts: Iterable[Decimal]) -> Decimal:
    """The exact sum."""
    return reduce(_EXACT.add, amounts, ZERO)


# -- one balance ------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class _Step:
    """A movement, and when the balance was read last before it."""

    movement: Movement
    after: datetime


def _balance(
    known: KnownMeter, runs_by_key: Sequence[Sequence[Sample]], period: Period, before: Period
) -> BalanceDigest:
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
        change_share=_share(consumed, consumed_before),
        topped_up=_sum(inside, MovementKind.TOP_UP),
        refunded=refunded,
        lowest=_lowest(seen, period),
        worst_hour=_worst_hour(inside, known.gap),
        outlook=outlook(known.balance, consumed, refunded.amount, observed, period),
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
    return Payments(count=len(amounts), amount=_add(amounts))


def _used(steps: Iterable[_Step]) -> Decimal:
    """What was consumed, that within the steps of top-ups included."""
    moves = [s.movement for s in steps]
    falls = [m.amount for m in moves if m.kind is MovementKind.CONSUMPTION]
    return _add([*falls, *(m.used for m in moves)])


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
            hours[hour] = _EXACT.add(hours.get(hour, ZERO), moved.amount)
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
    used = _EXACT.subtract(consumed, refunded)
    if used <= 0:
        return Outlook(known=True)
    ratio = min(float(max(balance, ZERO) / used), _LONGEST / observed)
    return Outlook(known=True, lasts=ratio * observed)


_LONGEST = timedelta(days=3650)
"""Ten years are as good as for ever."""


# -- polls, alerts, deliveries ----------------------------------------------------------------


def _failed_polls(outages: Iterable[Outage], period: Period) -> FailedPolls:
    count, total, longest, longest_key = 0, timedelta(0), timedelta(0), ""
    keys = set()
    for outage in outages:
        start, end = max(outage.at, period.since), min(outage.until, period.until)
        if end < start:
            continue
        keys.add(outage.key)
        lasted, whole = end - start, outage.until - outage.at
        # Polls are evenly spaced, so a run across the edge has its share of them in the period.
        count += max(1, round(outage.polls * (lasted / whole))) if whole else outage.polls
        total += lasted
        if lasted > longest:
            longest, longest_key = lasted, outage.key
    return FailedPolls(
        count=count, keys=len(keys), total=total, longest=longest, longest_key=longest_key
    )


def _alert_counts(alerts: Iterable[Alert], period: Period) -> AlertCounts:
    episodes = [a for a in alerts if a.resolved_at is None or a.resolved_at > a.opened_at]
    opened = dict.fromkeys(Severity, 0)
    for alert in episodes:
        if period.since <= alert.opened_at < period.until:
            opened[alert.worst] += 1
    ended = [a for a in episodes if a.resolved_at and period.since <= a.resolved_at < period.until]
    still = [
        a
        for a in episodes
        if a.opened_at < period.until and (a.resolved_at is None or a.resolved_at >= period.until)
    ]
    still.sort(key=lambda a: (-a.severity.rank, a.opened_at))
    return AlertCounts(
        opened=opened,
        resolved=len(ended),
        still_open=tuple(f"{a.subject.label} {a.rule}" for a in still),
    )


def _channel(name: str, notifications: Iterable[Notification]) -> ChannelDigest:
    own = [n for n in notifications if n.channel == name]
    delivered = [n for n in own if n.state is NotificationState.DELIVERED]
    delays = [max(n.finished_at - n.due_at, timedelta(0)) for n in delivered if n.finished_at]
    seconds = [delay.total_seconds() for delay in delays]
    return ChannelDigest(
        name=name,
        delivered=len(delivered),
        retries=sum(max(0, n.attempts - 1) for n in own),
        dead=sum(n.state is NotificationState.DEAD for n in own),
        pending=sum(n.state is NotificationState.PENDING for n in own),
        median_delay=timedelta(seconds=median(seconds)) if seconds else None,
    )
