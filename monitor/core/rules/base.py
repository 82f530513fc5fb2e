"""What a rule is: parameters in a settings model, and a pure judgement with its reason."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import ClassVar

from pydantic import BaseModel

from monitor.core.fields import STRICT
from monitor.core.ledger import LedgerState, Movement
from monitor.core.model import Facts, KeyState, MeterReading, Severity


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
    """

    reading: MeterReading
    at: datetime
    ledger: LedgerState
    movement: Movement | None
    firing: Severity | None
    top_up_url: str = ""


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


class RuleParameters(BaseModel):
    """Base of every rule's parameters; ``name`` is the word for it everywhere."""

    name: ClassVar[str]

    model_config = STRICT
