"""Meters that fail while their key works, such as a linked account that is logged out.

Each is judged by the rules about a key's health, as if it were a key of its own, so that the
trouble of one never hides what the others say.
"""

from __future__ import annotations

import logging
from dataclasses import replace
from datetime import datetime

from monitor.announcer import Announcer
from monitor.core.alerts import Slot
from monitor.core.model import KeyState, MeterFailure, MeterTrouble, Reading
from monitor.core.rules import KeyView, RuleParameters
from monitor.core.rules.silent import FAILED_POLLS
from monitor.store.base import Changes
from monitor.world import LiveKey, World

log = logging.getLogger(__name__)


class MeterWatch:
    """The part of the pipeline that knows about meters which cannot be read."""

    def __init__(self, world: World, announcer: Announcer) -> None:
        self._world = world
        self._announcer = announcer

    def observe(self, live: LiveKey, reading: Reading, changes: Changes) -> bool:
        """Take in which meters failed, and which are well again; whether there is any news."""
        news = False
        for failure in reading.failures:
            news |= self._fails(live, failure, reading.at, changes)
        for meter in reading.meters if live.troubles else ():
            if live.troubles.pop(meter.meter, None) is not None:
                news = True
                log.warning("key %s: %s can be read again", reading.key, meter.meter)
                self._recovers(live, meter.meter, reading.at, changes)
        return news

    def sweep(
        self, live: LiveKey, watching_since: datetime, now: datetime, changes: Changes
    ) -> None:
        """Meters that have given no reading for too long, for a reason that may pass by itself.

        A key that fails as a whole speaks for them, and what the last poll did not name is gone.
        """
        rule = live.watched.rules.silent
        if rule is None or live.state.reason is not None:
            return
        for trouble in live.troubles.values():
            if trouble.at == live.state.last_poll_at:
                slot = _slot(live, rule, trouble.meter)
                state = self._state_for_silence(live, trouble)
                view = self._view(live, state, slot, watching_since, now)
                self._announcer.step(slot, rule.judge(view), now, changes)

    def _fails(self, live: LiveKey, failure: MeterFailure, at: datetime, changes: Changes) -> bool:
        before = live.troubles.get(failure.meter)
        if before is None or before.reason is not failure.reason:
            log.warning(
                "key %s: no reading of %s: %s: %s",
                live.watched.name,
                failure.meter,
                failure.reason,
                failure.detail,
            )
        trouble = MeterTrouble(
            meter=failure.meter,
            reason=failure.reason,
            detail=failure.detail,
            since=before.since if before else at,
            at=at,
            polls=before.polls + 1 if before else 1,
        )
        live.troubles[failure.meter] = trouble
        rule = live.watched.rules.rejected
        if rule is not None:
            slot = _slot(live, rule, failure.meter)
            verdict = rule.judge(self._view(live, _state(live, trouble), slot, at, at))
            self._announcer.step(slot, verdict, at, changes)
        same = before and (before.reason, before.detail) == (failure.reason, failure.detail)
        return not same or trouble.polls <= FAILED_POLLS

    def _recovers(self, live: LiveKey, meter: str, at: datetime, changes: Changes) -> None:
        well = KeyState(key=live.watched.name, last_poll_at=at, last_success_at=at)
        for rule in (live.watched.rules.rejected, live.watched.rules.silent):
            if rule is not None:
                slot = _slot(live, rule, meter)
                verdict = rule.judge(self._view(live, well, slot, at, at))
                self._announcer.step(slot, verdict, at, changes)

    def _state_for_silence(self, live: LiveKey, trouble: MeterTrouble) -> KeyState:
        """The meter's health; a refusal that is told stays one while polls time out after it."""
        state, rejected = _state(live, trouble), live.watched.rules.rejected
        if rejected and self._world.alert(_slot(live, rejected, trouble.meter)):
            return replace(state, refused_since=trouble.since)
        return state

    def _view(
        self, live: LiveKey, state: KeyState, slot: Slot, watching_since: datetime, now: datetime
    ) -> KeyView:
        alert, meter = self._world.alert(slot), live.meters.get(slot.meter)
        return KeyView(
            state=state,
            now=now,
            watching_since=watching_since,
            interval_seconds=live.watched.interval.total_seconds(),
            firing=alert.severity if alert else None,
            refusal_is_told=live.watched.rules.rejected is not None,
            last_balance=meter.reading.balance if meter else None,
            unit=meter.reading.unit if meter else "",
        )


def _slot(live: LiveKey, rule: RuleParameters, meter: str) -> Slot:
    return Slot(subject=live.watched.subject, meter=meter, rule=rule.name)


def _state(live: LiveKey, trouble: MeterTrouble) -> KeyState:
    """The health of a meter in the words of a key's."""
    meter = live.meters.get(trouble.meter)
    return KeyState(
        key=live.watched.name,
        last_poll_at=trouble.at,
        last_success_at=meter.at if meter else None,
        failing_since=trouble.since,
        failures=trouble.polls,
        reason=trouble.reason,
        detail=trouble.detail,
        refused_since=trouble.since if trouble.reason.needs_person else None,
    )
