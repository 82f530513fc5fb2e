"""Values of a JSON document as expressions see them: members, elements, exact numbers.

Every error names a path of the expression and never repeats the document.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from monitor.core.fields import parse_amount
from monitor.providers.judge import exact

_MILLISECONDS_FROM = Decimal(10) ** 11
"""Counted in seconds this is the year 5138: such a number means milliseconds."""


class ExpressionError(ValueError):
    """An expression that cannot be read, or that has no value for a document."""


class MissingError(ExpressionError):
    """A path that the document does not have."""


class Each(list[Any]):
    """What ``[]`` or a filter selected: several values, each of which is followed further."""


def follow(value: Any, step: Callable[[Any], Any]) -> Any:
    """*step* applied to *value*, or to each of several."""
    return Each(step(item) for item in value) if isinstance(value, Each) else step(value)


def member(value: Any, name: str, place: str, path: str) -> Any:
    """The member *name* of *value*; *place* and *path* are for the person."""
    if not isinstance(value, dict):
        raise MissingError(f"{place} is null" if value is None else f"{place} is not an object")
    if name not in value:
        raise MissingError(f"{path} is missing")
    return value[name]


def item_at(value: Any, index: int, place: str, path: str) -> Any:
    """The element of *value* at a position; *place* and *path* are for the person."""
    if not isinstance(value, list):
        raise MissingError(f"{place} is null" if value is None else f"{place} is not a list")
    if index >= len(value):
        raise MissingError(f"{path} is missing")
    return value[index]


def elements(value: Any, place: str) -> Each:
    """All elements of the list *value*, or of each of several lists."""
    if isinstance(value, Each):
        return Each(element for item in value for element in elements(item, place))
    if not isinstance(value, list):
        raise MissingError(f"{place} is null" if value is None else f"{place} is not a list")
    return Each(value)


def number(value: Any, text: str) -> Decimal:
    """*value* as an exact amount; *text* names it for the person."""
    try:
        return exact(value)
    except ValueError as error:
        raise ExpressionError(f"{text} {error}") from None


def numbers(value: Any, text: str) -> list[Decimal]:
    """The elements of *value* as exact amounts."""
    if not isinstance(value, list):
        raise ExpressionError(f"{text} is not a list")
    return [number(item, text) for item in value]


def truth(value: Any, text: str) -> bool:
    """*value* if it is true or false; there is no other truth here."""
    if not isinstance(value, bool):
        raise ExpressionError(f"{text} is neither true nor false")
    return value


def same(one: Any, other: Any) -> bool:
    """Equality as JSON has it: 1 is not true, and "1" is not 1."""
    if isinstance(one, bool) or isinstance(other, bool):
        return one is other
    if isinstance(one, int | Decimal) and isinstance(other, int | Decimal):
        return one == other
    return type(one) is type(other) and bool(one == other)


def total(values: Sequence[Any], texts: Sequence[str]) -> Decimal:
    """The sum of those *values* that are not null; at least one has to be an amount."""
    known = [number(v, t) for v, t in zip(values, texts, strict=True) if v is not None]
    if not known:
        raise ExpressionError(f"{' and '.join(texts)} {'is' if len(texts) == 1 else 'are'} null")
    return _sum(known, "")


def moment(value: Any, text: str) -> datetime:
    """A time from ISO 8601 (UTC unless it says otherwise) or from seconds or milliseconds since
    1970, told apart by their size; *text* names it for the person.
    """
    if isinstance(value, datetime):
        return value
    try:
        if isinstance(value, str) and not value.isdecimal():
            found = datetime.fromisoformat(value)
            return found if found.tzinfo else found.replace(tzinfo=UTC)
        count = parse_amount(value)
        seconds = count / 1000 if count >= _MILLISECONDS_FROM else count
        return datetime.fromtimestamp(float(seconds), UTC)
    except (ValueError, OverflowError, OSError):
        raise ExpressionError(f"{text} is not a time") from None


def earliest(value: Any, text: str) -> datetime | None:
    """The first of several times, null ones left out; None where there is none."""
    if not isinstance(value, list):
        raise ExpressionError(f"{text} is not a list")
    return min((moment(each, text) for each in value if each is not None), default=None)


def _sum(values: list[Decimal], _: str) -> Decimal:
    return sum(values, Decimal(0))


def _only(values: list[Decimal], text: str) -> Decimal:
    if len(values) != 1:
        raise ExpressionError(f"{text} finds {len(values)} values instead of one")
    return values[0]


def _min(values: list[Decimal], text: str) -> Decimal:
    if not values:
        raise ExpressionError(f"{text} finds no value")
    return min(values)


def _max(values: list[Decimal], text: str) -> Decimal:
    if not values:
        raise ExpressionError(f"{text} finds no value")
    return max(values)


FUNCTIONS: dict[str, Callable[[list[Decimal], str], Decimal]] = {
    "sum": _sum,
    "only": _only,
    "min": _min,
    "max": _max,
}
