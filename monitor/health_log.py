"""What the log says of keys that give no reading and of those that answer again.

A few are told one by one.  When more of a provider change within a short time, or most providers
cannot be reached, one line tells the beginning and one the end, both with counts; the single keys
are then told at debug level.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from monitor.core.model import Failure, KeyState, Reason, Unasked
from monitor.core.reachability import SITES_OF_A_LOSS, UNREACHABLE
from monitor.core.wording import span
from monitor.world import LiveKey, World

log = logging.getLogger(__name__)

FEW = 3
"""So many keys of a provider are told one by one; more are told together."""

CALM = timedelta(minutes=10)
"""Changes belong together while they lie no further apart.  Polls are spread over their interval,
so that the keys of a provider that is down fail one after the other."""

_EVER = datetime.min.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class _Change:
    """A key's health changed: *failure* is None for one that answers again."""

    key: str
    provider: str
    at: datetime
    since: datetime
    failure: Failure | Unasked | None

    @property
    def is_loss(self) -> bool:
        """Whether the provider could not be reached."""
        return self.failure is not None and self.failure.reason in UNREACHABLE

    def tell(self, level: int) -> None:
        """The line about this one key."""
        fields = {"key": self.key, "provider": self.provider}
        if self.failure is None:
            lasted = span(max(self.at - self.since, timedelta(0)))
            log.log(level, "answers again, after %s", lasted, extra=fields)
        else:
            reason = {"reason": self.failure.reason.value}
            log.log(level, "no reading: %s", self.failure.detail, extra=fields | reason)


