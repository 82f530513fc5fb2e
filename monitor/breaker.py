"""Whether anybody answers for a group of keys; while nobody does, few of them are asked.  Pure.

A host that hangs holds every poll for its whole timeout.  With thousands of keys these polls take
all places that the group has, and the round goes on for many minutes.  So after a number of polls
without any answer only some keys ask on, and the first answer calls back all the others.
"""

from __future__ import annotations

from monitor.core.model import Failure, Observation
from monitor.core.reachability import UNREACHABLE

UNANSWERED = 10
"""Polls in a row, of whichever keys, that got no answer before a group is held to few."""
PATIENCE = 5.0
"""Real seconds without an answer before that: a host that restarts is back sooner."""
PROBE_EVERY = 2.0
"""Real seconds after the last poll of a held group at which any key may ask."""


class Breaker:
    """Counts the polls of one group that nobody answered, and decides who may ask meanwhile.

    All times are seconds of one monotonic clock that runs *speed* times as fast as the wall.
    """

    def __init__(self, now: float, *, speed: float = 1.0) -> None:
        self._patience = PATIENCE * speed
        self._probe_every = PROBE_EVERY * speed
        self._heard_at = now
        self._asked_at = now
        self._unanswered = 0
        self._mended_at = float("-inf")
        self.cause: Failure | None = None

    @property
    def is_held(self) -> bool:
        """Whether only few keys may ask; :attr:`cause` is then the last poll nobody answered."""
        return self.cause is not None

    def admits(self, now: float, *, mute: bool) -> bool:
        """Whether a key may be asked at *now*; *mute* is one whose own last poll got no answer.

        Such keys ask on at the times of their backoff: they prove, poll by poll, that the outage
        lasts.  Any other one may only when nobody else has asked for a while.
        """
        return not self.is_held or mute or now - self._asked_at >= self._probe_every

    def asked(self, now: float) -> None:
        """A poll has begun."""
        self._asked_at = now

    def take(self, seen: Observation, *, began: float, ended: float) -> bool:
        """Count how a poll ended; True if that has changed whether the group is held."""
        if not isinstance(seen, Failure) or seen.reason not in UNREACHABLE:
            return self._heard(ended)
        if began < self._heard_at:  # says no more than the answer that came after it began
            return False
        self._unanswered += 1
        was_held = self.is_held
        if self._unanswered >= UNANSWERED and ended - self._heard_at >= self._patience:
            self.cause = seen
        return self.is_held and not was_held

    def is_outdated(self, began: float) -> bool:
        """Whether a poll that began at *began* belongs to a time when nobody answered, and that
        time is over: its failure is no reason to wait.
        """
        return began < self._mended_at

    def _heard(self, now: float) -> bool:
        was_held = self.is_held
        if was_held:
            self._mended_at = now
        self._heard_at, self._unanswered, self.cause = now, 0, None
        return was_held
