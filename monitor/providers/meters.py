"""Which amounts an answer holds: one rule per amount, or one for each element of a list."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, Field

from monitor.core.fields import STRICT, parse_amount
from monitor.core.model import DEFAULT_METER, Kind, MeterReading
from monitor.providers.expressions import Expression, Scope, plus, product
from monitor.providers.json_values import ExpressionError, moment
from monitor.providers.placeholders import as_text

MOST_METERS = 100
"""So many amounts at most are read through one key; each has its own history and metrics."""

_LONGEST_NAME = 63
_LONGEST_UNIT = 20
_CURRENCY_CODE = 3


def _factor(value: object) -> Decimal:
    factor = parse_amount(value)
    if not factor:
        raise ValueError("is zero, so every balance would be")
    return factor


class MeterRule(BaseModel):
    """Where one amount stands in the answer, and what belongs to it."""

    model_config = STRICT

    meter: str = Field(default=DEFAULT_METER, min_length=1, description="name of the amount")
    meter_from: Expression | None = Field(
        default=None, description="expression for that name, where the answer tells it"
    )
    unit: str = Field(
        default="", max_length=_LONGEST_UNIT, description="unit of the amount, such as USD"
    )
    unit_from: Expression | None = Field(
        default=None, description="expression for the unit, where the answer tells it"
    )
    balance: Expression | None = Field(
        default=None, description='expression for what is left, such as "limit - used"'
    )
    limit: Expression | None = Field(
        default=None, description="expression for what a full balance is; null in it: none"
    )
    expires: Expression | None = Field(
        default=None,
        description="expression for the expiry: ISO 8601, or time since 1970; null in it: none",
    )
    unlimited: Expression | None = Field(
        default=None, description='condition under which there is no cap, such as "limit == null"'
    )
    scale: Annotated[Decimal, BeforeValidator(_factor)] = Field(
        default=Decimal(1), description="balance and limit are multiplied by it: 0.01 for cents"
    )
    jobs_limit: Expression | None = Field(
        default=None, description="expression for how many jobs may run at once; null: not told"
    )
    jobs_running: Expression | None = Field(
        default=None, description="expression for how many jobs run now; null: not told"
    )
    each: Expression | None = Field(
        default=None,
        description="expression for a list: an amount for every element, whose names are meant",
    )
    when: Expression | None = Field(
        default=None, description="condition under which there is such an amount at all"
    )

    adds_to: str = Field(
        default="",
        max_length=_LONGEST_NAME,
        description="name of the balance that this amount is a part of: the sum of its parts",
    )

    def complaint(self) -> str:
        """What is missing for a reading, or contradicts itself; empty where nothing is."""
        if self.balance is None:
            return "balance is missing"
        if bool(self.unit) == bool(self.unit_from):
            return "give one of unit and unit_from"
        if self.each is not None and self.meter_from is None:
            return "each needs meter_from: every amount has its own name"
        if self.adds_to and self.adds_to == self.meter and self.meter_from is None:
            return "adds_to is the name of the sum: give the part a meter of its own"
        return ""

    def read(self, scope: Scope) -> list[MeterReading]:
        """The amounts of this rule in an answer; raises :class:`ExpressionError`."""
        if self.each is None:
            places = [scope]
        else:
            places = [scope.at(element) for element in self._elements(self.each, scope)]
        return [self._reading(place) for place in places if self._is_there(place)]

    def _elements(self, each: Expression, scope: Scope) -> list[Any]:
        found = each.value(scope)
        if not isinstance(found, list):
            raise ExpressionError(f"{each.text} is not a list")
        if len(found) > MOST_METERS:
            raise ExpressionError(f"{each.text} has {len(found)} elements, which is too many")
        return found

    def _is_there(self, place: Scope) -> bool:
        return self.when is None or self.when.holds(place)

    def _reading(self, place: Scope) -> MeterReading:
        free = self.unlimited is not None and self.unlimited.holds(place)
        return MeterReading(
            meter=self._text(self.meter_from, place, _LONGEST_NAME) or self.meter,
            unit=_unit(self._text(self.unit_from, place, _LONGEST_UNIT)) or self.unit,
            balance=None if free else self._balance(place),
            limit=self._scaled(self.limit.amount(place) if self.limit else None),
            expires_at=self._expiry(place),
            jobs_limit=_count(self.jobs_limit, place),
            jobs_running=_count(self.jobs_running, place),
        )

    def _balance(self, place: Scope) -> Decimal:
        amount = self._scaled(self.balance.amount(place) if self.balance else None)
        if amount is None:
            raise ExpressionError(f"{self.balance.text if self.balance else 'balance'} is null")
        return amount

    def _scaled(self, amount: Decimal | None) -> Decimal | None:
        return amount if amount is None or self.scale == 1 else product(amount, self.scale)

    def _expiry(self, place: Scope) -> datetime | None:
        value = self.expires.value(place) if self.expires else None
        return None if value is None or self.expires is None else moment(value, self.expires.text)

    def _text(self, expression: Expression | None, place: Scope, longest: int) -> str:
        if expression is None:
            return ""
        text = as_text(expression.value(place), expression.text)
        if len(text) > longest:
            raise ExpressionError(f"{expression.text} has more than {longest} characters")
        return text


def read_all(
    rules: Iterable[MeterRule], scope: Scope, only: Sequence[str] = ()
) -> list[MeterReading]:
    """The amounts of *rules* in one answer, and before them the sums that some add up to.

    What is spent one after the other lasts as long as all of it, so the sum is the balance and its
    parts are only shown.  A sum that is not among the names *only* (if there are any) leaves its
    parts as they are.  Raises :class:`ExpressionError`.
    """
    found: list[MeterReading] = []
    parts: dict[str, list[MeterReading]] = {}
    for rule in rules:
        readings = rule.read(scope)
        if rule.adds_to and (not only or rule.adds_to in only):
            readings = [replace(part, kind=Kind.PART) for part in readings]
            parts.setdefault(rule.adds_to, []).extend(readings)
        found += readings
    return [*(_sum(name, some) for name, some in parts.items() if some), *found]


def _sum(meter: str, parts: Sequence[MeterReading]) -> MeterReading:
    """The balance *meter* of which these are all *parts*; without a cap if one of them has none."""
    units = {part.unit for part in parts}
    if len(units) > 1:
        raise ExpressionError(f"the parts of {meter} have several units")
    return MeterReading(
        meter=meter,
        unit=units.pop(),
        balance=_total([part.balance for part in parts]),
        limit=_total([part.limit for part in parts]),
    )


def _total(amounts: Iterable[Decimal | None]) -> Decimal | None:
    """The exact sum; None if one of them is not known."""
    total = Decimal(0)
    for amount in amounts:
        if amount is None:
            return None
        total = plus(total, amount)
    return total


def _unit(text: str) -> str:
    """A code of a currency is written in capitals, as ISO 4217 does, whatever the answer does."""
    is_code = len(text) == _CURRENCY_CODE and text.isascii() and text.isalpha()
    return text.upper() if is_code else text


def _count(expression: Expression | None, place: Scope) -> int | None:
    amount = expression.amount(place) if expression else None
    if amount is None or expression is None:
        return None
    if amount < 0 or amount != int(amount):
        raise ExpressionError(f"{expression.text} is not a number of jobs")
    return int(amount)


def checked(meters: Iterable[MeterReading]) -> tuple[MeterReading, ...]:
    """All amounts of one poll; raises :class:`ExpressionError` where two have the same name, or
    there is none at all.
    """
    found = tuple(meters)
    names = [meter.meter for meter in found]
    if not names:
        raise ExpressionError("the answer holds no amount")
    if len(names) > MOST_METERS:
        raise ExpressionError(f"the answer holds {len(names)} amounts, which is too many")
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise ExpressionError("two amounts of the answer have the same name")
    return found
