"""``exhausted``: nothing is left; the provider refuses work now or at the next call."""

from __future__ import annotations

from decimal import Decimal
from typing import ClassVar

from monitor.core.model import Severity
from monitor.core.rules.base import MeterView, RuleParameters, Verdict

CLEAR_SHARE = Decimal("0.01")
"""It resolves above this share of the reference level: a refund of crumbs is no recovery."""


class Exhausted(RuleParameters):
    """Tell, as critical, when the balance is zero or below; it has no parameters."""

    name: ClassVar[str] = "exhausted"

    def judge(self, view: MeterView) -> Verdict:
        """Breach at zero and below; once firing, until more than crumbs are there."""
        balance = view.reading.balance
        if balance is None:
            return view.ok()
        # The top-up that ends the episode also moves the reference, so a small one still clears;
        # a reference below zero (a debt from the first reading on) must not clear a debt.
        clear_at = max(view.reference * CLEAR_SHARE, Decimal(0)) if view.firing else 0
        if balance <= clear_at:
            facts = view.facts(
                threshold=Decimal(0), reference=view.reference, top_up_url=view.top_up_url
            )
            return Verdict.breach(Severity.CRITICAL, facts)
        return view.ok(reference=view.reference)
