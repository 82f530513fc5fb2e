"""Alerts about the store itself: nothing else would tell that nothing is recorded any more.

They are about this host, always on, and reach the channels without the store: what waits to be
recorded is told all the same.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from monitor.announcer import Announcer
from monitor.core.alerts import Slot, occur
from monitor.core.events import Facts
from monitor.core.model import HOST, Severity
from monitor.core.rules import Verdict
from monitor.core.voices import HOST_RULES
from monitor.store.base import Changes

FAILING = Slot(subject=HOST, meter="", rule=HOST_RULES[0])
REPLACED = Slot(subject=HOST, meter="", rule=HOST_RULES[1])

AFTER = timedelta(minutes=2)
"""Short troubles pass: a server that restarts, a disk that somebody is already clearing."""


class StoreWatch:
    """Keeps the alert about a store that fails, and tells of one that was replaced."""

    def __init__(self, announcer: Announcer) -> None:
        self._announcer = announcer

    def sweep(
        self, error: str, behind: timedelta, now: datetime, *, lasting: bool = False
    ) -> Changes:
        """What follows from the store failing with *error* (empty: it works) for *behind*.

        It is told after a while, or at once if it is *lasting*: damage does not pass by itself.
        """
        changes = Changes()
        if error and (lasting or behind >= AFTER):
            facts = Facts(detail=error, since=now - behind)
            self._announcer.step(FAILING, Verdict.breach(Severity.CRITICAL, facts), now, changes)
        elif not error:
            self._announcer.step(FAILING, Verdict.ok(Facts()), now, changes)
        return changes

    def replaced(self, aside: str, now: datetime) -> Changes:
        """Tell that a corrupt store was moved to *aside* and a new one begun."""
        changes = Changes()
        verdict = Verdict.breach(Severity.CRITICAL, Facts(detail=f"the old file is {aside}"))
        event = occur(REPLACED, verdict, now=now, next_id=self._announcer.next_alert_id)
        if event is not None:
            self._announcer.apply(event, changes)
        return changes
