"""The channel that is told what another one refuses, or has failed to take for too long."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from dataclasses import replace
from datetime import datetime

from monitor.core.events import Change, Event
from monitor.core.messages import fallback_end_note, fallback_note
from monitor.core.notifications import Notification, NotificationState
from monitor.delivery.context import OutboxContext
from monitor.delivery.entries import Entry
from monitor.store.base import Changes

_OVER = (Change.RESOLVED, Change.OCCURRED)

Accept = Callable[[Iterable[Notification], Iterable[Event]], None]


class Fallback:
    """Hands over what *channel* does not deliver; *accept* takes it to the fallback.

    ``handed`` are the alerts that the fallback was told of and believes open.
    """

    def __init__(self, channel: str, context: OutboxContext, accept: Accept) -> None:
        self.handed: set[int] = set()
        self._channel = channel
        self._accept = accept
        self.reconfigure(context)

    def reconfigure(self, context: OutboxContext) -> None:
        """Go on as *context* says."""
        self._context = context
        self.name = context.policy.fallbacks.get(self._channel, "")

    def take(
        self, entry: Entry, after: Notification, now: datetime, changes: Changes
    ) -> Notification:
        """*after*, which an attempt has made of *entry*, and the fallback told of it where the
        channel has refused or failed too long.

        A channel that only fails goes on being tried; the fallback is told once.  Of the end of
        what it was told before it hears in any case, be it by itself.
        """
        if not self.name or after.handed_to:
            return after
        failing = now - after.due_at >= self._context.policy.fallback_after
        refused = after.state is NotificationState.DEAD
        ends = [e for e in entry.events.values() if self._ends(e) and e.id not in entry.heard]
        if after.state is NotificationState.DELIVERED:
            if ends:
                only = replace(after, event_ids=tuple(e.id for e in ends))
                self._tell(only, ends, fallback_end_note(self._channel), now, changes)
            self._forget(entry.events.values())
            return after
        if not (refused or failing or ends):
            return after
        note = fallback_note(self._channel, after.error)
        self._tell(after, entry.events.values(), note, now, changes)
        return replace(after, handed_to=self.name)

    def _ends(self, event: Event) -> bool:
        return event.change is Change.RESOLVED and event.alert_id in self.handed

    def _tell(
        self,
        after: Notification,
        events: Collection[Event],
        note: str,
        now: datetime,
        changes: Changes,
    ) -> None:
        handed = self._context.hand_over(replace(after, error=""), self.name, note)
        handed = replace(
            handed, state=NotificationState.PENDING, finished_at=None, next_attempt_at=now
        )
        changes.notifications.append(handed)
        self._accept([handed], events)
        self.handed |= {e.alert_id for e in events if e.change not in _OVER}
        self._forget(events)

    def _forget(self, events: Iterable[Event]) -> None:
        self.handed -= {e.alert_id for e in events if e.change in _OVER}
