"""``overdue_top_up``: an automatic top-up that should have come by now."""

from __future__ import annotations

from decimal import Decimal
from typing import ClassVar

from pydantic import Field

from monitor.core.fields import Amount, Duration
from monitor.core.model import Severity
from monitor.core.rules.base import MeterView, RuleParameters, Verdict

CLEAR_MARGIN = Decimal("1.1")
"""It resolves above the level by a tenth, so that a refund is no top-up."""


class OverdueTopUp(RuleParameters):
    """Tell, as warning, when the balance has been below ``below`` for ``after``.

    Off unless configured: where the provider's automatic top-up is set up, this is how one hears
    that it did not happen (a card that expired, a limit of the bank).
    """

    name: ClassVar[str] = "overdue_top_up"

    below: Amount = Field(description="balance at which the provider tops up by itself")
    after: Duration = Field(description="how long that may take")

    def is_low(self, view: MeterView, *, firing: bool) -> bool:
        """Whether a top-up is due: the balance is below the level (by a margin, once told)."""
        balance = view.reading.balance
        level = self.below * CLEAR_MARGIN if firing else self.below
        return balance is not None and balance < level

    def judge(self, view: MeterView) -> Verdict:
        """Breach when the balance was low for the whole time."""
        facts = view.facts(threshold=self.below, since=view.low_since, top_up_url=view.top_up_url)
        if view.low_since is None:
            return Verdict.ok(facts)
        if view.firing is None and view.at - view.low_since < self.after:
            return Verdict.unknown()
        return Verdict.breach(Severity.WARNING, facts)
