"""Values as JSON: the one place where amounts, times and words become text for machines."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import fields, is_dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from enum import Enum
from functools import singledispatch
from typing import Any

from monitor.core.model import Subject


def iso(moment: datetime) -> str:
    """ISO 8601 in UTC with ``Z``, to the millisecond where there are any."""
    utc = moment.astimezone(UTC)
    return utc.isoformat(timespec="milliseconds" if utc.microsecond else "seconds")[:-6] + "Z"


@singledispatch
def to_json(value: Any) -> Any:
    """*value* as JSON types: decimals as text, times as ISO 8601 UTC, durations in seconds."""
    if is_dataclass(value):
        return {field.name: to_json(getattr(value, field.name)) for field in fields(value)}
    return value


@to_json.register
def _(value: Subject) -> Any:
    names = {"provider": value.provider, "account": value.account, "key": value.key}
    return {"id": value.id, "label": value.label, **names}


@to_json.register
def _(value: Decimal) -> Any:
    return f"{value:f}"


@to_json.register
def _(value: datetime) -> Any:
    return iso(value)


@to_json.register
def _(value: timedelta) -> Any:
    return value.total_seconds()


@to_json.register
def _(value: Enum) -> Any:
    return value.value


@to_json.register(Mapping)
def _(value: Mapping[Any, Any]) -> Any:
    return {str(key): to_json(item) for key, item in value.items()}


@to_json.register(list)
@to_json.register(tuple)
def _(value: Iterable[Any]) -> Any:
    return [to_json(item) for item in value]
