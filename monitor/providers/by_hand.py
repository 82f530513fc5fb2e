"""A balance that a person types into the configuration, where the provider shows none."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, Field, PlainSerializer, WithJsonSchema

from monitor.core.fields import STRICT, Amount
from monitor.core.model import Kind, MeterReading

MANUAL_METER = "manual"
"""The meter of such a balance: a name of its own, so that it is taken for no other."""


def _moment(value: object) -> datetime:
    """A day (its beginning in UTC), or a time with its zone."""
    if isinstance(value, datetime):
        return value
    if isinstance(value, date):
        value = value.isoformat()
    try:
        found = datetime.fromisoformat(value) if isinstance(value, str) else None
    except ValueError:
        found = None
    if found is None or (found.tzinfo is None and len(str(value)) > len("2026-11-01")):
        raise ValueError("must be a day such as 2026-11-01, or a time such as 2026-11-01T18:00Z")
    return found.replace(tzinfo=found.tzinfo or UTC).astimezone(UTC)


def _written(moment: datetime) -> str:
    """As it is written in the configuration."""
    text = moment.isoformat()
    return text.removesuffix("T00:00:00+00:00")


Day = Annotated[
    datetime,
    BeforeValidator(_moment),
    PlainSerializer(_written, return_type=str),
    WithJsonSchema({"type": "string", "examples": ["2026-11-01", "2026-11-01T18:00Z"]}),
]


class ManualBalance(BaseModel):
    """What was there at some time, as a person saw it."""

    model_config = STRICT

    manual: Amount = Field(description="the amount that was there")
    at: Day = Field(description="when it was: a day, or a time with its zone")
    unit: str = Field(
        default="credits", min_length=1, max_length=20, description="unit of the amount"
    )

    @property
    def reading(self) -> MeterReading:
        """It as a meter that is only shown."""
        return MeterReading(
            meter=MANUAL_METER, unit=self.unit, balance=Decimal(self.manual), kind=Kind.MANUAL
        )


def _check_form(value: object) -> object:
    if isinstance(value, Mapping | ManualBalance | None):
        return value
    raise ValueError(
        "the provider shows no balance; one that you enter by hand is written as"
        " {manual: 5000, at: 2026-11-01}"
    )


Manual = Annotated[ManualBalance | None, BeforeValidator(_check_form)]
"""The field of keys whose provider shows no balance."""

MANUAL_FIELD: Any = Field(
    default=None, description="what was there when you last looked: only shown, never judged"
)
