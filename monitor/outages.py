"""Telling a provider's outage from one key's silence: one alert instead of one per key."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Self

from monitor.core.alerts import Slot, Transition, close, step
from monitor.core.events import Facts, Why
from monitor.core.model import HOST, Severity, Subject
from monitor.core.reachability import UNREACHABLE
from monitor.core.rules import KeyView, Silent, Verdict
from monitor.core.rules.silent import provider_is_down
from monitor.network import NetworkWatch
from monitor.world import LiveKey, World

_EVER = datetime.min.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class _Seen:
    """Which keys of a provider fail by their own polls, when the last reading came, and when the
    last poll that says that the provider answers: not of a key that fails, or is refused by name.
    """

    failing: Sequence[LiveKey]
    last_success: datetime | None
    last_answer: datetime | None

    @classmethod
    def of(cls, members: Sequence[LiveKey]) -> Self:
        """What *members* have seen."""
        states = [member.state for member in members]
        readings = (s.last_success_at for s in states)
        answers = (
            s.last_poll_at for s in states if s.refused_since is None and s.failing_since is None
        )
        return cls(
            failing=[member for member in members if _is_failing(member)],
            last_success=max((at for at in readings if at), default=None),
            last_answer=max((at for at in answers if at), default=None),
        )


class ProviderWatch:
    """Keeps the ``silent`` alerts of whole providers, and of all at once; keys are grouped by
    their origin.
    """

    def __init__(self, world: World) -> None:
        self._world = world
        self._members: dict[str, list[LiveKey]] = {}
        self._seen: dict[str, _Seen] = {}
        self._recovered_at: dict[str, datetime] = {}
        self._network = NetworkWatch(world, {})
        self.regroup()

    def regroup(self) -> None:
        """Take up the keys that are watched now."""
        self._members, self._seen = {}, {}
        for live in self._world.keys.values():
            self._members.setdefault(_subject(live).id, []).append(live)
        sites = {_subject(members[0]).provider: members for members in self._members.values()}
        self._network.regroup(sites)

    def slots(self) -> Iterator[tuple[str, str]]:
        """(subject id, rule) of the alerts this watch may keep open."""
        yield from ((subject_id, Silent.name) for subject_id in self._members)
        if self._network.can_tell:
            yield HOST.id, Silent.name

    def speaks_for(self, live: LiveKey, after: timedelta, now: datetime) -> bool:
        """Whether another alert tells this key's silence, now or until it had its time: that of
        its provider, or of the network.

        A key that is still failing when the provider is back gets *after* anew, so that the end of
        an outage is not a storm.
        """
        if self._network.speaks(after, now):
            return True
        subject_id = _subject(live).id
        if (subject_id, "", Silent.name) in self._world.alerts:
            return True
        recovered = self._recovered_at.get(subject_id)
        # A clock that was set back must not stretch this: what lies ahead is no recovery.
        return recovered is not None and timedelta(0) <= now - recovered < after

    def outage(
        self, live: LiveKey, rule: Silent, view: KeyView, verdict: Verdict, next_id: int
    ) -> Transition | None:
        """The alert of the network, where *live*'s silence is shared by all providers, or that of
        its provider, where it is shared by all keys of that.
        """
        loss = self._network.loss(rule, view.watching_since, view.now, next_id)
        return loss or self._outage_of_provider(live, rule, verdict, view.now, next_id)

    def _outage_of_provider(
        self, live: LiveKey, rule: Silent, verdict: Verdict, now: datetime, next_id: int
    ) -> Transition | None:
        subject = _subject(live)
        members, seen = self._members[subject.id], self._look(subject.id)
        asked: Sequence[LiveKey] = members
        since = live.state.failing_since
        if since is None:
            # Nobody could ask for it, as when polls that hang take up all that may be in flight.
            asked, since = seen.failing, seen.last_success or verdict.facts.since or now
        elif seen.last_answer is not None and seen.last_answer >= since:
            return None
        if not provider_is_down([m.state for m in asked], since):
            return None
        facts = _facts([m for m in members if _is_mute(m)])
        if facts.reason in UNREACHABLE and not self._network.can_tell:
            facts = replace(facts, only_site=True)
        breach = Verdict.breach(verdict.severity or Severity.WARNING, facts)
        slot = Slot(subject=subject, meter="", rule=rule.name)
        return step(slot, None, breach, now=now, next_id=next_id)

    def _look(self, subject_id: str) -> _Seen:
        """What the members have seen, looked at once in a sweep: many keys fall silent together."""
        if subject_id not in self._seen:
            self._seen[subject_id] = _Seen.of(self._members[subject_id])
        return self._seen[subject_id]

    def recovered(self, watching_since: datetime, now: datetime) -> Iterator[Transition]:
        """The end of outages, looked for at the beginning of a sweep: as many keys answer again as
        still fail.

        A key that was not polled since is neither: it may still wait behind those that hang, or
        be left out because of them.
        """
        self._seen = {}
        regained = self._network.recovered(watching_since, now)
        if regained is not None:
            yield regained
        for subject_id, members in self._members.items():
            alert = self._world.alerts.get((subject_id, "", Silent.name))
            if alert is None:
                continue
            failing = [m for m in members if _is_failing(m)]
            # A clock that was set back must not keep the alert open until it has caught up.
            since = alert.opened_at if alert.opened_at <= now else _EVER
            answering = [m for m in members if _answers(m, since)]
            if len(failing) <= len(answering):
                self._recovered_at[subject_id] = now
                facts = replace(_facts([*answering, *failing]), since=alert.facts.since)
                yield close(alert, facts, Why.RECOVERED, now)


def _subject(live: LiveKey) -> Subject:
    return Subject(live.watched.origin or live.watched.provider)


def _is_mute(live: LiveKey) -> bool:
    """Whether nothing is known of the key, other than that it was refused."""
    return live.state.failing_since is not None and live.state.refused_since is None


def _is_failing(live: LiveKey) -> bool:
    """Whether its own polls show that."""
    return _is_mute(live) and not live.state.is_left_out


def _answers(live: LiveKey, since: datetime) -> bool:
    """Whether the key gave a reading at *since* or later, and fails in no way."""
    read = live.state.last_success_at
    return live.state.reason is None and read is not None and read >= since


def _facts(members: list[LiveKey]) -> Facts:
    # What polls said comes before what keys were left out for.
    states = sorted((m.state for m in members), key=lambda s: s.is_left_out)
    reasons = Counter(s.reason for s in states if s.reason is not None)
    reason = reasons.most_common(1)[0][0] if reasons else None
    return Facts(
        reason=reason,
        detail=next((s.detail for s in states if s.reason is reason), "") if reason else "",
        since=min((s.failing_since for s in states if s.failing_since), default=None),
        last_reading_at=max((s.last_success_at for s in states if s.last_success_at), default=None),
        keys=tuple(sorted(s.key for s in states)),
    )
