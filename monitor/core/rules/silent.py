"""``silent``: no reading for a while; one alert per provider when the provider is down."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import ClassVar

from pydantic import Field

from monitor.core.fields import Duration
from monitor.core.model import Facts, KeyState, Severity
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

        A long interval is not silence: without a failure two intervals have to pass.  After a
        restart nothing is known until polls have failed or the time has passed again.
        """
        state = view.state
        facts = Facts(
            balance=view.last_balance,
            unit=view.unit,
            reason=state.reason,
            detail=state.detail,
            since=state.failing_since or state.last_success_at or view.watching_since,
            last_reading_at=state.last_success_at,
        )
        if state.refused_since is not None:
            return Verdict.unknown()  # has its own alert: rejected
        if state.failing_since is not None:
            long = view.now - state.failing_since >= self.after
            if long and state.failures >= FAILED_POLLS:
                return Verdict.breach(Severity.WARNING, facts)
            return Verdict.unknown()
        return self._judge_unpolled(view, facts)

    def _judge_unpolled(self, view: KeyView, facts: Facts) -> Verdict:
        last = view.state.last_success_at
        patience = max(self.after, timedelta(seconds=2 * view.interval_seconds))
        if view.now - max(last or view.watching_since, view.watching_since) >= patience:
            return Verdict.breach(Severity.WARNING, facts)
        if last is not None and last >= view.watching_since:
            return Verdict.ok(facts)
        return Verdict.unknown()


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
