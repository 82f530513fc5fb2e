"""Column types that keep the product's values exactly, in SQLite and PostgreSQL alike.

Amounts are text in both: no float on the way, and no amount that one database refuses.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from typing import Any

from sqlalchemy import BigInteger, ColumnElement, Integer, Text
from sqlalchemy.engine import Dialect
from sqlalchemy.types import TypeDecorator

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)
MAX_BIGINT = 2**63 - 1

Identity = BigInteger().with_variant(Integer(), "sqlite")
"""An integer primary key; only the word INTEGER makes it the row's own number in SQLite."""


def to_micros(moment: datetime) -> int:
    """Microseconds since 1970 of an aware time; a naive one is a bug and raises ``TypeError``."""
    return (moment - EPOCH) // MICROSECOND


def from_micros(micros: int) -> datetime:
    """The UTC time *micros* microseconds after 1970."""
    return EPOCH + timedelta(microseconds=micros)


def clean(text: str) -> str:
    """*text* without what a database refuses: NUL characters and halves of surrogate pairs.

    Texts may come from a provider's answer, and one that cannot be written would hold up all
    that comes after it.
    """
    if text.isascii() and "\0" not in text:
        return text
    return text.encode("utf-8", "replace").decode("utf-8").replace("\0", "\ufffd")


class Moment(TypeDecorator[datetime]):
    """An aware time as microseconds since 1970."""

    impl = BigInteger
    cache_ok = True

    def process_bind_param(self, value: datetime | None, _dialect: Dialect) -> int | None:
        """To the database."""
        return None if value is None else to_micros(value)

    def process_result_value(self, value: int | None, _dialect: Dialect) -> datetime | None:
        """From the database."""
        return None if value is None else from_micros(value)


class Span(TypeDecorator[timedelta]):
    """A duration in microseconds."""

    impl = BigInteger
    cache_ok = True

    def process_bind_param(self, value: timedelta | None, _dialect: Dialect) -> int | None:
        """To the database."""
        return None if value is None else value // MICROSECOND

    def process_result_value(self, value: int | None, _dialect: Dialect) -> timedelta | None:
        """From the database."""
        return None if value is None else timedelta(microseconds=value)


class Amount(TypeDecorator[Decimal]):
    """A decimal as its exact text, trailing zeros included."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: Decimal | None, _dialect: Dialect) -> str | None:
        """To the database."""
        return None if value is None else str(value)

    def process_result_value(self, value: str | None, _dialect: Dialect) -> Decimal | None:
        """From the database; raises ``ArithmeticError`` or ``ValueError`` for what is no amount."""
        if value is None:
            return None
        amount = Decimal(value)
        if not amount.is_finite():
            raise ValueError(f"{value} is no amount")
        return amount


class Count(TypeDecorator[int]):
    """A whole number; one beyond 64 bits, which only nonsense reaches, is kept as the largest."""

    impl = BigInteger
    cache_ok = True

    def process_bind_param(self, value: int | None, _dialect: Dialect) -> int | None:
        """To the database."""
        return None if value is None else max(-MAX_BIGINT, min(MAX_BIGINT, value))


class Words(TypeDecorator[str]):
    """Text as a person or a provider wrote it, see :func:`clean`."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: str | None, _dialect: Dialect) -> str | None:
        """To the database."""
        return None if value is None else clean(value)


class Choice(TypeDecorator[StrEnum]):
    """One word of a closed set; a word that is not in it raises ``ValueError`` when read."""

    impl = Text
    cache_ok = True

    def __init__(self, words: type[StrEnum]) -> None:
        super().__init__()
        self.words = words

    def process_bind_param(self, value: StrEnum | None, _dialect: Dialect) -> str | None:
        """To the database."""
        return None if value is None else value.value

    def process_result_value(self, value: str | None, _dialect: Dialect) -> StrEnum | None:
        """From the database."""
        return None if value is None else self.words(value)


def one_of(column: ColumnElement[Any], values: Sequence[Any]) -> ColumnElement[bool]:
    """Whether *column* has one of *values*, as a list of one of few lengths: 1, 2, 4, 8, ...

    A list of another length is another statement, and the driver keeps 128 prepared ones for every
    connection (https://docs.python.org/3/library/sqlite3.html#sqlite3.connect), at 80 KB each with
    500 values.  So the last value stands there again until the length is reached.
    """
    if not values:
        return column.in_(())
    length = 1 << (len(values) - 1).bit_length()
    return column.in_([*values, *[values[-1]] * (length - len(values))])
