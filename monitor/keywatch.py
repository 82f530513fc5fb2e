"""How the keys themselves fare: whether they answer, are refused or have fallen silent."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

from monitor.announcer import Announcer
from monitor.core.alerts import Slot
from monitor.core.model import Failure, KeyState, Kind, Outage, Unasked
from monitor.core.rules import KeyView, RuleParameters, Silent
from monitor.core.rules.base import State
from monitor.health_log import HealthLog
from monitor.outages import ProviderWatch
from monitor.runs import RUN_GAP_INTERVALS, SAVE_EVERY, within
from monitor.store.base import Changes
from monitor.world import LiveKey, World


class KeyWatch:
    """The part of the pipeline that knows about the health of keys; *now* is when it begins."""

    def __init__(
        self, world: World, announcer: Announcer, providers: ProviderWatch, now: datetime
    ) -> None:
        self._world = world
        self._announcer = announcer
        self._providers = providers
        self._watching_since = now
        self.log = HealthLog(world)

    def watched_since(self, live: LiveKey) -> datetime:
        """Since when *live* is watched without a break."""
        return max(self._watching_since, live.since or self._watching_since)

    def answers(self, live: LiveKey, at: datetime) -> bool:
        """Take in that a poll gave a reading; whether the one before did too."""
        was = live.state
        live.state = KeyState(key=was.key, last_poll_at=at, last_success_at=at)
        live.outage = None
        if was.reason is not None:
            self.log.answered(live, was, at)
        return was.reason is None and was.last_success_at is not None

    def fails(self, live: LiveKey, failure: Failure, changes: Changes) -> bool:
        """Take in and judge a poll that gave none; whether the key is to be written now."""
        state, at = live.state, failure.at
        changed = state.reason is not failure.reason or state.detail != failure.detail
        if state.reason is not failure.reason:
            self.log.failed(live, state, failure)
        refused_since = state.refused_since
        if failure.reason.needs_person:
            refused_since = refused_since or at
        live.state = KeyState(
            key=state.key,
            last_poll_at=at,
            last_success_at=state.last_success_at,
            failing_since=state.failing_since or at,
            failures=state.failures + 1,
            reason=failure.reason,
            detail=failure.detail,
            refused_since=refused_since,
        )
        _extend_outage(live, failure, changes)
        self.judge(live, at, changes)
        is_recent = within(live.saved_at, at, SAVE_EVERY)
        return changed or state.failures < RUN_GAP_INTERVALS or not is_recent

    def left_out(self, live: LiveKey, unasked: Unasked) -> bool:
        """Nobody answers for the key: what it last read no longer stands for the present; whether
        that is news.

        That is no poll, so neither times nor numbers of polls move; what failed before still does.
        """
        if live.state.reason is not None:
            return False
        self.log.failed(live, live.state, unasked)
        live.state = replace(
            live.state,
            failing_since=unasked.at,
            reason=unasked.reason,
            detail=unasked.detail,
        )
        return True

    def judge(self, live: LiveKey, now: datetime, changes: Changes) -> None:
        """The key rules after a poll: a refusal at once, and the end of refusal or silence."""
        rules = live.watched.rules
        if rules.rejected is not None:
            slot = _slot(live, rules.rejected)
            verdict = rules.rejected.judge(self._view(live, slot, now))
            self._announcer.step(slot, verdict, now, changes)
        if rules.silent is not None and live.state.reason is None:
            slot = _slot(live, rules.silent)
            verdict = rules.silent.judge(self._view(live, slot, now))
            self._announcer.step(slot, verdict, now, changes)

    def is_silent(self, live: LiveKey) -> bool:
        """Whether its silence is told."""
        return (live.watched.subject.id, "", Silent.name) in self._world.alerts

    def sweep(self, live: LiveKey, now: datetime, changes: Changes) -> None:
        """Judge whether *live* has fallen silent."""
        rule = live.watched.rules.silent
        if rule is None or not self._may_be_silent(live, rule, now):
            return
        if self._providers.speaks_for(live, rule.after, now):
            return
        slot = _slot(live, rule)
        view = self._view(live, slot, now)
        verdict = rule.judge(view)
        if verdict.state is State.BREACH and self._world.alert(slot) is None:
            next_id = self._announcer.next_alert_id
            outage = self._providers.outage(live, rule, view, verdict, next_id)
            if outage is not None:
                self._announcer.apply(outage, changes)
                return
        self._announcer.step(slot, verdict, now, changes)

    def sweep_providers(self, now: datetime, changes: Changes) -> None:
        """End the outages of providers that answer again."""
        for transition in self._providers.recovered(self._watching_since, now):
            self._announcer.apply(transition, changes)

    def clock_stepped(self, by: timedelta, now: datetime) -> None:
        """The wall clock was set by *by*: what was measured before must not count as silence."""
        self._watching_since = now
        for live in self._world.keys.values():
            state = live.state
            live.state = replace(
                state,
                failing_since=_shifted(state.failing_since, by),
                refused_since=_shifted(state.refused_since, by),
                last_success_at=_not_after(state.last_success_at, now),
            )

    def _may_be_silent(self, live: LiveKey, rule: Silent, now: datetime) -> bool:
        """A cheap first look, so that a sweep over many healthy keys costs next to nothing."""
        state = live.state
        since = state.failing_since or state.last_success_at or self.watched_since(live)
        if state.refused_since is not None and live.watched.rules.rejected is not None:
            return False
        return now - since >= rule.after

    def _view(self, live: LiveKey, slot: Slot, now: datetime) -> KeyView:
        alert = self._world.alert(slot)
        balances = (m for m in live.meters.values() if m.reading.kind is Kind.BALANCE)
        meter = next(balances, None)
        return KeyView(
            state=live.state,
            now=now,
            watching_since=self.watched_since(live),
            interval_seconds=live.watched.interval.total_seconds(),
            firing=alert.severity if alert else None,
            refusal_is_told=live.watched.rules.rejected is not None,
            last_balance=meter.reading.balance if meter else None,
            unit=meter.reading.unit if meter else "",
        )


def _extend_outage(live: LiveKey, failure: Failure, changes: Changes) -> None:
    last = live.outage
    if last is not None and last.reason is failure.reason and last.until <= failure.at:
        live.outage = replace(last, until=failure.at, polls=last.polls + 1)
    else:
        live.outage = Outage(
            key=failure.key,
            at=failure.at,
            until=failure.at,
            reason=failure.reason,
            detail=failure.detail,
        )
    changes.outages.append(live.outage)


def _slot(live: LiveKey, rule: RuleParameters) -> Slot:
    return Slot(subject=live.watched.subject, meter="", rule=rule.name)


def _shifted(moment: datetime | None, by: timedelta) -> datetime | None:
    return None if moment is None else moment + by


def _not_after(moment: datetime | None, now: datetime) -> datetime | None:
    return None if moment is None else min(moment, now)
