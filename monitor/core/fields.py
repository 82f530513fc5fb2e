"""Field types that configuration and rules share: durations, thresholds, exact amounts."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import timedelta
from decimal import Context, Decimal
from typing import Annotated, Any

from pydantic import (
    BeforeValidator,
    ConfigDict,
    GetJsonSchemaHandler,
    PlainSerializer,
    WithJsonSchema,
)
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, core_schema

_ZERO = Decimal(0)

STRICT = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)
"""The configuration of every settings model: strict, immutable, silent about values."""

_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}
_DURATION = re.compile(r"(?:\d+(?:\.\d+)?[smhdw])+", re.ASCII)
_PART = re.compile(r"(\d+(?:\.\d+)?)([smhdw])", re.ASCII)
_AMOUNT = re.compile(r"-?\d{1,30}(?:\.\d{1,100})?(?:[eE][+-]?\d{1,2})?", re.ASCII)

_DIGITS = 30
"""An amount has at most so many digits before the point, and is kept to so many after it."""

_WIDE = Context(prec=2 * _DIGITS)


def parse_duration(text: str) -> timedelta:
    """``90s``, ``5m``, ``1h30m``, ``2d`` or ``1w`` as a timedelta; raises ``ValueError``."""
    if not _DURATION.fullmatch(text):
        raise ValueError("a duration is a number with a unit, such as 30s, 5m, 1h30m or 7d")
    seconds = sum(float(number) * _UNITS[unit] for number, unit in _PART.findall(text))
    if seconds > 3650 * 86400:
        raise ValueError("a duration is at most ten years")
    return timedelta(seconds=seconds)


def format_duration(span: timedelta) -> str:
    """Text that :func:`parse_duration` reads back, largest unit first, for example ``1h30m``."""
    if span < timedelta(0):
        return f"-{format_duration(-span)}"
    parts = [f"{span.days}d"] if span.days else []
    left = span.seconds
    for unit in ("h", "m"):
        count, left = divmod(left, _UNITS[unit])
        if count:
            parts.append(f"{count}{unit}")
    if left or span.microseconds:
        fraction = f".{span.microseconds:06d}".rstrip("0").rstrip(".")
        parts.append(f"{left}{fraction}s")
    return "".join(parts) or "0s"


def parse_amount(value: object) -> Decimal:
    """An exact, finite decimal from a Decimal, int, float or strict decimal text.

    ``Decimal()`` alone would accept ``NaN``, ``1_000``, full-width digits and blanks, and a bool
    is an int in Python.  A number beyond 30 digits is no amount: written out, ``1e999999`` would
    fill the memory.  What lies beyond the 30th decimal place is rounded.  Raises ``ValueError``.
    """
    if isinstance(value, bool):
        raise ValueError("is true or false, not an amount")  # noqa: TRY004 - pydantic wants ValueError
    if isinstance(value, Decimal):
        return _bounded(value)
    if isinstance(value, int):
        return _bounded(Decimal(value))
    if isinstance(value, float):
        return _bounded(Decimal(repr(value)))
    if isinstance(value, str) and _AMOUNT.fullmatch(value):
        return _bounded(Decimal(value))
    raise ValueError("is not a number")


def _bounded(value: Decimal) -> Decimal:
    if not value.is_finite():
        raise ValueError("is not a finite number")
    if not value:
        return Decimal(0)  # -0 is no debt, and 0E+999999 is a long way to write it
    if value.adjusted() >= _DIGITS:
        raise ValueError("is too large for an amount")
    exponent = value.as_tuple().exponent
    if isinstance(exponent, int) and exponent < -_DIGITS:
        return value.quantize(Decimal(1).scaleb(-_DIGITS), context=_WIDE)
    return value


Amount = Annotated[Decimal, BeforeValidator(parse_amount)]
"""A configuration field that holds an exact amount."""


def _to_duration(value: Any) -> Any:
    if isinstance(value, timedelta):
        return value
    if isinstance(value, str):
        return parse_duration(value)
    raise ValueError("a duration needs a unit, such as 30s, 5m, 1h30m or 7d")


def _switch(value: Any) -> Any:
    """``on`` and ``off`` are plain text to our reading of YAML."""
    return {"on": True, "yes": True, "off": False, "no": False}.get(str(value), value)


Switch = Annotated[
    bool, BeforeValidator(_switch), WithJsonSchema({"enum": ["on", "off", True, False]})
]
"""A configuration field that reads ``on`` and ``off``."""


class _DurationSchema:
    @classmethod
    def __get_pydantic_json_schema__(
        cls, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        return {"type": "string", "pattern": f"^{_DURATION.pattern}$", "examples": ["5m", "1h30m"]}


Duration = Annotated[
    timedelta,
    BeforeValidator(_to_duration),
    PlainSerializer(format_duration, return_type=str, when_used="json"),
    _DurationSchema,
]
"""A configuration field that reads ``5m`` and holds a timedelta."""


@dataclass(frozen=True, slots=True)
class Threshold:
    """A limit on a balance: an amount in the meter's unit, or a share of the reference level."""

    amount: Decimal | None = None
    share: Decimal | None = None  # 0.2 for 20 %

    def __post_init__(self) -> None:
        if (self.amount is None) is (self.share is None):
            raise ValueError("a threshold is either an amount or a share")

    def of(self, reference: Decimal) -> Decimal:
        """The limit as an amount, given the level that a share refers to (of a debt: zero)."""
        if self.share is not None:
            return self.share * max(reference, _ZERO)
        return self.amount or _ZERO

    def __str__(self) -> str:
        """As written in the configuration: ``2000`` or ``20%``."""
        if self.amount is not None:
            return f"{self.amount:f}"
        return f"{((self.share or Decimal(0)) * 100).normalize():f}%"

    @classmethod
    def parse(cls, value: object) -> Threshold:
        """From a number or text such as ``2000``, ``0.5`` or ``20%``; raises ``ValueError``."""
        if isinstance(value, Threshold):
            return value
        if isinstance(value, str) and value.endswith("%"):
            share = parse_amount(value[:-1].removesuffix(" ")) / 100
            if not 0 < share <= 1:
                raise ValueError("a percentage lies above 0% and up to 100%")
            return cls(share=share)
        try:
            return cls(amount=parse_amount(value))
        except ValueError as error:
            raise ValueError("a threshold is an amount such as 2000 or a share such as 20%") from (
                error
            )

    @classmethod
    def __get_pydantic_core_schema__(cls, _source: Any, _handler: Any) -> CoreSchema:
        return core_schema.no_info_plain_validator_function(
            cls.parse, serialization=core_schema.to_string_ser_schema()
        )

    @classmethod
    def __get_pydantic_json_schema__(
        cls, _schema: CoreSchema, _handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        return {
            "anyOf": [
                {"type": "number"},
                {
                    "type": "string",
                    "pattern": r"^-?\d+(\.\d+)?( ?%)?$",
                    "examples": ["20%", "2000"],
                },
            ]
        }
