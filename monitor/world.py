"""What the running daemon knows, in memory: watched keys, ledgers, open alerts.

Only the pipeline changes it; metrics and the pages that show the present read it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from monitor.core.ledger import LedgerState
from monitor.core.model import Alert, KeyState, MeterReading, Outage, Sample, Subject
from monitor.core.rules import Rules

STALE_AFTER_INTERVALS = 3
"""A balance is shown as current for three poll intervals."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WatchedKey:
    """What the pipeline needs to know of a configured key."""

    name: str
    provider: str
    account: str = ""
    tags: tuple[str, ...] = ()
    interval: timedelta
    rules: Rules = Rules()  # noqa: RUF009 - frozen, so one shared default is safe
    top_up_url: str = ""

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
    """The last reading of one meter through one key, and its newest stored run."""

    reading: MeterReading
    at: datetime
    run: Sample | None = None


@dataclass(slots=True)
class LiveKey:
    """One watched key: what was configured, its health and its meters."""

    watched: WatchedKey
    state: KeyState
    meters: dict[str, LiveMeter] = field(default_factory=dict)
    outage: Outage | None = None
    saved_at: datetime | None = None

    def is_fresh(self, meter: LiveMeter, now: datetime) -> bool:
        """Whether a meter's balance may still be shown as current."""
        return now - meter.at <= STALE_AFTER_INTERVALS * self.watched.interval


@dataclass(slots=True)
class World:
    """All watched keys by name, ledgers by (subject id, meter), open alerts by slot."""

    keys: dict[str, LiveKey] = field(default_factory=dict)
    ledgers: dict[tuple[str, str], LedgerState] = field(default_factory=dict)
    alerts: dict[tuple[str, str, str], Alert] = field(default_factory=dict)

    def ledger(self, watched: WatchedKey, meter: str) -> LedgerState | None:
        """The ledger that a key's meter is entered into."""
        return self.ledgers.get((watched.balance_subject.id, meter))

    def keys_of_account(self, subject: Subject) -> Iterator[LiveKey]:
        """The watched keys that draw on the balance *subject* names."""
        return (k for k in self.keys.values() if k.watched.balance_subject.id == subject.id)
