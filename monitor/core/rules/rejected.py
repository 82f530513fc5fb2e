"""``rejected``: the provider refuses the key, and waiting does not help."""

from __future__ import annotations

from typing import ClassVar

from monitor.core.events import Facts
from monitor.core.model import Severity
from monitor.core.rules.base import KeyView, RuleParameters, Verdict


class Rejected(RuleParameters):
    """Tell, as critical, when a key is refused, capped, or its session broken."""

    name: ClassVar[str] = "rejected"

    def judge(self, view: KeyView) -> Verdict:
        """Breach at a refusal, ok at a reading, unknown at a failure that may pass by itself."""
        state = view.state
        facts = Facts(
            balance=view.last_balance,
            unit=view.unit,
            reason=state.reason,
            detail=state.detail,
            since=state.refused_since,
            last_reading_at=state.last_success_at,
        )
        if state.reason is None:
            return Verdict.ok(facts) if state.last_success_at else Verdict.unknown()
        if state.reason.needs_person:
            return Verdict.breach(Severity.CRITICAL, facts)
        return Verdict.unknown()
