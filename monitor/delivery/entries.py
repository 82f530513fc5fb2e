"""What waits for a channel: notifications with their events, and what they say as one message."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from monitor.core.events import Event
from monitor.core.messages import Lateness, limit_note
from monitor.core.model import Severity
from monitor.core.notifications import Notification

LATE_AFTER = timedelta(minutes=1)
"""A message that leaves this long after its time says so."""


@dataclass(slots=True)
class Entry:
    """A waiting notification; ``ready_at`` is in the clock's monotonic seconds.

    ``limited``: the channel had its fill when it was due.  ``heard`` are those of its events that
    the channel's fallback is told of by itself.
    """

    notification: Notification
    ready_at: float
    events: dict[int, Event] = field(default_factory=dict)
    limited: bool = False
    heard: set[int] = field(default_factory=set)

    @property
    def is_critical(self) -> bool:
        """Whether any of it is."""
        return any(event.severity is Severity.CRITICAL for event in self.events.values())


def waits_longer(notification: Notification, group_wait: timedelta) -> bool:
    """Whether quiet hours hold it: it waits longer than a group does."""
    return notification.due_at - notification.created_at > group_wait


def events_of(entries: Sequence[Entry]) -> list[Event]:
    """What *entries* tell, each event once, oldest first."""
    events = {e.id: e for entry in entries for e in entry.events.values()}
    return sorted(events.values(), key=lambda e: e.id)


def notes_of(entries: Sequence[Entry]) -> list[str]:
    """What their message says about itself: whose it was, and what was held back."""
    notes = list(dict.fromkeys(e.notification.note for e in entries if e.notification.note))
    held = sum(entry.limited for entry in entries)
    if held:
        events = [e for entry in entries if entry.limited for e in entry.events.values()]
        notes.append(limit_note(held, list(dict.fromkeys(e.label for e in events))))
    return notes


def lateness(entries: Sequence[Entry], now: datetime) -> Lateness | None:
    """Whether, how much and why a message comes late; the oldest notification decides."""
    own = [e for e in entries if not e.limited and not e.notification.note]
    if not own:
        return None  # a note says why
    first = min(own, key=lambda e: e.notification.due_at).notification
    if now - first.due_at < LATE_AFTER:
        return None
    return Lateness(due_at=first.due_at, cause=first.error or "credit-monitor was not running")
