"""When a message may be tried (again), and when it is given up: pure, times are parameters."""

from __future__ import annotations

from collections import deque
from dataclasses import replace
from datetime import datetime, timedelta

from monitor.core.notifications import Notification, NotificationState
from monitor.delivery.base import Delivery, Outcome

FIRST_RETRY = timedelta(seconds=5)
LONGEST_RETRY = timedelta(minutes=5)
LONGEST_RETRY_AFTER = timedelta(hours=1)
HOUR = 3600.0


def retry_delay(attempts: int, retry_after: timedelta | None, jitter: float) -> timedelta:
    """How long to wait after *attempts* failed tries; *jitter* in [0, 1) spreads by ±10 %.

    Doubles from 5 seconds to 5 minutes; a channel's ``Retry-After`` is a minimum, up to an hour.
    """
    doubled = FIRST_RETRY * (1 << min(attempts - 1, 10))
    delay = min(doubled, LONGEST_RETRY) * (0.9 + 0.2 * jitter)
    return max(delay, min(retry_after or timedelta(0), LONGEST_RETRY_AFTER))


def conclude(
    notification: Notification,
    delivery: Delivery,
    *,
    now: datetime,
    give_up_after: timedelta,
    jitter: float,
) -> tuple[Notification, str]:
    """The notification after one more attempt, and the attempt's outcome in one word."""
    attempts = notification.attempts + 1
    if delivery.outcome is Outcome.DELIVERED:
        done = NotificationState.DELIVERED
        after = replace(notification, attempts=attempts, state=done, finished_at=now, error="")
        return after, "delivered"
    error = delivery.detail or str(delivery.outcome)
    dead = replace(
        notification,
        attempts=attempts,
        state=NotificationState.DEAD,
        finished_at=now,
        error=error,
    )
    if delivery.outcome is Outcome.REFUSED:
        return dead, "refused"
    delay = retry_delay(attempts, delivery.retry_after, jitter)
    if now + delay - notification.due_at > give_up_after:
        return replace(dead, error=f"given up: {error}"), "expired"
    after = replace(notification, attempts=attempts, next_attempt_at=now + delay, error=error)
    return after, "retry"


class Quota:
    """How many messages a channel takes in an hour; critical ones may be twice as many.

    Times are monotonic seconds.  It counts from the start of the process.
    """

    def __init__(self, limit: int | None) -> None:
        self._sent: deque[float] = deque()
        self.change(limit)

    def change(self, limit: int | None) -> None:
        """Go on with another limit; what was sent in the last hour counts."""
        self.limit = limit
        self._sent = deque(self._sent, maxlen=2 * limit if limit else 1)

    def count(self, at: float) -> None:
        """A message has been taken at *at*."""
        self._sent.append(at)

    def free_at(self, *, critical: bool) -> float:
        """When the next message may leave; what has passed means now."""
        allowed = (self.limit or 0) * (2 if critical else 1)
        if not allowed or len(self._sent) < allowed:
            return 0.0
        return self._sent[-allowed] + HOUR
