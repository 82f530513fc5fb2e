"""What a day or week was like, from what is recorded of it: per balance and as a whole."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from statistics import median

from monitor.core.digest_balances import add, balance_digest, share_of
from monitor.core.digest_values import (
    AlertCounts,
    BalanceDigest,
    ChannelDigest,
    Digest,
    FailedPolls,
    KnownMeter,
    Payments,
    Records,
    Total,
)
from monitor.core.events import Alert
from monitor.core.model import Outage, Sample, Severity
from monitor.core.notifications import Notification, NotificationState
from monitor.core.periods import Period


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
        balance_digest(known, [by_meter[k, known.meter] for k in known.keys], period, before)
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
    consumed = add(b.consumed for b in balances if b.consumed is not None)
    consumed_before = add(before) if len(before) == len(balances) else None
    return Total(
        unit=unit,
        consumed=consumed,
        consumed_before=consumed_before,
        change_share=share_of(consumed, consumed_before),
        topped_up=_together(b.topped_up for b in balances),
        refunded=_together(b.refunded for b in balances),
    )


def _together(payments: Iterable[Payments]) -> Payments:
    found = list(payments)
    return Payments(count=sum(p.count for p in found), amount=add(p.amount for p in found))


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
        still_open=tuple(f"{a.label} {a.rule}" for a in still),
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
