"""The rules: one module each with its parameters and its judgement, listed once here."""

from __future__ import annotations

from pydantic import BaseModel

from monitor.core.fields import STRICT
from monitor.core.rules.base import KeyView, MeterView, RuleParameters, State, Verdict
from monitor.core.rules.before_top_up import BeforeTopUp
from monitor.core.rules.exhausted import Exhausted
from monitor.core.rules.expiring import Expiring
from monitor.core.rules.low_balance import LowBalance
from monitor.core.rules.overdue_top_up import OverdueTopUp
from monitor.core.rules.rejected import Rejected
from monitor.core.rules.renewal import SessionRenewal
from monitor.core.rules.runway import Runway
from monitor.core.rules.silent import Silent
from monitor.core.rules.spike import Spike
from monitor.core.rules.topped_up import ToppedUp


class Rules(BaseModel):
    """The rules of one key; None is a rule that is switched off."""

    model_config = STRICT

    low_balance: LowBalance | None = LowBalance()
    runway: Runway | None = Runway()
    before_top_up: BeforeTopUp | None = BeforeTopUp()
    exhausted: Exhausted | None = Exhausted()
    rejected: Rejected | None = Rejected()
    silent: Silent | None = Silent()
    spike: Spike | None = Spike()
    expiring: Expiring | None = Expiring()
    topped_up: ToppedUp | None = ToppedUp()
    renewal: SessionRenewal | None = SessionRenewal()
    overdue_top_up: OverdueTopUp | None = None


__all__ = [
    "BeforeTopUp",
    "Exhausted",
    "Expiring",
    "KeyView",
    "LowBalance",
    "MeterView",
    "OverdueTopUp",
    "Rejected",
    "RuleParameters",
    "Rules",
    "Runway",
    "SessionRenewal",
    "Silent",
    "Spike",
    "State",
    "ToppedUp",
    "Verdict",
]
