"""Which open alerts a silence keeps quiet, for whoever shows them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime

from monitor.core.events import Alert, Silence
from monitor.core.routing import is_silenced
from monitor.world import WatchedKey, concern_of


class Silencing:
    """The silences that hold at *now*, and the keys that alerts may speak for."""

    def __init__(
        self, silences: Iterable[Silence], watched: Iterable[WatchedKey], now: datetime
    ) -> None:
        self._silences = [silence for silence in silences if silence.active(now)]
        self._by_name: dict[str, WatchedKey] = {}
        self._by_balance: dict[str, list[WatchedKey]] = defaultdict(list)
        for key in watched if self._silences else ():
            self._by_name[key.name] = key
            self._by_balance[key.balance_subject.id].append(key)

    def of(self, alert: Alert) -> Silence | None:
        """The silence that keeps the open *alert* quiet, the longest if there are several."""
        if alert.resolved_at is not None or not self._silences:
            return None
        names = self._names(alert)
        keys = [self._by_name[name] for name in names if name in self._by_name]
        concern = concern_of(alert.subject, alert.rule, keys, names)
        found = [silence for silence in self._silences if is_silenced(concern, silence)]
        return max(found, key=lambda silence: silence.until, default=None)

    def _names(self, alert: Alert) -> Sequence[str]:
        """The keys that *alert* speaks for, as whoever raised it counts them."""
        subject = alert.subject
        if subject.key:
            return (subject.key,)
        return alert.facts.keys or [key.name for key in self._by_balance[subject.id]]


NO_SILENCES = Silencing((), (), datetime.min.replace(tzinfo=UTC))
