"""``runway``: the balance will be used up soon, as far as its own consumption tells."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import ClassVar, Self

from pydantic import Field, model_validator

from monitor.core.fields import Amount, Duration
from monitor.core.model import Severity
from monitor.core.rules.base import MeterView, RuleParameters, Verdict

RAISED_AT = 0.4
"""The quantile of the runway that is held against the limits: somewhat before the median, since an
alert too late costs more than one too early."""


class Runway(RuleParameters):
    """Tell when the balance lasts less than ``warning``, and again below ``critical``.

    It resolves only when it lasts longer than the limit by ``margin`` (a share of it): a forecast
    moves with every reading.
    """

    name: ClassVar[str] = "runway"

    warning: Duration | None = Field(
        default=timedelta(days=3), description="time until it runs out; null: no warning"
    )
    critical: Duration | None = Field(
        default=timedelta(hours=24), description="time until it runs out; null: never critical"
    )
    margin: Amount = Field(
        default=Decimal("0.3"),
        ge=0,
        le=10,
        description="how far past the limit it resolves, 0.3 = 30 %",
    )

    @model_validator(mode="after")
    def _critical_is_shorter(self) -> Self:
        if self.critical and self.warning and self.critical > self.warning:
            raise ValueError("critical must not be longer than warning: the time runs out")
        return self

    def judge(self, view: MeterView) -> Verdict:
        """Breach while the runway is below a limit; unknown without enough history."""
        if view.reading.balance is None:
            return view.ok()
        runway = view.runway_quantile(RAISED_AT)
        if runway is None:
            return Verdict.unknown()
        both = ((Severity.CRITICAL, self.critical), (Severity.WARNING, self.warning))
        for severity, limit in both:
            if limit is None:
                continue
            firing = view.firing is not None and view.firing.rank >= severity.rank
            if runway < (limit * float(1 + self.margin) if firing else limit):
                return Verdict.breach(severity, view.facts(top_up_url=view.top_up_url))
        return view.ok()
