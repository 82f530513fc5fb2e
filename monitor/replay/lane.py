"""A small world of keys that are watched together, and its pipeline, with polls for a clock."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta

from monitor.announcer import Announcer
from monitor.core.events import Event
from monitor.core.model import Failure, Observation, Severity
from monitor.pipeline import Pipeline
from monitor.store.base import Snapshot
from monitor.teller import TellingPolicy
from monitor.world import WatchedKey, World, restore

SWEEP_EVERY = timedelta(minutes=1)
"""How often time alone is looked at, at least, while polls come."""

CALM_AFTER = timedelta(hours=2)
"""Without an alert or a failed poll for so long, time alone brings nothing about: what flapped has
settled."""

UNASKED_INTERVALS = 2
"""A key without polls for so many intervals is one that nobody asks, and so not silent."""

_GRID = 5.0
"""Seconds between the moments at which a silence may be told, as in the daemon; so those of
thousands of keys are few."""


class Lane:
    """The keys of one balance, or any that belong together, in a world of their own.

    ``open``, by alert: the key through which it was raised, and the severities it is open at.
    """

    def __init__(self, keys: Iterable[WatchedKey], policy: TellingPolicy, now: datetime) -> None:
        snapshot = Snapshot()
        self.world: World = restore(keys, snapshot)
        self.pipeline = Pipeline(self.world, Announcer(self.world, (), policy, snapshot), now)
        self.open: dict[int, tuple[str, tuple[Severity, ...]]] = {}
        self._silences = _Silences()
        self._swept_at = self._calm_from = now

    def observe(self, observation: Observation) -> Sequence[Event]:
        """The events of one poll, and of the time that has passed until then.

        A daemon looks every few seconds for what time alone brings about.  Here that is done when a
        silence is to be told, and otherwise with the polls, while there is anything open.
        """
        at = observation.at
        events: list[Event] = []
        while (due := self._silences.first) is not None and due < at:
            events += self._sweep(due)
        events += self.pipeline.observe(observation).events
        self._note_silence(observation)
        due = self._silences.first
        if events or due is not None or self.world.alerts:
            self._calm_from = at + CALM_AFTER
        is_due = due is not None and due <= at
        if is_due or (at < self._calm_from and at - self._swept_at >= SWEEP_EVERY):
            events += self._sweep(at)
        return events

    def _note_silence(self, observation: Observation) -> None:
        if not isinstance(observation, Failure):
            self._silences.forget(observation.key)
            return
        live = self.world.keys[observation.key]
        rule, since = live.watched.rules.silent, live.state.failing_since
        if rule is not None and since is not None and since + rule.after >= observation.at:
            self._silences.note(observation.key, since + rule.after)

    def _sweep(self, now: datetime) -> Sequence[Event]:
        """What time has brought about; nobody asks a key of which there were no polls lately."""
        self._swept_at = now
        self._silences.told(now)
        for live in self.world.keys.values():
            polled = live.state.last_poll_at
            if polled is None or now - polled > UNASKED_INTERVALS * live.watched.interval:
                live.since = now
        return self.pipeline.sweep(now).events


class _Silences:
    """When the silence of which failing key is to be told; ``first`` is not after any of these."""

    def __init__(self) -> None:
        self._due: dict[str, datetime] = {}
        self.first: datetime | None = None

    def note(self, key: str, at: datetime) -> None:
        """The silence of *key* is to be told at *at*, or a few seconds later."""
        due = datetime.fromtimestamp(math.ceil(at.timestamp() / _GRID) * _GRID, UTC)
        self._due[key] = due
        self.first = due if self.first is None else min(self.first, due)

    def forget(self, key: str) -> None:
        """*key* answers."""
        if key in self._due:
            del self._due[key]
            if not self._due:
                self.first = None

    def told(self, until: datetime) -> None:
        """What was to be told until then is."""
        if self.first is not None and self.first <= until:
            self._due = {key: due for key, due in self._due.items() if due > until}
            self.first = min(self._due.values(), default=None)
