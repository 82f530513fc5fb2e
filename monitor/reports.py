"""The report of a day or week from the store: gathered in one go, for command line and daemon."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta, tzinfo
from math import isinf
from typing import Protocol

from monitor.core.digest import digest
from monitor.core.digest_values import Digest, KnownMeter, Outlook, Records
from monitor.core.digest_words import digest_message
from monitor.core.forecast import ForecastState, forecast
from monitor.core.messages import Message
from monitor.core.model import HOST, Kind, Subject
from monitor.core.periods import Every, Period, last_period, period_before
from monitor.core.projection import LONGEST
from monitor.core.routing import Filters
from monitor.store.base import PeriodRecords, Store, StoredForecast, StoredKey, StoredLedger
from monitor.world import WatchedKey, concern_of, present_forecasts


@dataclass(frozen=True, slots=True, kw_only=True)
class Material:
    """All that the store holds about a period, from which the reports of all channels are made."""

    period: Period
    before: Period
    keys: Sequence[StoredKey]
    ledgers: Sequence[StoredLedger]
    forecasts: Sequence[StoredForecast]
    records: PeriodRecords


def gather(store: Store, kind: Every, now: datetime, zone: tzinfo) -> Material:
    """What is recorded of the last whole day or week before *now* in *zone*.

    Raises :class:`~monitor.store.base.StoreError` when the store does not answer.
    """
    period = last_period(kind, now, zone)
    before = period_before(period, zone)
    return Material(
        period=period,
        before=before,
        keys=store.keys(),
        ledgers=store.ledgers(),
        forecasts=store.forecasts(),
        records=store.period(before.since, period.since, period.until),
    )


def make(
    material: Material, now: datetime, watched: Sequence[WatchedKey], channels: Sequence[str]
) -> Digest:
    """The digest about the *watched* keys and the deliveries of *channels*, as of *now*."""
    names = {key.name for key in watched}
    subjects = {s.id for key in watched for s in _subjects(key)}
    without_balance = {k.name for k in material.keys if k.state.last_success_at and not _reads(k)}
    records = material.records
    return digest(
        material.period,
        material.before,
        at=now,
        meters=_meters(material, watched),
        keys=[key.name for key in watched if key.name not in without_balance],
        channels=channels,
        records=Records(
            samples=records.samples,
            outages=[o for o in records.outages if o.key in names],
            alerts=[a for a in records.alerts if a.subject.id in subjects],
            notifications=records.notifications,
        ),
    )


def _reads(key: StoredKey) -> bool:
    """Whether a balance of *key* is read."""
    return any(reading.kind is Kind.BALANCE for reading, _ in key.meters)


def _subjects(key: WatchedKey) -> Iterable[Subject]:
    """What alerts that concern *key* are about."""
    return key.subject, key.balance_subject, Subject(key.origin or key.provider), HOST


def _meters(material: Material, watched: Sequence[WatchedKey]) -> list[KnownMeter]:
    """The balances that the watched keys read; of an account's, as its last reading was."""
    stored = {key.name: key for key in material.keys}
    ledgers = {(x.subject_id, x.meter): x.state for x in material.ledgers}
    states = present_forecasts(material.forecasts, ledgers)
    found: dict[tuple[str, str], KnownMeter] = {}
    for key in watched:
        known = stored.get(key.name)
        if known is None or known.provider != key.provider:
            continue
        for reading, at in known.meters:
            if reading.kind is not Kind.BALANCE:
                continue
            slot = (key.balance_subject.id, reading.meter)
            other = found.get(slot)
            newest = other is None or other.read_at is None or at > other.read_at
            found[slot] = KnownMeter(
                subject=key.balance_subject,
                meter=reading.meter,
                keys=(*(other.keys if other else ()), key.name),
                unit=reading.unit if newest or other is None else other.unit,
                balance=reading.balance if newest or other is None else other.balance,
                read_at=at if newest or other is None else other.read_at,
                reference=ledgers[slot].reference if slot in ledgers else None,
                interval=max(key.interval, other.interval) if other else key.interval,
            )
    return [
        replace(known, forecast=_forecast(states.get(slot), known)) for slot, known in found.items()
    ]


def _forecast(state: ForecastState | None, known: KnownMeter) -> Outlook | None:
    """How long the balance is expected to last after its last reading."""
    if state is None or known.balance is None or known.read_at is None:
        return None
    runway = forecast(state, known.read_at, float(known.balance)).runway
    if runway is None:
        return None
    hours = runway.p50
    longest = LONGEST / timedelta(hours=1)
    return Outlook(known=True, lasts=None if isinf(hours) else timedelta(hours=min(hours, longest)))


class Recipient(Protocol):
    """A channel, as far as reports are concerned."""

    @property
    def name(self) -> str:
        """The channel's name."""
        ...

    @property
    def filters(self) -> Filters:
        """Which keys it is told of."""
        ...


def messages(
    material: Material,
    now: datetime,
    watched: Sequence[WatchedKey],
    recipients: Sequence[Recipient],
    *,
    zone: tzinfo,
    due_at: datetime | None = None,
) -> dict[str, Message]:
    """The report for each of *recipients*, by name: about the keys it is told of, and no others.

    *due_at* is when it should have been made, if that was missed.
    """
    groups: dict[tuple[WatchedKey, ...], list[str]] = {}
    for recipient in recipients:
        own = tuple(key for key in watched if _is_told_of(recipient, key))
        groups.setdefault(own, []).append(recipient.name)
    found: dict[str, Message] = {}
    for own, names in groups.items():
        digest = make(material, now, own, names)
        message = digest_message(digest, timezone=zone, due_at=due_at)
        found |= dict.fromkeys(names, message)
    return found


def _is_told_of(recipient: Recipient, key: WatchedKey) -> bool:
    """Whether it may hear of *key* at all, whichever the rule and severity."""
    concern = concern_of(key.subject, "", [key])
    filters = replace(recipient.filters, rules=("*",))
    return any(not filters.why_not(severity, concern) for severity in filters.severities)
