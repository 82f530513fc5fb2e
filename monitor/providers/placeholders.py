"""``{name}`` in addresses, headers and bodies: what takes its place, and where it may stand."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any
from urllib.parse import quote

from monitor.providers.json_values import ExpressionError

NOTHING: Mapping[str, Any] = MappingProxyType({})
"""No values: every place stays open."""

_PLACEHOLDER = re.compile(r"\{([a-z][a-z0-9_]*)\}")


def names_in(text: str) -> list[str]:
    """The names of the placeholders in *text*, in their order."""
    return _PLACEHOLDER.findall(text)


def fill(text: str, values: Mapping[str, Any], form: Callable[[str], str] = str) -> str:
    """*text* with *values* in place of their placeholders, each put into its *form*.

    What has no value stays as it is: braces are common in bodies.  Raises
    :class:`ExpressionError` for a value that is neither text nor number.
    """

    def value(found: re.Match[str]) -> str:
        name = found[1]
        return form(as_text(values[name], name)) if name in values else found[0]

    return _PLACEHOLDER.sub(value, text) if "{" in text else text


def fill_url(url: str, values: Mapping[str, Any]) -> str:
    """*url* with *values* as parts of its path or query, where nothing in them has a meaning."""
    return fill(url, values, lambda text: quote(text, safe=""))


def fill_document(value: Any, values: Mapping[str, Any]) -> Any:
    """The JSON document *value* with its texts filled."""
    if isinstance(value, dict):
        return {name: fill_document(each, values) for name, each in value.items()}
    if isinstance(value, list):
        return [fill_document(each, values) for each in value]
    return fill(value, values) if isinstance(value, str) else value


def as_text(value: Any, name: str) -> str:
    """*value* as a short text, which is what names, units and identifiers are; *name* is for the
    person.  Raises :class:`ExpressionError` for anything else, and for what cannot be shown.
    """
    if value is None:
        raise ExpressionError(f"{name} is null")
    if isinstance(value, int) and not isinstance(value, bool):
        value = str(value)
    if not isinstance(value, str):
        raise ExpressionError(f"{name} is not a text")
    if not 0 < len(value.strip()) <= _LONGEST or not value.isprintable():
        raise ExpressionError(f"{name} is not a short text")
    return value.strip()


_LONGEST = 200
