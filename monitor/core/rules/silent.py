"""``silent``: no reading for a while; one alert per provider when the provider is down."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import ClassVar

from pydantic import Field

from monitor.core.events import Facts
from monitor.core.fields import Duration
from monitor.core.model import KeyState, Severity
from monitor.core.rules.base import KeyView, RuleParameters, Verdict

FAILED_POLLS = 2
"""One failed poll is normal (kie.ai says so of itself); silence needs at least two in a row."""

KEYS_OF_AN_OUTAGE = 2
"""One failing key cannot tell its own trouble from its provider's."""


class Silent(RuleParameters):
    """Tell, as warning, when a key has given no reading for ``after``."""

    name: ClassVar[str] = "silent"

    after: Duration = Field(
        default=timedelta(minutes=15),
        gt=timedelta(0),
        description="tell after this long without a reading",
    )

    def judge(self, view: KeyView) -> Verdict:
        """Breach after ``after`` of failed polls, or of no poll at all; ok at a reading.

        A long interval is not silence: where nothing was polled, two intervals have to pass.  After
        a restart nothing is known until polls have failed or the time has passed again.
        """
        state = view.state
        if state.refused_since is not None and view.refusal_is_told:
            return Verdict.unknown()  # has its own alert: rejected
        if self._keeps_failing(view) or self._is_unpolled(view):
            return Verdict.breach(Severity.WARNING, _facts(view))
        if state.reason is None and _in_this_watch(state.last_success_at, view):
            return Verdict.ok(_facts(view))
        return Verdict.unknown()

    def _keeps_failing(self, view: KeyView) -> bool:
        """Failed for ``after``, more than once, and lately: a failure from before a restart is
        no news of the present.  Being left out counts: other keys failed often enough for it.
        """
        state = view.state
        if state.failing_since is None or view.now - state.failing_since < self.after:
            return False
        if state.is_left_out:
            return _in_this_watch(state.failing_since, view)
        return state.failures >= FAILED_POLLS and _in_this_watch(state.last_poll_at, view)

    def _is_unpolled(self, view: KeyView) -> bool:
        """Nobody asked, for longer than it should take: a poller that hangs, a long Retry-After."""
        polled = view.state.last_poll_at
        since = polled if polled and _in_this_watch(polled, view) else view.watching_since
        patience = max(self.after, timedelta(seconds=2 * view.interval_seconds))
        return view.now - since >= patience


def _in_this_watch(moment: datetime | None, view: KeyView) -> bool:
    """Whether *moment* lies in the time that this process has watched without a break.

    The present always does, also when the clock has slid back behind the beginning of the watch.
    """
    return moment is not None and min(view.watching_since, view.now) <= moment <= view.now


def _facts(view: KeyView) -> Facts:
    state = view.state
    return Facts(
        balance=view.last_balance,
        unit=view.unit,
        reason=state.reason,
        detail=state.detail,
        since=state.failing_since or state.last_success_at or view.watching_since,
        last_reading_at=state.last_success_at,
    )


def provider_is_down(states: Sequence[KeyState], since: datetime) -> bool:
    """Whether a silence that began at *since* is the provider's: at least two keys were polled
    after it, and every one of them failed without being refused by name.

    Keys that are refused say nothing about the provider's health and are left out.
    """
    judged = [
        s
        for s in states
        if s.refused_since is None and s.last_poll_at is not None and s.last_poll_at >= since
    ]
    return len(judged) >= KEYS_OF_AN_OUTAGE and all(s.failing_since is not None for s in judged)
