"""Balances out of CSV lines: ``time,balance`` or ``time,key,meter,balance``."""

from __future__ import annotations

import csv
import math
from collections.abc import Sequence
from datetime import UTC, datetime
from decimal import Decimal

from monitor.core.fields import parse_amount
from monitor.core.model import DEFAULT_METER, Reason, require_aware
from monitor.replay.engine import Sighting

COLUMNS = ("time", "key", "meter", "balance")

UNLIMITED = "unlimited"
"""Stands in the place of a balance where there is no cap."""

_NOTHING = ("", "nan", "null", "none")
"""What others write where they read no number: a failed poll."""

_SHORT = ("time", "balance")
_LATEST = 32503680000
"""Unix seconds of the year 3000: what lies beyond is in milliseconds."""

_REASONS = {str(reason): reason for reason in Reason}


class SampleError(ValueError):
    """A line that cannot be read; the text tells what is wrong with it and what to write."""


class SampleReader:
    """Reads line after line; the first one may name the columns, in any order.

    *names*: where a column names the key, only lines of these are samples if *only_these*; where
    none does, there has to be one name, which is that of the key.
    """

    def __init__(self, names: Sequence[str], *, only_these: bool = False) -> None:
        self._names = names
        self._only_these = only_these
        self._places: dict[str, int] | None = None

    def read(self, text: str) -> Sighting | None:
        """What one line says; None without a sample: blank, a comment, the heading, another key.

        Raises :class:`SampleError`.
        """
        text = text.strip()
        if not text or text.startswith("#"):
            return None
        fields = _split(text)
        if self._places is None:
            named = _named(fields)
            self._places = named or _guessed(fields)
            if "key" not in self._places and len(self._names) > 1:
                raise SampleError("there is no column 'key', so only one key can be named")
            if named:
                return None
        seen = self._sighting(self._places, fields)
        return None if self._only_these and seen.key not in self._names else seen

    def _sighting(self, places: dict[str, int], fields: Sequence[str]) -> Sighting:
        if len(fields) != len(places):
            raise SampleError(f"has {len(fields)} fields instead of {len(places)}")
        key = fields[places["key"]] if "key" in places else self._names[0]
        if not key:
            raise SampleError("the key has no name")
        at, reason, balance = _time(fields[places["time"]]), None, None
        word = fields[places["balance"]]
        if word.lower() in _NOTHING:
            reason = Reason.CONNECTION
        elif word in _REASONS:
            reason = _REASONS[word]
        elif word != UNLIMITED:
            balance = _balance(word)
        meter = fields[places["meter"]] if "meter" in places else DEFAULT_METER
        return Sighting(at, key, meter or DEFAULT_METER, balance, reason)


def _split(text: str) -> Sequence[str]:
    if '"' not in text:
        return [field.strip() for field in text.split(",")]
    try:
        return [field.strip() for field in next(csv.reader([text], strict=True))]
    except csv.Error as error:
        raise SampleError(f"is not CSV: {error}") from None


def _named(fields: Sequence[str]) -> dict[str, int] | None:
    """The columns if this is a heading; None if it is a sample."""
    names = [field.lower().removeprefix("\ufeff") for field in fields]
    if "time" not in names:  # "balance" alone may be the name of a meter
        return None
    unknown = [name for name in names if name not in COLUMNS]
    if unknown:
        raise SampleError(f"unknown column {unknown[0]!r}: the columns are {', '.join(COLUMNS)}")
    if len(set(names)) < len(names):
        raise SampleError("a column is named twice")
    missing = [name for name in _SHORT if name not in names]
    if missing:
        raise SampleError(f"there is no column {missing[0]!r}")
    return {name: place for place, name in enumerate(names)}


def _guessed(fields: Sequence[str]) -> dict[str, int]:
    """The columns of a file without a heading, by their number."""
    for names in (_SHORT, COLUMNS):
        if len(fields) == len(names):
            return {name: place for place, name in enumerate(names)}
    raise SampleError(
        f"has {len(fields)} fields: lines are time,balance or time,key,meter,balance, unless the"
        " first line names the columns"
    )


def _time(text: str) -> datetime:
    try:
        seconds = float(text)
    except ValueError:
        return _iso(text)
    if not math.isfinite(seconds) or seconds < 0:
        raise SampleError(f"{text!r} is not a time")
    if seconds > _LATEST:
        raise SampleError(f"{text!r} is too late: a time is in Unix seconds, not in milliseconds")
    return datetime.fromtimestamp(seconds, UTC)


def _iso(text: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise SampleError(
            f"{text!r} is not a time: write Unix seconds or ISO 8601, such as 2026-05-01T18:00Z"
        ) from None
    try:
        require_aware(moment, "time")
        return moment.astimezone(UTC)
    except (ValueError, OverflowError):
        raise SampleError(f"{text!r} has no time zone: write {text}Z if it is UTC") from None


def _balance(text: str) -> Decimal:
    try:
        return parse_amount(text)
    except ValueError as error:
        raise SampleError(
            f"the balance {text!r} {error}; a failed poll has none, or the reason of the failure"
        ) from None
