"""What the running daemon knows, in memory: watched keys, ledgers, open alerts.

Only the pipeline changes it; metrics and the pages that show the present read it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from monitor.core.alerts import Slot
from monitor.core.events import Ack, Alert, Silence
from monitor.core.forecast import ForecastState
from monitor.core.ledger import LedgerState
from monitor.core.model import KeyState, MeterReading, MeterTrouble, Outage, Sample, Subject
from monitor.core.projection import Projection, caught_up
from monitor.core.renewals import Renewal
from monitor.core.routing import Concern
from monitor.core.rules import Rules
from monitor.providers import KeySettings
from monitor.store.base import Snapshot, StoredForecast

STALE_AFTER_INTERVALS = 3
"""A balance is shown as current for three poll intervals."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WatchedKey:
    """What the pipeline needs to know of a configured key.

    ``origin`` names what fails together: the provider, or the site where one provider reads many.
    ``manual`` is a balance that was entered by hand, and when it was.
    """

    name: str
    provider: str
    account: str = ""
    tags: tuple[str, ...] = ()
    origin: str = ""
    interval: timedelta
    rules: Rules = Rules()  # noqa: RUF009 - frozen, so one shared default is safe
    top_up_url: str = ""
    manual: tuple[MeterReading, datetime] | None = None

    @property
    def subject(self) -> Subject:
        """The subject of alerts about this key itself."""
        return Subject(self.provider, self.account, self.name)

    @property
    def balance_subject(self) -> Subject:
        """The subject of alerts about its balance: the account where it has one."""
        return Subject(self.provider, self.account) if self.account else self.subject


@dataclass(slots=True)
class LiveMeter:
    """The last reading of one meter through one key, its newest stored run, and when the rules have
    seen it (None: not since this process started).
    """

    reading: MeterReading
    at: datetime
    run: Sample | None = None
    judged_at: datetime | None = None


@dataclass(slots=True)
class LiveKey:
    """One watched key: what was configured, its health and its meters.

    ``troubles`` are those meters that fail although the key works; some were never read.
    ``since`` is when it came to the others; None: it is watched since the start.
    """

    watched: WatchedKey
    state: KeyState
    meters: dict[str, LiveMeter] = field(default_factory=dict)
    troubles: dict[str, MeterTrouble] = field(default_factory=dict)
    outage: Outage | None = None
    saved_at: datetime | None = None
    since: datetime | None = None

    def is_fresh(self, meter: LiveMeter, now: datetime) -> bool:
        """Whether a meter's balance may still be shown as current."""
        return now - meter.at <= STALE_AFTER_INTERVALS * self.watched.interval


@dataclass(slots=True)
class World:
    """All watched keys by name; ledgers, what their forecasts have learned, and the last forecast
    made, by (subject id, meter); open alerts by slot; the silences that may still hold, the
    acknowledgements of open alerts by their id, and the last renewal of logins by (key, meter).
    """

    keys: dict[str, LiveKey] = field(default_factory=dict)
    ledgers: dict[tuple[str, str], LedgerState] = field(default_factory=dict)
    forecasts: dict[tuple[str, str], ForecastState] = field(default_factory=dict)
    projections: dict[tuple[str, str], Projection] = field(default_factory=dict)
    alerts: dict[tuple[str, str, str], Alert] = field(default_factory=dict)
    silences: tuple[Silence, ...] = ()
    acks: dict[int, Ack] = field(default_factory=dict)
    renewals: dict[tuple[str, str], Renewal] = field(default_factory=dict)

    def ledger(self, watched: WatchedKey, meter: str) -> LedgerState | None:
        """The ledger that a key's meter is entered into."""
        return self.ledgers.get((watched.balance_subject.id, meter))

    def alert(self, slot: Slot) -> Alert | None:
        """The open alert of *slot*."""
        return self.alerts.get((slot.subject.id, slot.meter, slot.rule))

    def keys_of_account(self, subject: Subject) -> Iterator[LiveKey]:
        """The watched keys that draw on the balance *subject* names."""
        return (k for k in self.keys.values() if k.watched.balance_subject.id == subject.id)


@dataclass(frozen=True, slots=True, kw_only=True)
class Succession:
    """How the keys of another configuration follow those that are watched.

    ``keys`` are all of them: those that go on, and those ``added``, as the store has them.  To
    ``rejudged`` other rules, or those of another account, apply; ``reentered`` have another balance
    that was entered by hand.
    """

    watched: Sequence[WatchedKey]
    keys: dict[str, LiveKey]
    added: Sequence[LiveKey]
    rejudged: Sequence[LiveKey]
    reentered: Sequence[LiveKey]


