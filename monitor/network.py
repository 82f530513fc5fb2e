"""The loss of this host's own network: one alert instead of an outage of every provider."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from monitor.core.alerts import Slot, Transition, close, step
from monitor.core.events import Alert, Facts, Why
from monitor.core.model import HOST, KeyState, Severity
from monitor.core.reachability import SITES_OF_A_LOSS, UNREACHABLE, has_answered, lost_since
from monitor.core.rules import Silent, Verdict
from monitor.world import LiveKey, World

SLOT = Slot(subject=HOST, meter="", rule=Silent.name)

ERRORS_SHOWN = 3
"""Of so many providers the message quotes the last error."""


class NetworkWatch:
    """Keeps the one ``silent`` alert that speaks for all providers; *sites* are keys by origin."""

    def __init__(self, world: World, sites: Mapping[str, Sequence[LiveKey]]) -> None:
        self._world = world
        self._sites = sites
        self._recovered_at: datetime | None = None
        self._since: datetime | None = None
        self._looked = False

    def regroup(self, sites: Mapping[str, Sequence[LiveKey]]) -> None:
        """Take up the keys that are watched now."""
        self._sites = sites
        self._looked = False

    @property
    def can_tell(self) -> bool:
        """Whether there are providers enough to tell this loss from the outage of one."""
        return len(self._sites) >= SITES_OF_A_LOSS

    def speaks(self, after: timedelta, now: datetime) -> bool:
        """Whether the network's alert tells a key's silence; when it is over, *after* anew."""
        if self._alert is not None:
            return True
        recovered = self._recovered_at
        # A clock that was set back must not stretch this: what lies ahead is no recovery.
        return recovered is not None and timedelta(0) <= now - recovered < after

    def loss(
        self, rule: Silent, watching_since: datetime, now: datetime, next_id: int
    ) -> Transition | None:
        """The network's alert, if no provider could be reached for as long as *rule* waits."""
        since = self._lost_since(watching_since, now)
        if since is None or now - since < rule.after:
            return None
        breach = Verdict.breach(Severity.WARNING, self._facts(since))
        return step(SLOT, None, breach, now=now, next_id=next_id)

    def recovered(self, watching_since: datetime, now: datetime) -> Transition | None:
        """The end of the loss: any provider has answered since it was told."""
        self._looked = False
        alert = self._alert
        if alert is None:
            return None
        # A clock that was set back must not keep the alert open until it has caught up.
        since = alert.opened_at if alert.opened_at <= now else watching_since
        states = [live.state for site in self._sites.values() for live in site]
        polls = [s.last_poll_at for s in states if has_answered(s) and s.last_poll_at]
        if not any(at >= since for at in polls):
            return None
        self._recovered_at = now
        last = max((s.last_success_at for s in states if s.last_success_at), default=None)
        return close(alert, replace(alert.facts, last_reading_at=last), Why.RECOVERED, now)

    @property
    def _alert(self) -> Alert | None:
        return self._world.alert(SLOT)

    def _lost_since(self, watching_since: datetime, now: datetime) -> datetime | None:
        """As of this sweep: worked out at most once in it, however many keys are silent."""
        if not self._looked:
            sites = [[live.state for live in site] for site in self._sites.values()]
            self._since, self._looked = lost_since(sites, min(watching_since, now)), True
        return self._since

    def _facts(self, since: datetime) -> Facts:
        mute = {name: _mute(site) for name, site in self._sites.items()}
        states = [state for found in mute.values() for state in found]
        reasons = Counter(s.reason for s in states if s.reason)
        return Facts(
            reason=reasons.most_common(1)[0][0],
            detail=_errors(mute),
            since=since,
            last_reading_at=max(
                (s.last_success_at for s in states if s.last_success_at), default=None
            ),
            keys=tuple(sorted(s.key for s in states)),
        )


def _mute(site: Sequence[LiveKey]) -> list[KeyState]:
    """The keys of *site* that cannot be reached and whose silence is to be told; those that were
    asked come first.
    """
    mute = [
        live.state
        for live in site
        if live.state.reason in UNREACHABLE and live.watched.rules.silent is not None
    ]
    return sorted(mute, key=lambda s: s.is_left_out)


def _errors(mute: Mapping[str, Sequence[KeyState]]) -> str:
    """The last error of the first few sites, and how many more there are."""
    errors = [
        f"{name}: {states[0].detail or states[0].reason}" for name, states in mute.items() if states
    ]
    more = len(errors) - ERRORS_SHOWN
    return "; ".join([*errors[:ERRORS_SHOWN], *([f"and {more} more"] if more > 0 else [])])
