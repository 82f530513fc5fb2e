"""What a store has recorded, as the polls it came from."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, timedelta

from monitor.core.model import Kind, Outage, Sample
from monitor.providers.by_hand import MANUAL_METER
from monitor.replay.engine import Sighting
from monitor.store.base import Store
from monitor.world import WatchedKey


def recorded(
    store: Store, keys: Sequence[WatchedKey], since: datetime, until: datetime
) -> list[Sighting]:
    """The polls of *keys* in [since, until], oldest first.

    A run of equal balances and an outage are recorded as their first and last poll: those between
    are put back at the key's interval, so that time passes for the rules as it did then.  Of
    thinned samples the outline is left.  Raises :class:`~monitor.store.base.StoreError`.
    """
    stored = store.keys()
    known = {(key.name, reading.meter): reading for key in stored for reading, _ in key.meters}
    found: list[Sighting] = []
    for key in keys:
        for sample in store.samples(key.name, None, since, until):
            reading = known.get((key.name, sample.meter))
            if sample.meter == MANUAL_METER or (reading and reading.kind is not Kind.BALANCE):
                continue  # shown only: no rule has ever judged it
            unit = reading.unit if reading else ""
            found.extend(_read(sample, unit, key.interval, since, until))
        for outage in store.outages(key.name, since, until):
            found.extend(_failed(outage, since, until))
    return sorted(found, key=lambda seen: seen.at)


def _read(
    sample: Sample, unit: str, interval: timedelta, since: datetime, until: datetime
) -> Iterator[Sighting]:
    for at in _within(_moments(sample.at, sample.until, interval), since, until):
        yield Sighting(at, sample.key, sample.meter, sample.balance, unit=unit)


def _failed(outage: Outage, since: datetime, until: datetime) -> Iterator[Sighting]:
    lasted = outage.until - outage.at
    interval = lasted / max(outage.polls - 1, 1)
    for at in _within(_moments(outage.at, outage.until, interval), since, until):
        yield Sighting(at, outage.key, "", None, outage.reason)


def _moments(first: datetime, last: datetime, interval: timedelta) -> Iterator[datetime]:
    """From *first* to *last*, both included, every *interval*."""
    at = first
    while at < last:
        yield at
        at += max(interval, timedelta(seconds=1))
    yield last


def _within(moments: Iterable[datetime], since: datetime, until: datetime) -> Iterator[datetime]:
    return (at for at in moments if since <= at <= until)
