"""``spike``: burn far above this meter's own normal: a leaked key, a runaway job."""

from __future__ import annotations

import math
from datetime import timedelta
from decimal import Decimal
from typing import ClassVar

from pydantic import Field

from monitor.core.events import Facts
from monitor.core.fields import Amount
from monitor.core.forecast import Usual
from monitor.core.model import Severity
from monitor.core.projection import rounded
from monitor.core.rules.base import MeterView, RuleParameters, Verdict

IDLE_SHARE = Decimal("0.01")
"""Where normally nothing is used, any use would be a spike: only one that took this share of the
reference level within minutes is."""

HOURS_LEFT = 3
"""Enough at this burn for fewer hours than that, a spike cannot wait until somebody looks."""

STEADY_SHARE = 0.5
"""This share of the factor is enough.  It only matters for meters whose own limit is as low: of the
others, what is beyond their limit is beyond the whole factor."""

FACTOR_OVER_BELOW = 0.7
SURPRISE_OVER_BELOW = 0.5
"""A spike is over below these shares of what made it one."""


class Spike(RuleParameters):
    """Tell when a meter burns ``factor`` times its normal, and more than it does by itself: as
    warning, as critical where the balance is gone within hours.

    A meter that hardly ever varies is believed at half the factor.
    """

    name: ClassVar[str] = "spike"

    factor: Amount = Field(
        default=Decimal(4), gt=1, le=1000, description="how many times the normal burn is a spike"
    )

    def judge(self, view: MeterView) -> Verdict:
        """Breach above both measures, ok well below one; unknown without enough history."""
        seen = view.usual
        if seen is None:
            return Verdict.unknown()
        factor, surprise = float(self.factor) * STEADY_SHARE, 1.0
        if view.firing:
            factor, surprise = factor * FACTOR_OVER_BELOW, SURPRISE_OVER_BELOW
        is_far = seen.factor >= factor and seen.surprise >= surprise
        if is_far and (view.firing or _matters(view, seen)):
            return Verdict.breach(_severity(view, seen), _facts(view, seen))
        return Verdict.ok(_facts(view, seen)) if view.firing else view.ok()


def _severity(view: MeterView, seen: Usual) -> Severity:
    """Once critical it stays so: the balance falls while it lasts."""
    balance = float(view.reading.balance or 0)
    is_soon = balance < seen.burn_per_hour * HOURS_LEFT
    return Severity.CRITICAL if is_soon or view.firing is Severity.CRITICAL else Severity.WARNING


def _matters(view: MeterView, seen: Usual) -> bool:
    if math.isfinite(seen.factor):
        return True
    amount = seen.burn_per_hour * (seen.window / timedelta(hours=1))
    return amount >= view.reference * IDLE_SHARE


def _facts(view: MeterView, seen: Usual) -> Facts:
    return view.facts(
        burn=rounded(seen.burn_per_hour),
        usual=rounded(seen.normal_per_hour),
        factor=rounded(seen.factor),
        since=view.at - seen.window,
    )
