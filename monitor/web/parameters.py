"""Query parameters: strict, bounded, and refused by name."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from starlette.datastructures import QueryParams

from monitor.core.fields import parse_duration

MAX_SPAN = timedelta(days=400)
"""How far back a history may reach: as far as samples are kept by default."""


class ParameterError(Exception):
    """A query parameter cannot be used; ``parameter`` names it, the text says what would do."""

    def __init__(self, parameter: str, message: str) -> None:
        super().__init__(message)
        self.parameter = parameter


def check_names(query: QueryParams, *known: str) -> None:
    """Refuse parameters that this address does not have, and ones given twice."""
    for name in query:
        if name not in known:
            takes = f"it takes {', '.join(known)}" if known else "it takes none"
            raise ParameterError(name, f"there is no such parameter here; {takes}")
        if len(query.getlist(name)) > 1:
            raise ParameterError(name, "is given more than once")


def integer(query: QueryParams, name: str, default: int, low: int, high: int) -> int:
    """A whole number between *low* and *high*."""
    text = query.get(name)
    if text is None:
        return default
    # Not int(): it takes blanks, underscores, and digits of other scripts.
    if not (text.isascii() and text.isdigit() and len(text) <= len(str(high))):
        raise ParameterError(name, f"must be a whole number from {low} to {high}")
    if not low <= int(text) <= high:
        raise ParameterError(name, f"must be from {low} to {high}")
    return int(text)


def choice(query: QueryParams, name: str, default: str, allowed: Sequence[str]) -> str:
    """One word of *allowed*."""
    text = query.get(name, default)
    if text not in allowed:
        raise ParameterError(name, f"must be one of {', '.join(allowed)}")
    return text


def since(query: QueryParams, name: str, default: timedelta, now: datetime) -> datetime:
    """The beginning of a history: a length such as ``7d``, or a time with its zone."""
    text = query.get(name)
    start = now - default if text is None else _moment(text, name, now)
    if not now - MAX_SPAN <= start <= now:
        raise ParameterError(name, f"must lie within the last {MAX_SPAN.days} days")
    return start.astimezone(UTC)


def _moment(text: str, name: str, now: datetime) -> datetime:
    try:
        return now - parse_duration(text)
    except ValueError:
        pass
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None:
        raise ParameterError(
            name, "must be a length such as 24h or 7d, or a time such as 2026-05-01T00:00:00Z"
        )
    return moment
