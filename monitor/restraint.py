"""Why channels are not told of an alert: it flaps, is silenced, or another one tells its story."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from monitor.core.alerts import Transition
from monitor.core.endings import KeptEnds
from monitor.core.events import Alert, Change, Event, Suppression, Why
from monitor.core.flapping import Flapping
from monitor.core.routing import is_silenced
from monitor.core.voices import ONE_STORY, SAYS_IT_ALL
from monitor.store.base import Snapshot
from monitor.teller import Teller
from monitor.world import World


class Restraint:
    """Holds back what *teller* would tell, and knows what of that may be told later.

    ``withheld`` are open alerts that were silenced while a message of them waited; ``kept_ends``
    those that were told, and ended within a silence.
    """

    def __init__(
        self, world: World, teller: Teller, flapping: Flapping, snapshot: Snapshot
    ) -> None:
        self.flapping = flapping
        self.kept_ends = KeptEnds(snapshot.silenced_ends)
        self.withheld = set(snapshot.withheld)  # alerts of which not everybody could be told
        self._world = world
        self._teller = teller
        self._covered: set[int] = set()  # alerts whose story another one tells

    def weigh(
        self, transition: Transition, before: Alert | None
    ) -> tuple[Transition, Suppression | None]:
        """*transition* as it is told, or why it is not; *before* is what channels knew."""
        transition = self._counted(transition)
        alert = transition.alert
        if transition.told and self.flapping.holds_back(transition, alert.changed_at):
            return _untold(transition, before), Suppression.FLAPPING
        return self._silenced(transition, before)

    def is_owed(self, alert: Alert) -> bool:
        """Whether channels do not know of *alert*, or not all of those that should."""
        return not was_told(alert) or alert.id in self.withheld

    def why_told_late(self, alert: Alert) -> Why | None:
        """Why to tell now of an *alert* that is owed; None while something still holds
        it back, or somebody looks after it.
        """
        if self.flapping.is_held(alert.slot) or self._is_taken_on(alert) or self._is_covered(alert):
            return None
        return Why.UNCOVERED if alert.id in self._covered else Why.SILENCE_OVER

    def is_over_it(self, alert: Alert) -> bool:
        """Whether *alert* waits until there is a balance again, because nothing is left."""
        empty = (alert.subject.id, alert.meter, "exhausted")
        return alert.rule in (*ONE_STORY, "spike") and empty in self._world.alerts

    def is_silenced_at(self, alert: Alert | Event, now: datetime) -> bool:
        """Whether a silence that holds at *now* keeps *alert* quiet."""
        if not self._world.silences:
            return False
        concern = self._teller.concern(alert)
        return any(s.active(now) and is_silenced(concern, s) for s in self._world.silences)

    def _counted(self, transition: Transition) -> Transition:
        """*transition* with the number of times that its alert fired, if it flaps."""
        alert, fires = transition.alert, transition.change is Change.FIRED
        fired = self.flapping.fired(alert.slot, alert.changed_at, again=fires)
        return replace(transition, alert=replace(alert, facts=replace(alert.facts, fired=fired)))

    def _silenced(
        self, transition: Transition, before: Alert | None
    ) -> tuple[Transition, Suppression | None]:
        """*transition* as it is told: marked as told now, or not told because of a silence.

        The end of what nobody was told of is not told either.
        """
        alert = transition.alert
        if not transition.told:
            return transition, None
        if self.is_silenced_at(alert, alert.changed_at):
            return _untold(transition, before), Suppression.SILENCED
        if transition.change is Change.RESOLVED and not alert.severities:
            was_covered = alert.id in self._covered
            self._covered.discard(alert.id)
            reason = Suppression.INHIBITED if was_covered else Suppression.SILENCED
            return replace(transition, told=False), reason
        if transition.change is not Change.RESOLVED and self._is_covered(alert):
            self._covered.add(alert.id)
            return _untold(transition, before), Suppression.INHIBITED
        at = max(alert.changed_at, alert.told_at or alert.changed_at)
        return replace(transition, alert=replace(alert, told_at=at)), None

    def _is_covered(self, alert: Alert) -> bool:
        """Whether all who would be told of *alert* were told the same story by another one.

        Not where a channel hears of one of the two rules only.
        """
        if alert.rule not in ONE_STORY:
            return False
        wanting = [route for route in self._teller.routes if self._teller.wanted(route, alert)]
        return any(
            other is not None
            and was_told(replace(other, severity=alert.severity))
            and all(self._teller.wanted(route, other) for route in wanting)
            for rule in (ONE_STORY | SAYS_IT_ALL) - {alert.rule}
            for other in [self._world.alerts.get((alert.subject.id, alert.meter, rule))]
        )

    def _is_taken_on(self, alert: Alert) -> bool:
        """Whether somebody has acknowledged the alert, and it has not become worse since."""
        ack = self._world.acks.get(alert.id)
        if ack is None:
            return False
        return alert.changed_at <= ack.at or alert.severity is not alert.worst


def _untold(transition: Transition, before: Alert | None) -> Transition:
    """*transition* without a word to the channels: they know what they knew *before*."""
    told = before.severities if before else ()
    return replace(transition, alert=replace(transition.alert, severities=told), told=False)


def was_told(alert: Alert) -> bool:
    """Whether the channels know of the alert at its present severity or a worse one."""
    return any(severity.rank >= alert.severity.rank for severity in alert.severities)
