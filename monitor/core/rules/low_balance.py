"""``low_balance``: below an amount, or below a share of the level after the last top-up."""

from __future__ import annotations

from decimal import Decimal
from typing import ClassVar, Self

from pydantic import Field, model_validator

from monitor.core.events import Facts
from monitor.core.fields import Amount, Threshold
from monitor.core.model import Severity
from monitor.core.rules.base import MeterView, RuleParameters, Verdict


class LowBalance(RuleParameters):
    """Tell when the balance falls below ``warning`` and again below ``critical``.

    It resolves only above the threshold by ``margin`` (a share of it), so noise never flaps.
    """

    name: ClassVar[str] = "low_balance"

    warning: Threshold | None = Field(
        default=Threshold(share=Decimal("0.2")),
        description="amount, or share of the balance after the last top-up; null: no warning",
    )
    critical: Threshold | None = Field(
        default=Threshold(share=Decimal("0.05")),
        description="amount, or share of the balance after the last top-up; null: never critical",
    )
    margin: Amount = Field(
        default=Decimal("0.1"),
        ge=0,
        le=10,
        description="how far past the threshold it resolves, 0.1 = 10 %",
    )

    @model_validator(mode="after")
    def _critical_is_lower(self) -> Self:
        low, high = self.critical, self.warning
        if low is None or high is None:
            return self
        pairs = ((low.amount, high.amount), (low.share, high.share))
        if any(a is not None and b is not None and a > b for a, b in pairs):
            raise ValueError("critical must not be above warning: the balance falls")
        return self

    def thresholds(self, reference: Decimal) -> list[tuple[Severity, Threshold, Decimal]]:
        """The configured limits as amounts, worst first."""
        both = ((Severity.CRITICAL, self.critical), (Severity.WARNING, self.warning))
        return [(s, limit, limit.of(reference)) for s, limit in both if limit is not None]

    def judge(self, view: MeterView) -> Verdict:
        """Breach while the balance is below a limit, with hysteresis for what already fires."""
        balance = view.reading.balance
        if balance is None:
            return view.ok()
        last: tuple[Threshold | None, Decimal | None] = (None, None)
        for severity, limit, amount in self.thresholds(view.reference):
            last = (limit, amount)
            firing = view.firing is not None and view.firing.rank >= severity.rank
            clear_at = amount + self._pad(amount, view.reference) if firing else amount
            # Nothing left is below any share, also of a reference level that is itself zero.
            if balance < clear_at or (limit.share is not None and balance <= 0):
                return Verdict.breach(severity, self._facts(view, limit, amount))
        return Verdict.ok(self._facts(view, *last)) if view.firing else view.ok()

    def _pad(self, amount: Decimal, reference: Decimal) -> Decimal:
        """How far above *amount* it resolves; a limit of zero has no size of its own to take a
        share of, so a tenth of the reference level stands in.
        """
        return self.margin * (abs(amount) or max(reference, Decimal(0)) / 10)

    def _facts(self, view: MeterView, limit: Threshold | None, amount: Decimal | None) -> Facts:
        return view.facts(
            threshold=amount,
            share=limit.share if limit else None,
            reference=view.reference,
            top_up_url=view.top_up_url,
        )
