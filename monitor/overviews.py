"""What ``status``, the web page and the JSON API show of keys: one source for all.

It is made of what is recorded or of the daemon's memory, as frozen values, which
:mod:`monitor.jsonable` makes JSON of.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal

from monitor.core.events import Ack, Alert, Silence
from monitor.core.forecast import ForecastState, forecast
from monitor.core.ledger import LedgerState
from monitor.core.model import (
    HOST,
    KeyState,
    Kind,
    MeterReading,
    MeterTrouble,
    Severity,
    Subject,
)
from monitor.core.notifications import NotificationState
from monitor.core.projection import Outlook, Projection, outlook
from monitor.runs import SAVE_EVERY
from monitor.silencing import Silencing
from monitor.store.base import (
    StoredConfiguration,
    StoredForecast,
    StoredKey,
    StoredLedger,
)
from monitor.world import STALE_AFTER_INTERVALS, WatchedKey, present_forecasts

STATE_OK = "ok"


STATE_UNKNOWN = "unknown"
"""Words for a key that answers, and for one that was never polled; else it is the reason."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MeterOverview:
    """One meter of a key as last read; amounts are in ``unit``.

    ``balance`` None means the provider reports no cap, or that it was never read (``read_at`` is
    None then).  ``state`` is ``ok`` or why this meter gives no reading although its key may work.
    ``fresh`` tells whether it may be shown as current, ``reference`` is the level that percentages
    refer to, ``outlook`` how fast it is used and when it runs out, ``severity`` that of the worst
    open alert about this meter.
    """

    meter: str
    kind: Kind
    state: str
    detail: str
    unit: str
    balance: Decimal | None
    limit: Decimal | None
    expires_at: datetime | None
    jobs_limit: int | None
    jobs_running: int | None
    read_at: datetime | None
    fresh: bool
    reference: Decimal | None
    consumed_total: Decimal | None
    topped_up_total: Decimal | None
    refunded_total: Decimal | None
    outlook: Outlook
    severity: Severity | None


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyOverview:
    """One key: ``state`` is ``ok``, ``unknown`` (never polled) or the reason of the last failure.

    ``meters`` is empty before the first reading, and where the provider shows no balance, unless
    one is entered by hand.

    ``severity`` is that of the worst open alert that concerns the key, its account's and its
    provider's included; None when nothing is wrong.
    """

    name: str
    provider: str
    account: str
    state: str
    detail: str
    failing_since: datetime | None
    failures: int
    last_poll_at: datetime | None
    last_success_at: datetime | None
    severity: Severity | None
    meters: tuple[MeterOverview, ...]

    @property
    def outlooks(self) -> Mapping[str, Outlook]:
        """What lies ahead of each meter."""
        return {meter.meter: meter.outlook for meter in self.meters}

    @property
    def is_check_only(self) -> bool:
        """Whether its provider shows no balance, so that readings only tell that the key works."""
        return self.last_success_at is not None and not self.measured

    @property
    def measured(self) -> tuple[MeterOverview, ...]:
        """The meters that are read, without what a person entered."""
        return tuple(meter for meter in self.meters if meter.kind is not Kind.MANUAL)


@dataclass(frozen=True, slots=True, kw_only=True)
class Overview:
    """Everything at one glance, as it was at ``at``.

    ``polling`` tells whether a key was polled lately: False means that no daemon seems to run.
    ``pending`` and ``dead`` count notifications that are not delivered yet, and never will be;
    ``acks`` are those of the open alerts, ``silences`` those that hold now, ``silenced`` by the
    id of an open alert the id of the silence that keeps it quiet; ``configuration`` is what the
    daemon read, as far as that is recorded.
    """

    at: datetime
    polling: bool
    last_poll_at: datetime | None
    keys: tuple[KeyOverview, ...]
    open_alerts: tuple[Alert, ...]
    acks: tuple[Ack, ...]
    silences: tuple[Silence, ...]
    silenced: Mapping[int, int]
    pending: int
    dead: int
    configuration: StoredConfiguration | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Present:
    """What an overview is made of, be it recorded or in the memory of the daemon.

    ``projections`` are the forecasts made already, by (subject id, meter); of other balances one is
    made from ``forecasts``.
    """

    keys: Sequence[StoredKey]
    ledgers: Sequence[StoredLedger]
    forecasts: Sequence[StoredForecast] = ()
    projections: Mapping[tuple[str, str], Projection] = field(default_factory=dict)
    open_alerts: Sequence[Alert]
    acks: Sequence[Ack]
    silences: Sequence[Silence]


def assemble(
    present: Present,
    notifications: Mapping[NotificationState, int],
    now: datetime,
    watched: Sequence[WatchedKey],
) -> Overview:
    """The overview of *present*, with the numbers of *notifications* in each state."""
    stored = {key.name: key for key in present.keys}
    ledgers = {(entry.subject_id, entry.meter): entry.state for entry in present.ledgers}
    by_subject: dict[str, list[Alert]] = {}
    states = present_forecasts(present.forecasts, ledgers)
    known = Known(ledgers, by_subject, present.projections, states)
    for alert in present.open_alerts:
        by_subject.setdefault(alert.subject.id, []).append(alert)
    polls = [(key.interval, _last_poll(stored.get(key.name))) for key in watched]
    return Overview(
        at=now,
        polling=any(at is not None and is_current(at, now, every) for every, at in polls),
        last_poll_at=max((at for _, at in polls if at is not None), default=None),
        keys=tuple(_key(key, stored.get(key.name), known, now) for key in watched),
        open_alerts=tuple(present.open_alerts),
        acks=tuple(present.acks),
        silences=tuple(present.silences),
        silenced=silenced(present, watched, now),
        pending=notifications[NotificationState.PENDING],
        dead=notifications[NotificationState.DEAD],
    )


