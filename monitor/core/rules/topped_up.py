"""``topped_up``: credit was paid in; an event of its own, not an episode."""

from __future__ import annotations

from decimal import Decimal
from typing import ClassVar

from pydantic import Field

from monitor.core.fields import Amount
from monitor.core.ledger import MovementKind
from monitor.core.model import Severity
from monitor.core.rules.base import MeterView, RuleParameters, Verdict


class ToppedUp(RuleParameters):
    """Tell, as info, how much was paid in and the new balance."""

    name: ClassVar[str] = "topped_up"

    min: Amount = Field(default=Decimal(0), ge=0, description="tell only top-ups of this amount up")

    def judge(self, view: MeterView) -> Verdict:
        """A breach of severity info exactly at the reading that shows a top-up."""
        move = view.movement
        if move is None or move.kind is not MovementKind.TOP_UP or move.amount < self.min:
            return Verdict.unknown()
        return Verdict.breach(Severity.INFO, view.facts(amount=move.amount))