def succession(world: World, watched: Sequence[WatchedKey], snapshot: Snapshot) -> Succession:
    """What it takes to watch these keys; changes nothing, so any thread may do it.

    Keys that are watched already keep all that is known; others are taken up as *snapshot* has
    them, as a start would.
    """
    kept = {k.name: world.keys[k.name] for k in watched if _goes_on(world.keys.get(k.name), k)}
    added = restore((k for k in watched if k.name not in kept), snapshot).keys
    now_and_then = [(kept[key.name].watched, key) for key in watched if key.name in kept]
    return Succession(
        watched=watched,
        keys={k.name: kept.get(k.name) or added[k.name] for k in watched},
        added=[*added.values()],
        rejudged=[kept[new.name] for old, new in now_and_then if _is_judged_otherwise(old, new)],
        reentered=[kept[new.name] for old, new in now_and_then if old.manual != new.manual],
    )


def _is_judged_otherwise(old: WatchedKey, new: WatchedKey) -> bool:
    return old.account != new.account or old.rules != new.rules


def adopt(world: World, after: Succession, now: datetime) -> None:
    """Watch the keys of *after* from *now* on."""
    world.keys = after.keys
    for live in after.added:
        live.since = now
    for key in after.watched:
        world.keys[key.name].watched = key


def _goes_on(live: LiveKey | None, watched: WatchedKey) -> bool:
    return live is not None and live.watched.provider == watched.provider


def watched_key(key: KeySettings) -> WatchedKey:
    """What the pipeline needs to know of the configured *key*."""
    return WatchedKey(
        name=key.name,
        provider=key.provider,
        account=key.account or "",
        tags=key.tags,
        origin=key.origin,
        interval=key.interval,
        rules=key.rules,
        top_up_url=key.top_up_url,
        manual=key.manual,
    )


def present_forecasts(
    stored: Iterable[StoredForecast], ledgers: Mapping[tuple[str, str], LedgerState]
) -> dict[tuple[str, str], ForecastState]:
    """What was learned of each balance, brought up to its ledger."""
    slots = {(entry.subject_id, entry.meter): entry for entry in stored}
    return {
        slot: caught_up(entry.state, entry.consumed_total, entry.refunded_total, ledgers.get(slot))
        for slot, entry in slots.items()
    }


def concern_of(
    subject: Subject, rule: str, keys: Sequence[WatchedKey], names: Sequence[str] = ()
) -> Concern:
    """What an alert of *rule* about *subject* is about, where it speaks for *keys*.

    *names* are those of the keys if some are no longer watched.
    """
    wider = not subject.key and not subject.account
    return Concern(
        rule=rule,
        provider=subject.provider,
        account=subject.account,
        other_providers=tuple(sorted({k.provider for k in keys})) if wider else (),
        other_accounts=tuple(sorted({k.account for k in keys})) if wider else (),
        sites=tuple(sorted({k.origin or k.provider for k in keys})),
        keys=tuple(names) or tuple(k.name for k in keys),
        tags=tuple(sorted({tag for k in keys for tag in k.tags})),
    )


def restore(watched: Iterable[WatchedKey], snapshot: Snapshot) -> World:
    """The world as the last run left it, for the keys that are still configured.

    A key that kept its name but reads another provider now starts afresh.
    """
    ledgers = {(entry.subject_id, entry.meter): entry.state for entry in snapshot.ledgers}
    world = World(
        ledgers=ledgers,
        forecasts=present_forecasts(snapshot.forecasts, ledgers),
        alerts={alert.slot: alert for alert in snapshot.alerts},
        silences=snapshot.silences,
        acks={ack.alert_id: ack for ack in snapshot.acks},
        renewals={(renewal.key, renewal.meter): renewal for renewal in snapshot.renewals},
    )
    stored = {key.name: key for key in snapshot.keys}
    runs = {(run.key, run.meter): run for run in snapshot.runs}
    outages = {outage.key: outage for outage in snapshot.outages}
    for key in watched:
        live = LiveKey(watched=key, state=KeyState(key=key.name))
        before = stored.get(key.name)
        if before is not None and before.provider == key.provider:
            live.state = before.state
            live.outage = outages.get(key.name) if before.state.failures else None
            for reading, at in before.meters:
                run = runs.get((key.name, reading.meter))
                live.meters[reading.meter] = LiveMeter(reading=reading, at=at, run=run)
            live.troubles = {trouble.meter: trouble for trouble in before.troubles}
        world.keys[key.name] = live
    return world
