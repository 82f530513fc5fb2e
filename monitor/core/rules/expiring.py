"""``expiring``: credit or a session that is lost at a known time."""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal
from typing import ClassVar, Self

from pydantic import Field, model_validator

from monitor.core.events import Facts
from monitor.core.fields import Duration
from monitor.core.model import Severity
from monitor.core.projection import rounded
from monitor.core.rules.base import MeterView, RuleParameters, Verdict

HOUR = timedelta(hours=1)


class Expiring(RuleParameters):
    """Tell when what is left expires within ``warning``, and again within ``critical``.

    Credit that will be used up before is not told: nothing of it is lost.
    """

    name: ClassVar[str] = "expiring"

    warning: Duration | None = Field(
        default=timedelta(days=7), description="time until it expires; null: no warning"
    )
    critical: Duration | None = Field(
        default=timedelta(days=1), description="time until it expires; null: never critical"
    )

    @model_validator(mode="after")
    def _critical_is_shorter(self) -> Self:
        if self.critical and self.warning and self.critical > self.warning:
            raise ValueError("critical must not be longer than warning: the time runs out")
        return self

    def judge(self, view: MeterView) -> Verdict:
        """Breach while something is left that expires soon; ok when it is renewed or used up."""
        expires_at, balance = view.reading.expires_at, view.reading.balance
        if expires_at is None:
            return view.ok()
        unused = _unused(view, expires_at)
        facts = self._facts(view, expires_at, unused)
        # Once it was told, only a balance that is really used up takes it back: the forecast of
        # what will be left comes and goes.
        left = balance if view.firing else unused
        if left is not None and left <= 0:
            return Verdict.ok(facts)
        both = ((Severity.CRITICAL, self.critical), (Severity.WARNING, self.warning))
        for severity, limit in both:
            if limit is not None and expires_at - view.at < limit:
                return Verdict.breach(severity, facts)
        return Verdict.ok(facts)

    def _facts(self, view: MeterView, expires_at: datetime, unused: Decimal | None) -> Facts:
        return view.facts(expires_at=expires_at, unused=unused)


def _unused(view: MeterView, expires_at: datetime) -> Decimal | None:
    """What will be left at *expires_at* at the expected burn; all of it where none is known.

    None where there is no amount, as of a session.
    """
    balance = view.reading.balance
    if balance is None:
        return None
    burn = view.projection.forecast.expected_per_hour if view.projection else None
    if not burn:
        return balance
    hours = max((expires_at - view.at) / HOUR, 0.0)
    left = float(balance) - burn * hours
    return max(rounded(left) or Decimal(0), Decimal(0))
