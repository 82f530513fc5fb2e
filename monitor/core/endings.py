"""Ends within a silence: told when it is over, to those who were told of the beginning before."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from monitor.core.events import Alert, Event
from monitor.core.model import Severity


@dataclass(frozen=True, slots=True)
class KeptEnd:
    """An end that nobody was told of; ``severities`` are those that channels were told before,
    ``escalated`` whether another one was told because nobody answered.
    """

    event: Event
    severities: tuple[Severity, ...]
    escalated: bool = False


class KeptEnds:
    """The last such end of each slot; *stored* are those that an earlier process has recorded."""

    def __init__(self, stored: Iterable[tuple[Alert, Event]] = ()) -> None:
        self._ends: dict[tuple[str, str, str], KeptEnd] = {}
        for alert, event in stored:
            self.keep(event, alert.severities, escalated=alert.escalated_at is not None)

    def keep(
        self, event: Event, severities: tuple[Severity, ...], *, escalated: bool = False
    ) -> None:
        """Remember the end *event*, unless no channel was told that there was anything to end."""
        if severities:
            slot = (event.subject.id, event.meter, event.rule)
            self._ends[slot] = KeptEnd(event, severities, escalated)

    def __iter__(self) -> Iterator[tuple[tuple[str, str, str], KeptEnd]]:
        """Each slot with its end; what is taken out meanwhile does not disturb."""
        return iter(list(self._ends.items()))

    def let_go(self, slot: tuple[str, str, str]) -> None:
        """The end of *slot* is told, or no longer news."""
        del self._ends[slot]
