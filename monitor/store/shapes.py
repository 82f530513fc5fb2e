"""Values whose fields stand in columns as they are: one list of names for both directions."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import Field, fields
from operator import attrgetter, itemgetter
from typing import Any, ClassVar, Generic, Protocol, TypeVar

from sqlalchemy import Row

Bind = dict[str, Any]
"""The parameters of a statement: a row by the names of its columns."""


class _Dataclass(Protocol):
    __dataclass_fields__: ClassVar[dict[str, Field[Any]]]


Value = TypeVar("Value", bound=_Dataclass)


class Shape(Generic[Value]):
    """How *value*, a dataclass, stands in a table: each field in the column of its name, or of
    that in *renamed*; those in *without* stand elsewhere.
    """

    def __init__(
        self, value: type[Value], *, without: Collection[str] = (), **renamed: str
    ) -> None:
        self._value = value
        self._fields = [field.name for field in fields(value) if field.name not in without]
        self.columns = [renamed.get(name, name) for name in self._fields]
        self._give = attrgetter(*self._fields)
        self._take = itemgetter(*self.columns)

    def row(self, value: Value) -> Bind:
        """The columns of *value*."""
        return dict(zip(self.columns, self._give(value), strict=True))

    def of(self, row: Row[Any], **elsewhere: object) -> Value:
        """The value in *row*, with what stands *elsewhere*."""
        found = self._take(row._mapping)  # noqa: SLF001 - the public name of a row as a mapping
        return self._value(**dict(zip(self._fields, found, strict=True)), **elsewhere)
