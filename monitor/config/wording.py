"""What the validation library found, in words for a person and without any value."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from decimal import Decimal
from difflib import get_close_matches
from typing import Any, get_args

from pydantic_core import ErrorDetails

from monitor.config.problems import Findings, Path
from monitor.config.secrets import FromEnvironment
from monitor.providers.base import Name

_WORD = re.compile(r"\w{3,}")
_NAME_PATTERN = get_args(Name)[1].pattern
_SHORT_NAME = 16
_LONG_NAME = 40

_TEXTS = {
    "model_type": "must be a mapping (name: value)",
    "model_attributes_type": "must be a mapping (name: value)",
    "dict_type": "must be a mapping (name: value)",
    "tuple_type": "must be a list",
    "list_type": "must be a list",
    "bool_type": "must be true or false",
    "bool_parsing": "must be true or false",
    "int_type": "must be a whole number",
    "int_parsing": "must be a whole number",
    "int_from_float": "must be a whole number",
    "float_type": "must be a number",
    "float_parsing": "must be a number",
    "decimal_type": "must be a number",
    "decimal_parsing": "must be a number",
    "finite_number": "must be a finite number",
    "union_tag_not_found": "names no provider",
}


def report(
    errors: Iterable[ErrorDetails],
    value: Any,
    base: Path,
    findings: Findings,
    *,
    fields: Callable[[Path], Iterable[str]],
    description: Callable[[Path], str],
) -> None:
    """Enter the library's *errors* about *value*, which stands at *base*, into *findings*.

    *fields* tells which fields exist at a path, for "did you mean", and *description* what the
    field at a path is, for one that is missing.
    """
    placed = [(place(error, value), error) for error in errors]
    for path, error in placed:
        beneath = any(other[: len(path)] == path and other != path for other, _ in placed)
        if error["type"].endswith("_type") and beneath:
            continue  # another form of the same field was meant, and is reported
        full = base + path
        if findings.blames(full):
            continue
        if error["type"] == "extra_forbidden":
            findings.error(full, _unknown(full, fields), on_name=True)
        elif error["type"] == "missing":
            text = description(full)
            findings.error(full, f"is missing: {text}" if text else "is missing")
        else:
            findings.error(full, _explain(error, _at(value, path)))


def _unknown(path: Path, fields: Callable[[Path], Iterable[str]]) -> str:
    return f"unknown field{suggestion(str(path[-1]), fields(path[:-1]))}"


def place(error: ErrorDetails, value: Any) -> Path:
    """Where in *value* an error is; the library's own path also names the forms of a union."""
    path: list[str | int] = []
    for step in error["loc"]:
        if _has(value, step):
            value = value[step]
        elif error["type"] != "missing" or step != error["loc"][-1]:
            continue
        path.append(step)
    if error["type"] == "union_tag_invalid":
        path.append(error["ctx"]["discriminator"].strip("'"))
    return tuple(path)


def _has(value: Any, step: str | int) -> bool:
    if isinstance(value, Mapping):
        return step in value
    return isinstance(value, list | tuple) and isinstance(step, int) and step < len(value)


def suggestion(word: str, known: Iterable[str]) -> str:
    """``; did you mean x?`` where *word* is close to one of *known*, else nothing."""
    close = get_close_matches(word, list(known), n=1, cutoff=0.6)
    return f"; did you mean {close[0]}?" if close else ""


def shown(path: Path, labels: Mapping[Path, str]) -> str:
    """*path* for a person: ``keys.studio.interval``, or ``keys[0].interval`` without a name.

    *labels* has the names of list entries.  What is no plausible field name is not repeated.
    """
    text = ""
    for position, step in enumerate(path):
        label = labels.get(path[: position + 1], step)
        if isinstance(label, int):
            text += f"[{label}]"
            continue
        known = path[: position + 1] in labels or _is_plausible(label)
        word = label if known else "(not shown)"
        text += f".{word}" if text else word
    return text


def _is_plausible(name: str) -> bool:
    """Whether *name* looks like a field or host, not like a key pasted into its place."""
    if len(name) > _LONG_NAME or not name.isprintable():
        return False
    return len(name) <= _SHORT_NAME or "." in name or not any(map(str.isdigit, name))


def _explain(error: ErrorDetails, value: Any) -> str:
    kind, context = error["type"], error.get("ctx", {})
    if kind in _TEXTS:
        return _TEXTS[kind]
    if kind == "value_error":
        return _own_words(str(context["error"]), value)
    if kind in {"literal_error", "enum", "union_tag_invalid"}:
        return _choice(kind, context, value)
    if kind == "string_type":
        quotes = "; put it in quotes" if isinstance(value, bool | int | Decimal) else ""
        return f"must be a text{quotes}"
    if kind == "string_pattern_mismatch" and context["pattern"] == _NAME_PATTERN:
        return (
            "a name begins with a letter or digit, goes on with letters, digits and . _ @ -"
            " and has at most 63 characters"
        )
    return _bound(kind, context)


def _own_words(message: str, value: Any) -> str:
    """A validator's *message*, unless it repeats something of what a variable held."""
    texts = value.values() if isinstance(value, Mapping) else (value,)
    held = (text for text in texts if isinstance(text, FromEnvironment))
    if any(word in message for text in held for word in _WORD.findall(text)):
        return "is not valid; it comes from the environment, so it is not shown"
    return message


def _choice(kind: str, context: Mapping[str, Any], value: Any) -> str:
    expected = str(context.get("expected") or context.get("expected_tags"))
    words = [word.strip(" '") for word in expected.replace(" or ", ",").split(",")]
    hint = suggestion(value, words) if isinstance(value, str) else ""
    if kind == "union_tag_invalid":  # too many to name
        return f"is no provider (credit-monitor providers lists them){hint}"
    return f"must be one of {', '.join(words)}{hint}"


_BOUNDS = {
    "greater_than": ("gt", "must be more than {}"),
    "greater_than_equal": ("ge", "must be at least {}"),
    "less_than": ("lt", "must be less than {}"),
    "less_than_equal": ("le", "must be at most {}"),
    "too_short": ("min_length", "must have at least {} entry"),
    "too_long": ("max_length", "must have at most {} entries"),
    "string_too_short": ("min_length", "must not be empty"),
    "string_too_long": ("max_length", "must have at most {} characters"),
    "string_pattern_mismatch": ("pattern", "must have the form {}"),
}


def _bound(kind: str, context: Mapping[str, Any]) -> str:
    name, text = _BOUNDS.get(kind, ("", "is not valid ({})"))
    bound = context.get(name, kind)
    return text.format(f"{bound:g}" if isinstance(bound, float) else bound)


def _at(value: Any, path: Path) -> Any:
    for step in path:
        try:
            value = value[step]
        except (KeyError, IndexError, TypeError):
            return None
    return value
