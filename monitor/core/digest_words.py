"""A digest as a message: a summary, then one story per balance, the one that ends soonest first."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta, tzinfo
from decimal import Decimal

from monitor.core import wording
from monitor.core.digest_values import (
    BalanceDigest,
    ChannelDigest,
    Digest,
    Mark,
    Outlook,
    Payments,
    Total,
)
from monitor.core.messages import TITLE_LENGTH, Message
from monitor.core.model import Severity
from monitor.core.periods import Every, Period
from monitor.core.stories import NAMES_LENGTH, Story

BALANCES_TOLD = 9
"""Balances with a story of their own; the others share one, so nothing else is cut for them."""

CHANNELS_TOLD = 20
"""Channels whose deliveries the summary tells one by one."""

Fact = tuple[str, str]


def digest_message(digest: Digest, *, timezone: tzinfo, due_at: datetime | None = None) -> Message:
    """*digest* as a message with times in *timezone*.

    *due_at* is when it should have been made, if that was missed.
    """
    period = digest.period
    name = {Every.DAY: "Daily", Every.WEEK: "Weekly"}[period.kind]
    title = f"{name} report, {dates(period, timezone)}: {_news(digest)}"
    return Message(
        title=wording.clip(title, TITLE_LENGTH),
        severity=Severity.INFO,
        stories=(
            _summary(digest, timezone),
            *(_balance(b, period, timezone) for b in digest.balances[:BALANCES_TOLD]),
            *_others(digest.balances[BALANCES_TOLD:]),
        ),
        notes=_late(due_at, timezone),
        source=f"credit-monitor report --period {period.kind}",
    )


def _late(due_at: datetime | None, timezone: tzinfo) -> tuple[str, ...]:
    if due_at is None:
        return ()
    due = wording.clock(due_at, timezone)
    return (f"This report was due at {due} and could not be made before.",)


def _news(digest: Digest) -> str:
    used = [f"{wording.amount(t.consumed, t.unit)} used{_trend(t)}" for t in digest.totals]
    return ", ".join(used) or "no balance was read"


def _trend(total: Total) -> str:
    words = change(total.change_share)
    return f" ({words})" if words else ""


# -- pieces that the command line shares ----------------------------------------------------


def dates(period: Period, timezone: tzinfo) -> str:
    """The days of *period*: ``Sun 26 Apr 2026``, or ``20 Apr to 26 Apr 2026``."""
    first = period.since.astimezone(timezone)
    last = (period.until - timedelta(seconds=1)).astimezone(timezone)
    if period.kind is Every.DAY:
        return f"{first:%a} {first.day} {first:%b %Y}"
    return f"{first.day} {first:%b} to {last.day} {last:%b %Y}"


def change(share: Decimal | None) -> str:
    """A change in words: ``12% more``, ``as much``; empty where nothing is compared."""
    if share is None:
        return ""
    rounded = abs(share).quantize(Decimal("0.01"))
    if not rounded:
        return "as much"
    return f"{wording.percentage(rounded)} {'more' if share > 0 else 'less'}"


def runs_out(outlook: Outlook) -> str:
    """How long the balance lasts, in words."""
    if not outlook.known:
        return "not enough history"
    if outlook.lasts is None:
        return "nothing was used"
    if outlook.lasts >= timedelta(days=365):
        return "more than a year"
    days = outlook.lasts / timedelta(days=1)
    if days >= 2:  # noqa: PLR2004 - below, hours say more
        return f"about {days:.0f} days"
    hours = outlook.lasts / timedelta(hours=1)
    return f"about {hours:.0f} h" if hours >= 1 else "less than an hour"


def failed_polls(digest: Digest) -> str:
    """Failed polls in one sentence, or ``none``."""
    failed = digest.failed_polls
    if not failed.count:
        return "none"
    text = f"{failed.count:,} of {_count(failed.keys, 'key')}"
    if not failed.total:
        return text
    longest = f"the longest {wording.span(failed.longest)} ({failed.longest_key})"
    return f"{text}, over {wording.span(failed.total)} in all, {longest}"


def alerts(digest: Digest) -> str:
    """Alerts in one sentence."""
    found = digest.alerts
    worst_first = sorted(found.opened, key=lambda severity: -severity.rank)
    parts = [f"{found.opened[s]} {s}" for s in worst_first if found.opened[s]]
    severities = f" ({', '.join(parts)})" if parts else ""
    text = f"{sum(found.opened.values())} opened{severities}, {found.resolved} resolved"
    if found.still_open:
        text += f"; still open: {wording.listing(found.still_open, NAMES_LENGTH // 2)}"
    return text


def deliveries(channel: ChannelDigest) -> str:
    """How a channel did in one sentence."""
    parts = [f"{channel.delivered:,} delivered"]
    if channel.retries:
        parts.append(f"{channel.retries:,} {'retry' if channel.retries == 1 else 'retries'}")
    if channel.dead:
        parts.append(f"{channel.dead:,} never delivered")
    if channel.pending:
        parts.append(f"{channel.pending:,} waiting")
    if channel.median_delay is not None:
        parts.append(f"half of them within {wording.span(channel.median_delay)}")
    return ", ".join(parts)


def payments(paid: Payments, unit: str, noun: str) -> str:
    """What was paid in or given back, empty if nothing was."""
    if not paid.count:
        return ""
    return f"{wording.amount(paid.amount, unit)} in {_count(paid.count, noun)}"


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


# -- stories --------------------------------------------------------------------------------


def _summary(digest: Digest, timezone: tzinfo) -> Story:
    period = digest.period
    unread = digest.unread_keys
    facts = [
        ("Period", f"{wording.clock(period.since, timezone)} to {_end(period, timezone)}"),
        ("Used", "; ".join(_used(t, period) for t in digest.totals)),
        ("Topped up", _joined(payments(t.topped_up, t.unit, "payment") for t in digest.totals)),
        ("Refunded", _joined(payments(t.refunded, t.unit, "refund") for t in digest.totals)),
        ("Alerts", alerts(digest)),
        ("Failed polls", failed_polls(digest)),
        ("Keys without a reading", wording.listing(unread, NAMES_LENGTH) if unread else ""),
        *_channel_facts(digest),
    ]
    return Story(
        name="Summary",
        about_key=False,
        headline=f"Summary of {_count(len(digest.balances), 'balance')}",
        severity=Severity.INFO,
        facts=_filled(facts),
    )


def _channel_facts(digest: Digest) -> list[Fact]:
    shown = digest.channels[:CHANNELS_TOLD]
    facts = [(f"Messages to {channel.name}", deliveries(channel)) for channel in shown]
    rest = len(digest.channels) - len(shown)
    return [*facts, ("Further channels", str(rest))] if rest else facts


def _end(period: Period, timezone: tzinfo) -> str:
    return wording.clock(period.until, timezone)


def _joined(texts: Iterable[str]) -> str:
    return "; ".join(text for text in texts if text)


def _filled(facts: Iterable[Fact]) -> tuple[Fact, ...]:
    return tuple((label, text) for label, text in facts if text)


def _used(total: Total | BalanceDigest, period: Period) -> str:
    unit = total.unit if isinstance(total, Total) else total.known.unit
    if total.consumed is None:
        return "not known, there was no reading"
    text = wording.amount(total.consumed, unit)
    if total.consumed_before is None:
        return text
    than = f"{wording.amount(total.consumed_before, unit)} the {period.kind} before"
    words = change(total.change_share)
    return f"{text} ({words}: {than})" if words else f"{text} ({than})"


def _balance(balance: BalanceDigest, period: Period, timezone: tzinfo) -> Story:
    known, unit = balance.known, balance.known.unit
    facts = [
        ("Used", _used(balance, period)),
        ("At this pace enough for", runs_out(balance.outlook) if _projects(balance) else ""),
        ("Topped up", payments(balance.topped_up, unit, "payment")),
        ("Refunded", payments(balance.refunded, unit, "refund")),
        ("Lowest", _mark(balance.lowest, unit, timezone)),
        ("Most in an hour", _mark(balance.worst_hour, unit, timezone)),
        ("Not read for", _gaps(balance)),
        ("First reading", _moment(balance.observed_since, timezone)),
    ]
    return Story(
        name=known.name,
        about_key=bool(known.subject.key),
        headline=f"{known.name}: {left(balance)}",
        severity=Severity.INFO,
        facts=_filled(facts),
    )


def _others(balances: Sequence[BalanceDigest]) -> list[Story]:
    if not balances:
        return []
    lines = [f"{b.known.name}: {left(b)}" for b in balances]
    headline = _count(len(balances), "further balance")
    facts = (("Soonest used up first", wording.listing(lines, NAMES_LENGTH)),)
    return [
        Story(
            name=headline,
            about_key=False,
            headline=headline,
            severity=Severity.INFO,
            facts=facts,
        )
    ]


def left(balance: BalanceDigest) -> str:
    """What is left now, in words."""
    known = balance.known
    if known.read_at is None:
        return "never read"
    if known.balance is None:
        return "no cap"
    return f"{wording.amount(known.balance, known.unit)} left"


def _projects(balance: BalanceDigest) -> bool:
    return balance.consumed is not None and balance.known.balance is not None


def _mark(mark: Mark | None, unit: str, timezone: tzinfo) -> str:
    if mark is None:
        return ""
    return f"{wording.amount(mark.amount, unit)}, {wording.clock(mark.at, timezone)}"


def _gaps(balance: BalanceDigest) -> str:
    if not balance.gaps:
        return ""
    return f"{wording.span(balance.gaps)} in all; what was used then counts where it was read again"


def _moment(at: datetime | None, timezone: tzinfo) -> str:
    return "" if at is None else wording.clock(at, timezone)
