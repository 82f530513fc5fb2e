"""What a rule is: parameters in a settings model, and a pure judgement with its reason."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from typing import Any, ClassVar, Protocol

from pydantic import BaseModel

from monitor.core.events import Facts
from monitor.core.fields import STRICT
from monitor.core.forecast import Usual
from monitor.core.ledger import LedgerState, Movement
from monitor.core.model import KeyState, MeterReading, Severity
from monitor.core.projection import LONGEST, Projection, outlook

_LONGEST_HOURS = LONGEST / timedelta(hours=1)


class State(StrEnum):
    """The three answers of a rule; ``unknown`` changes nothing."""

    OK = "ok"
    BREACH = "breach"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What a rule says now; ``severity`` is set for a breach only."""

    state: State
    severity: Severity | None = None
    facts: Facts = Facts()  # noqa: RUF009 - frozen, so one shared empty value is safe

    @classmethod
    def unknown(cls) -> Verdict:
        """Not enough is known to say either way."""
        return cls(state=State.UNKNOWN)

    @classmethod
    def ok(cls, facts: Facts) -> Verdict:
        """No breach; *facts* are what a resolved message tells."""
        return cls(state=State.OK, facts=facts)

    @classmethod
    def breach(cls, severity: Severity, facts: Facts) -> Verdict:
        """A breach of *severity*."""
        return cls(state=State.BREACH, severity=severity, facts=facts)


@dataclass(frozen=True, slots=True, kw_only=True)
class MeterView:
    """What a meter rule sees after one reading has been entered into the ledger.

    ``firing`` is the present severity of this rule's open alert, None when there is none.
    ``projection`` is the forecast, ``usual`` the burn beside the normal one (None: not known), and
    ``low_since`` since when the balance is below ``overdue_top_up.below``.
    """

    reading: MeterReading
    at: datetime
    ledger: LedgerState | None
    movement: Movement | None
    firing: Severity | None
    top_up_url: str = ""
    projection: Projection | None = None
    usual: Usual | None = None
    low_since: datetime | None = None

    @property
    def reference(self) -> Decimal:
        """The level that percentages refer to; 0 without a ledger, as of what is no balance."""
        return self.ledger.reference if self.ledger else Decimal(0)

    def runway_quantile(self, share: float) -> timedelta | None:
        """The time before which the *share* of cases is empty; None: not enough history."""
        if self.projection is None or self.reading.balance is None:
            return None
        runway = self.projection.runway(float(self.reading.balance))
        if runway is None:
            return None
        return timedelta(hours=min(runway.quantile(share), _LONGEST_HOURS))

    def ok(self, **more: Any) -> Verdict:
        """No breach, with facts where an alert is open that they could be told of the end of."""
        return Verdict.ok(self.facts(**more)) if self.firing else _OK

    def facts(self, **more: Any) -> Facts:
        """What every message about a balance tells, and *more*."""
        ahead = outlook(self.projection, self.reading.balance, self.at)
        known: dict[str, Any] = {
            "balance": self.reading.balance,
            "unit": self.reading.unit,
            "last_reading_at": self.at,
            "burn": ahead.burn,
            "runs_out_at": ahead.runs_out_at,
            "earliest": ahead.earliest,
            "latest": ahead.latest,
        }
        return Facts(**known | more)


_OK = Verdict.ok(Facts())


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyView:
    """What a key rule sees: the key's health, and since when this process watches it.

    ``refusal_is_told``: the rule ``rejected`` is on and speaks for refused keys.
    """

    state: KeyState
    now: datetime
    watching_since: datetime
    interval_seconds: float
    firing: Severity | None
    refusal_is_told: bool = True
    last_balance: Decimal | None = None
    unit: str = ""


class MeterRule(Protocol):
    """A rule about a balance."""

    @property
    def name(self) -> str:
        """The word for it everywhere."""
        ...

    def judge(self, view: MeterView) -> Verdict:
        """What it says now; pure."""
        ...


class RuleParameters(BaseModel):
    """Base of every rule's parameters; ``name`` is the word for it everywhere."""

    name: ClassVar[str]

    model_config = STRICT