@dataclass(frozen=True, slots=True)
class Known:
    """Ledgers, open alerts by subject, and where outlooks come from: forecasts that were made, and
    states to make them from.
    """

    ledgers: Mapping[tuple[str, str], LedgerState]
    alerts: Mapping[str, Sequence[Alert]]
    made: Mapping[tuple[str, str], Projection]
    states: Mapping[tuple[str, str], ForecastState]

    def outlook(self, subject_id: str, reading: MeterReading, at: datetime | None) -> Outlook:
        """The outlook of a balance as of its last reading; what is no balance has none, even if it
        was one before.
        """
        slot, balance = (subject_id, reading.meter), reading.balance
        if balance is None or at is None or reading.kind is not Kind.BALANCE:
            return Outlook()
        projection = self.made.get(slot)
        if projection is None and slot in self.states:
            amount = float(balance)
            projection = Projection(at, amount, forecast(self.states[slot], at, amount))
        return outlook(projection, balance, at)


def silenced(present: Present, watched: Iterable[WatchedKey], now: datetime) -> Mapping[int, int]:
    """By open alert, the silence that keeps it quiet; *watched* are all keys there are."""
    silencing = Silencing(present.silences, watched, now)
    found = ((alert.id, silencing.of(alert)) for alert in present.open_alerts)
    return {number: silence.id for number, silence in found if silence is not None}


def _last_poll(stored: StoredKey | None) -> datetime | None:
    return stored.state.last_poll_at if stored else None


def is_current(at: datetime, now: datetime, interval: timedelta) -> bool:
    """Whether what was recorded at *at* may still be shown as the present."""
    return now - at <= STALE_AFTER_INTERVALS * interval + SAVE_EVERY


def _key(
    watched: WatchedKey,
    stored: StoredKey | None,
    known: Known,
    now: datetime,
) -> KeyOverview:
    state = stored.state if stored else KeyState(key=watched.name)
    mine = [alert for subject_id in subjects(watched) for alert in known.alerts.get(subject_id, ())]
    subject_id = watched.balance_subject.id
    return KeyOverview(
        name=watched.name,
        provider=watched.provider,
        account=watched.account,
        state=_state_word(state),
        detail=state.detail,
        failing_since=state.failing_since,
        failures=state.failures,
        last_poll_at=state.last_poll_at,
        last_success_at=state.last_success_at,
        severity=_worst(mine),
        meters=tuple(
            _meter(
                reading,
                known.ledgers.get((subject_id, reading.meter)),
                read_at=at,
                trouble=trouble,
                fresh=_is_fresh(reading, at, now, watched) and trouble is None,
                ahead=known.outlook(subject_id, reading, at),
                severity=_worst(a for a in mine if a.meter == reading.meter),
            )
            for reading, at, trouble in (_read_or_not(stored) if stored else ())
        ),
    )


def _is_fresh(
    reading: MeterReading, at: datetime | None, now: datetime, watched: WatchedKey
) -> bool:
    """Whether it may be shown as current, which what was entered by hand never is."""
    if at is None or reading.kind is Kind.MANUAL:
        return False
    return is_current(at, now, watched.interval)


def _read_or_not(
    stored: StoredKey,
) -> Iterator[tuple[MeterReading, datetime | None, MeterTrouble | None]]:
    """All meters with what was read last, and why they cannot be read now where they cannot."""
    troubles = {trouble.meter: trouble for trouble in stored.troubles}
    for reading, at in stored.meters:
        yield reading, at, troubles.pop(reading.meter, None)
    for trouble in troubles.values():
        yield MeterReading(meter=trouble.meter, unit="", balance=None), None, trouble


def _state_word(state: KeyState) -> str:
    if state.last_poll_at is None:
        return STATE_UNKNOWN
    return state.reason or STATE_OK


def _meter(
    reading: MeterReading,
    ledger: LedgerState | None,
    *,
    read_at: datetime | None,
    trouble: MeterTrouble | None,
    fresh: bool,
    ahead: Outlook,
    severity: Severity | None,
) -> MeterOverview:
    return MeterOverview(
        meter=reading.meter,
        kind=reading.kind,
        state=trouble.reason if trouble else STATE_OK,
        detail=trouble.detail if trouble else "",
        unit=reading.unit,
        balance=reading.balance,
        limit=reading.limit,
        expires_at=reading.expires_at,
        jobs_limit=reading.jobs_limit,
        jobs_running=reading.jobs_running,
        read_at=read_at,
        fresh=fresh,
        reference=ledger.reference if ledger else None,
        consumed_total=ledger.consumed_total if ledger else None,
        topped_up_total=ledger.topped_up_total if ledger else None,
        refunded_total=ledger.refunded_total if ledger else None,
        outlook=ahead,
        severity=severity,
    )


def concerns(subject: Subject, key: WatchedKey) -> bool:
    """Whether an alert about *subject* says something about *key*."""
    return subject.id in subjects(key)


def subjects(key: WatchedKey) -> set[str]:
    """The ids of the key, of the account it draws on, of what fails together with it, and of the
    network that all keys share.
    """
    site = Subject(key.origin or key.provider)
    return {key.subject.id, key.balance_subject.id, site.id, HOST.id}


def _worst(alerts: Iterable[Alert]) -> Severity | None:
    return max((alert.severity for alert in alerts), key=lambda s: s.rank, default=None)
