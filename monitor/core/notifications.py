"""What is to be delivered, as values: a message for one channel, and the attempts at it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum


class NotificationState(StrEnum):
    """Where a notification is in the outbox; what is ``dropped`` was over before its time."""

    PENDING = "pending"
    DELIVERED = "delivered"
    DEAD = "dead"
    DROPPED = "dropped"


@dataclass(frozen=True, slots=True, kw_only=True)
class Notification:
    """One message for one channel, with the events it tells.

    ``due_at`` ends its group's waiting time; ``next_attempt_at`` is when it may be tried (again).
    ``handed_to`` is the fallback channel that was told instead, ``note`` what the message of a
    fallback says about it.
    ``body`` is a whole message (``messages.encode``) where it tells no events: a report.
    """

    id: int
    channel: str
    event_ids: tuple[int, ...]
    state: NotificationState = NotificationState.PENDING
    created_at: datetime
    due_at: datetime
    next_attempt_at: datetime
    attempts: int = 0
    finished_at: datetime | None = None
    error: str = ""
    handed_to: str = ""
    note: str = ""
    body: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """One try to deliver a notification; ``outcome`` is ``delivered``, ``retry`` or ``refused``."""

    notification_id: int
    number: int
    at: datetime
    outcome: str
    detail: str = ""
    duration: timedelta
