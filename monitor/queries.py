"""What ``status``, ``history``, the web page and the JSON API ask the store about keys.

Every function reads a :class:`~monitor.store.base.Store`, takes the present moment as a parameter
and returns frozen values.  All of them raise :class:`~monitor.store.base.StoreError` when the store
does not answer.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from monitor.core.model import (
    Outage,
    Sample,
)
from monitor.core.projection import Outlook
from monitor.overviews import Known, Overview, Present, assemble
from monitor.store.base import (
    Store,
    StoredKey,
)
from monitor.world import WatchedKey, present_forecasts


@dataclass(frozen=True, slots=True, kw_only=True)
class MeterHistory:
    """The runs of equal balances of one meter, oldest first.

    ``outlook`` is how fast it is used and when it runs out, as of its last reading.
    """

    meter: str
    unit: str
    points: tuple[Sample, ...]
    outlook: Outlook = Outlook()  # noqa: RUF009 - frozen, so one shared empty value is safe


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyHistory:
    """What a key's balance did between ``since`` and ``until``, and when it was not readable."""

    key: str
    since: datetime
    until: datetime
    meters: tuple[MeterHistory, ...]
    outages: tuple[Outage, ...]

    @property
    def began(self) -> datetime:
        """Where a chart begins: ``since``, or the first record of a key watched only later."""
        firsts = [m.points[0].at for m in self.meters if m.points]
        firsts += [outage.at for outage in self.outages[:1]]
        return max(self.since, min(firsts, default=self.since))


OPEN_ALERTS_LIMIT = 100_000
"""Open alerts are few; the limit only guards memory against a broken store."""


def overview(store: Store, now: datetime, watched: Sequence[WatchedKey] | None = None) -> Overview:
    """The keys of the configuration with what the store knows of them.

    A balance is fresh for three intervals, and a minute more because an unchanged one is written
    only once a minute.  Keys that were never polled are listed as unknown, keys that left the
    configuration are not listed.  With *watched* None the configuration is not known: every stored
    key is listed, and freshness is judged by the default interval.
    """
    open_alerts = store.alerts(only_open=True, limit=OPEN_ALERTS_LIMIT)
    present = Present(
        keys=store.keys(),
        ledgers=store.ledgers(),
        forecasts=store.forecasts(),
        open_alerts=open_alerts,
        acks=store.acks([alert.id for alert in open_alerts]),
        silences=store.silences(active_at=now),
    )
    if watched is None:
        watched = [_assumed(key) for key in present.keys]
    found = assemble(present, store.count_notifications(), now, watched)
    return replace(found, configuration=store.configuration())


ASSUMED_INTERVAL = timedelta(minutes=5)
"""The configuration's default, for a store that is read without its configuration."""


def _assumed(key: StoredKey) -> WatchedKey:
    return WatchedKey(
        name=key.name, provider=key.provider, account=key.account, interval=ASSUMED_INTERVAL
    )


def _stored_by_name(store: Store) -> dict[str, StoredKey]:
    found = store.keys()
    return {key.name: key for key in found}


def key_names(store: Store) -> list[str]:
    """All keys of which anything is recorded, by name."""
    return list(_stored_by_name(store))


def key_history(
    store: Store,
    key: str,
    since: datetime,
    until: datetime,
    ahead: Mapping[str, Outlook] | None = None,
) -> KeyHistory | None:
    """What *key* did in [since, until]; None when the store has never seen such a key.

    *ahead* has the outlooks of its meters where they are known, else those of the store are taken.
    """
    stored = _stored_by_name(store).get(key)
    if stored is None:
        return None
    if ahead is None:
        ahead = _outlooks(store, stored)
    units = {reading.meter: reading.unit for reading, _ in stored.meters}
    by_meter: dict[str, list[Sample]] = {meter: [] for meter in units}
    for sample in store.samples(key, None, since, until):
        by_meter.setdefault(sample.meter, []).append(sample)
    meters = tuple(
        MeterHistory(
            meter=meter,
            unit=units.get(meter, ""),
            points=tuple(points),
            outlook=ahead.get(meter, Outlook()),
        )
        for meter, points in sorted(by_meter.items())
    )
    outages = tuple(store.outages(key, since, until))
    return KeyHistory(key=key, since=since, until=until, meters=meters, outages=outages)


def _outlooks(store: Store, stored: StoredKey) -> Mapping[str, Outlook]:
    """What lies ahead of each meter of a key as recorded."""
    subject_id = _assumed(stored).balance_subject.id
    ledgers = {(x.subject_id, x.meter): x.state for x in store.ledgers()}
    mine = (entry for entry in store.forecasts() if entry.subject_id == subject_id)
    known = Known(ledgers, {}, {}, present_forecasts(mine, ledgers))
    return {reading.meter: known.outlook(subject_id, reading, at) for reading, at in stored.meters}
