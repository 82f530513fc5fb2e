"""How results are printed: tables on a terminal, aligned text in a pipe, JSON, words for values."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import click

from monitor.core.model import Severity
from monitor.queries import to_json

NOTHING = "-"
"""What a cell without a value shows."""

_TONES = {"": "", "info": "cyan", "warning": "yellow", "critical": "bold red", "faint": "dim"}


@dataclass(slots=True)
class Table:
    """Rows of text under headings; *right* names the columns of numbers.

    A row's tone is a severity or ``faint``, and shows as colour on a terminal only.
    """

    headings: tuple[str, ...]
    right: frozenset[str] = frozenset()
    rows: list[tuple[str, ...]] = field(default_factory=list)
    tones: list[str] = field(default_factory=list)

    def add(self, *cells: str, tone: str = "") -> None:
        """Append one row; what could move the cursor of a terminal is taken out."""
        self.rows.append(tuple(printable(cell) for cell in cells))
        self.tones.append(tone)


def printable(text: str) -> str:
    """*text* on one line, without control characters: a provider's words reach terminals."""
    return "".join(c if c.isprintable() else " " for c in text)


def print_table(table: Table) -> None:
    """Print *table*: coloured and framed on a terminal, aligned text in a pipe."""
    if sys.stdout.isatty():
        _print_rich(table)
    else:
        click.echo("\n".join(plain(table)))


def plain(table: Table) -> list[str]:
    """The lines of *table* as aligned text, columns two blanks apart."""
    lines = [tuple(heading.upper() for heading in table.headings), *table.rows]
    widths = [max(len(line[i]) for line in lines) for i in range(len(table.headings))]
    return [
        "  ".join(
            cell.rjust(width) if heading in table.right else cell.ljust(width)
            for cell, width, heading in zip(line, widths, table.headings, strict=True)
        ).rstrip()
        for line in lines
    ]


def _print_rich(table: Table) -> None:
    from rich import box  # noqa: PLC0415 - imported only when a table reaches a terminal
    from rich.console import Console  # noqa: PLC0415 - as above
    from rich.table import Table as RichTable  # noqa: PLC0415 - as above
    from rich.text import Text  # noqa: PLC0415 - as above

    shown = RichTable(box=box.SIMPLE_HEAD, pad_edge=False)
    for heading in table.headings:
        shown.add_column(
            heading, justify="right" if heading in table.right else "left", overflow="fold"
        )
    for row, tone in zip(table.rows, table.tones, strict=True):
        shown.add_row(*(Text(cell) for cell in row), style=_TONES[tone])
    Console(soft_wrap=False).print(shown)


def print_json(value: Any) -> None:
    """Print *value* as indented JSON in the one form all outputs share."""
    click.echo(json.dumps(to_json(value), indent=2, ensure_ascii=False))


def amount(value: Decimal | None, unit: str = "") -> str:
    """A balance with its unit; None is a meter without a cap."""
    if value is None:
        return "no cap"
    return f"{value:,f} {unit}".rstrip()


def time(moment: datetime | None) -> str:
    """A moment in UTC, to the second."""
    return NOTHING if moment is None else moment.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%SZ")


_STEPS = ((86400, "d"), (3600, "h"), (60, "m"), (1, "s"))


def rough(span: timedelta) -> str:
    """A length of time in at most two units, such as ``2d 3h``, ``4m 10s`` or ``0s``."""
    left = max(0, int(span.total_seconds()))
    parts: list[tuple[int, str]] = []
    for seconds, unit in _STEPS:
        count, left = divmod(left, seconds)
        if count or parts:
            parts.append((count, unit))
    return " ".join(f"{count}{unit}" for count, unit in parts[:2] if count) or "0s"


def ago(moment: datetime | None, now: datetime) -> str:
    """How long *moment* is past, such as ``4m 10s ago``; ``never`` for None."""
    return "never" if moment is None else f"{rough(now - moment)} ago"


def verdict_word(severity: Severity | None) -> str:
    """``ok``, or the severity of what is wrong."""
    return "ok" if severity is None else str(severity)


def count(number: int, one: str, many: str = "") -> str:
    """*number* with its noun, such as ``1 key`` or ``3 keys``."""
    return f"{number} {one if number == 1 else many or one + 's'}"


def join(parts: Sequence[str]) -> str:
    """Those of *parts* that are not empty, separated by commas."""
    return ", ".join(part for part in parts if part)
