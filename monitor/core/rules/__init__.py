"""The rules: one module each with its parameters and its judgement, listed once here."""

from __future__ import annotations

from pydantic import BaseModel

from monitor.core.fields import STRICT
from monitor.core.rules.base import KeyView, MeterView, RuleParameters, State, Verdict
from monitor.core.rules.exhausted import Exhausted
from monitor.core.rules.low_balance import LowBalance
from monitor.core.rules.rejected import Rejected
from monitor.core.rules.renewal import SessionRenewal
from monitor.core.rules.silent import Silent
from monitor.core.rules.topped_up import ToppedUp


class Rules(BaseModel):
    """The rules of one key; None is a rule that is switched off."""

    model_config = STRICT

    low_balance: LowBalance | None = LowBalance()
    exhausted: Exhausted | None = Exhausted()
    rejected: Rejected | None = Rejected()
    silent: Silent | None = Silent()
    topped_up: ToppedUp | None = ToppedUp()
    renewal: SessionRenewal | None = SessionRenewal()


__all__ = [
    "Exhausted",
    "KeyView",
    "LowBalance",
    "MeterView",
    "Rejected",
    "RuleParameters",
    "Rules",
    "SessionRenewal",
    "Silent",
    "State",
    "ToppedUp",
    "Verdict",
]