class HealthLog:
    """Collects what changes between two sweeps, and tells it."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._groups: dict[str, _Group] = {}
        self._all = _Group()
        self.regroup()

    def regroup(self) -> None:
        """Take up the keys that are watched now."""
        sites: dict[str, dict[str, LiveKey]] = {}
        for name, live in self._world.keys.items():
            sites.setdefault(_origin(live), {})[name] = live
        self._groups = {origin: self._groups.get(origin, _Group()) for origin in sites}
        for origin, members in sites.items():
            self._groups[origin].regroup(members, {"provider": origin})
        self._all.regroup(self._world.keys, {"providers": len(sites)})

    def failed(self, live: LiveKey, was: KeyState, failure: Failure | Unasked) -> None:
        """*live* fails, or for another reason than it did."""
        self._note(live, failure.at, was, failure)

    def answered(self, live: LiveKey, was: KeyState, at: datetime) -> None:
        """*live* gives a reading again."""
        self._note(live, at, was, None)

    def _note(
        self, live: LiveKey, at: datetime, was: KeyState, failure: Failure | Unasked | None
    ) -> None:
        origin = _origin(live)
        change = _Change(live.watched.name, origin, at, was.failing_since or at, failure)
        self._groups[origin].pending.append(change)

    def tell(self, now: datetime) -> None:
        """Tell what has changed since the last time."""
        for group in self._groups.values():
            group.look(now)
        if self._all.is_gathered or self._no_provider_is_reached():
            self._tell_all(now)
            return
        for group in self._groups.values():
            group.tell(now)

    def tell_rest(self) -> None:
        """Tell what no sweep will tell any more."""
        pending = [change.at for group in self._groups.values() for change in group.pending]
        if pending:
            self.tell(max(pending))

    def _no_provider_is_reached(self) -> bool:
        lost = [g for g in self._groups.values() if any(c.is_loss for c in g.recent)]
        many = sum(len(group.recent) for group in lost) > FEW
        return many and len(lost) >= SITES_OF_A_LOSS and 2 * len(lost) > len(self._groups)

    def _tell_all(self, now: datetime) -> None:
        for group in self._groups.values():
            self._all.pending += group.pending
            self._all.alone |= group.alone - {c.key for c in group.recent}
            group.forget()
        self._all.look(now)
        self._all.tell(now)
        if not self._all.is_gathered:
            self._all.forget()


class _Group:
    """Keys that fail together, and what the log has said of them."""

    def __init__(self) -> None:
        self.pending: list[_Change] = []
        self.recent: list[_Change] = []
        self.alone: set[str] = set()
        """Keys that fail and of which the log has said so one by one."""
        self._members: Mapping[str, LiveKey] = {}
        self._fields: dict[str, object] = {}
        self._concerned: set[str] | None = None
        self._since = self._changed_at = _EVER

    def regroup(self, members: Mapping[str, LiveKey], fields: dict[str, object]) -> None:
        """Go on with other *members*."""
        self._members = members
        self._fields = {**fields, "keys": len(members)}

    @property
    def is_gathered(self) -> bool:
        """Whether one line speaks for many keys at present."""
        return self._concerned is not None

    def look(self, now: datetime) -> None:
        """Take in what is pending; let go of what lies too far back."""
        if self.recent or self.pending:
            recent = (change for change in self.recent if _lately(change.at, now))
            self.recent = [*recent, *self.pending]

    def tell(self, now: datetime) -> None:
        """Tell what is pending, one by one or together; see whether it is over."""
        pending, self.pending = self.pending, []
        if self._concerned is None:
            if len({c.key for c in self.recent}) <= FEW:
                self._tell_alone(pending)
                return
            self._begin(pending, now)
        for change in pending:
            change.tell(logging.DEBUG)
        self._go_on(pending, now)

    def forget(self) -> None:
        """Begin anew: another group speaks, or has spoken, for these keys."""
        self.pending, self.recent, self.alone = [], [], set()
        self._concerned = None

    def _tell_alone(self, changes: Sequence[_Change]) -> None:
        for change in changes:
            change.tell(logging.WARNING)
            if change.failure is None:
                self.alone.discard(change.key)
            else:
                self.alone.add(change.key)

    def _begin(self, pending: Sequence[_Change], now: datetime) -> None:
        untold = {n for n, k in self._members.items() if _fails(k) and n not in self.alone}
        self._concerned = untold | {change.key for change in self.recent}
        self._since = min(c.since for c in self.recent)
        self._changed_at = now
        failing = self._failing()
        if not failing:
            return
        reason, detail = _most_common(failing)
        what = "several keys give no reading" if _is_decline(pending) else "keys answer again"
        log.warning(
            "%s: %s; single keys are told at debug level until this is over",
            *(what, detail),
            extra={**self._fields, "failing": len(failing), "reason": reason.value},
        )

    def _go_on(self, pending: Sequence[_Change], now: datetime) -> None:
        concerned = self._concerned or set()
        for change in pending:
            concerned.add(change.key)
            self._since = min(self._since, change.since)
        if pending:
            self._changed_at = now
        failing = self._failing()
        if not failing:
            lasted = span(max(now - self._since, timedelta(0)))
            self._end("all keys answer again, after %s", lasted, {"recovered": len(concerned)})
        elif not _lately(self._changed_at, now) and 2 * len(failing) <= len(self._members):
            names = sorted(live.watched.name for live in failing)
            others = [f"and {len(names) - FEW} more"] if len(names) > FEW else []
            told = ", ".join([*names[:FEW], *others])
            self._end("still no reading of %s; all others answer", told, {"failing": len(names)})
            self.alone = set() if others else set(names)

    def _end(self, sentence: str, told: str, counts: dict[str, int]) -> None:
        log.warning(sentence, told, extra=self._fields | counts)
        self.forget()

    def _failing(self) -> list[LiveKey]:
        names = self._concerned or ()
        return [live for name, live in self._members.items() if name in names and _fails(live)]


def _origin(live: LiveKey) -> str:
    return live.watched.origin or live.watched.provider


def _fails(live: LiveKey) -> bool:
    return live.state.reason is not None


def _lately(moment: datetime, now: datetime) -> bool:
    """Whether *moment* belongs to the present; the future (a clock set back) does not."""
    return timedelta(0) <= now - moment < CALM


def _is_decline(changes: Sequence[_Change]) -> bool:
    return 2 * sum(change.failure is not None for change in changes) >= len(changes)


def _most_common(failing: Sequence[LiveKey]) -> tuple[Reason, str]:
    """The reason most of them fail for, and one of its errors."""
    states = [live.state for live in failing]
    reasons = Counter(state.reason for state in states if state.reason is not None)
    reason = reasons.most_common(1)[0][0]
    return reason, next(state.detail for state in states if state.reason is reason)
