"""How results are printed: tables on a terminal, aligned text in a pipe, JSON, words for values."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Literal

import click

from monitor.core import wording
from monitor.core.advice import reason_text
from monitor.core.events import Ack, Silence
from monitor.core.model import Reason
from monitor.jsonable import to_json
from monitor.overviews import STATE_OK, STATE_UNKNOWN

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table as RichTable

NOTHING = "-"
"""What a cell without a value shows."""

GAP = 2
"""Characters between two columns."""

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

    def without_empty_columns(self) -> Table:
        """The table without columns in which no row has a value."""
        full = [n for n, column in enumerate(zip(*self.rows, strict=True)) if {*column} - {NOTHING}]
        kept = Table(tuple(self.headings[n] for n in full), self.right)
        for row, tone in zip(self.rows, self.tones, strict=True):
            kept.add(*(row[n] for n in full), tone=tone)
        return kept

    def add(self, *cells: str, tone: str = "") -> None:
        """Append one row; what could move the cursor of a terminal is taken out."""
        self.rows.append(tuple(printable(cell) for cell in cells))
        self.tones.append(tone)


def printable(text: str) -> str:
    """*text* on one line, without control characters: a provider's words reach terminals."""
    return "".join(c if c.isprintable() else " " for c in text)


Block = Table | str
"""A part of what a command prints: a table, or lines of text."""


def print_blocks(*blocks: Block) -> None:
    """Print tables and text: tables coloured on a terminal, aligned text in a pipe."""
    for block in blocks:
        if isinstance(block, str):
            click.echo(block)
        elif sys.stdout.isatty():
            console = _console()
            console.print(_rich(block, console.width))
        else:
            click.echo("\n".join(plain(block)))


@contextmanager
def live_screen() -> Iterator[Callable[[Sequence[Block]], None]]:
    """A terminal's whole screen; the function it gives shows blocks in place of the last ones."""
    from rich.console import Group  # noqa: PLC0415 - imported only for a terminal
    from rich.live import Live  # noqa: PLC0415 - as above
    from rich.text import Text  # noqa: PLC0415 - as above

    console = _console()
    with Live(console=console, screen=True, auto_refresh=False) as live:

        def show(blocks: Sequence[Block]) -> None:
            parts = [Text(b) if isinstance(b, str) else _rich(b, console.width) for b in blocks]
            live.update(Group(*parts), refresh=True)

        yield show


def _console() -> Console:
    from rich.console import Console  # noqa: PLC0415 - imported only for a terminal

    return Console()


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


def _rich(table: Table, room: int) -> RichTable:
    from rich import box  # noqa: PLC0415 - imported only for a terminal
    from rich.table import Table as RichTable  # noqa: PLC0415 - as above
    from rich.text import Text  # noqa: PLC0415 - as above

    if sum(_natural_widths(table)) + GAP * len(table.headings) > room:
        table = table.without_empty_columns()
    found = widths(table, room)
    shown = RichTable(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0))
    for heading, width in zip(table.headings, found, strict=True):
        side: Literal["left", "right"] = "right" if heading in table.right else "left"
        shown.add_column(heading, justify=side, overflow="fold", width=width)
    for row, tone in zip(table.rows, table.tones, strict=True):
        cells = (folded(cell, width) for cell, width in zip(row, found, strict=True))
        shown.add_row(*(Text(cell) for cell in cells), style=_TONES[tone])
    return shown


def widths(table: Table, room: int) -> list[int]:
    """The width of each column so that the table fits into *room* characters, where it can.

    The widest columns give way first; words break, behind punctuation before anywhere else, only
    when nothing else is left to give.
    """
    columns = list(zip(table.headings, *table.rows, strict=True))
    found = _natural_widths(table)
    words, parts = (
        [_longest(split, column) for column in columns] for split in (str.split, _parts)
    )
    cut = ([min(longest, part) for part in parts] for longest in range(max(parts), 0, -1))
    for least in (words, parts, *cut):
        while sum(found) > room - GAP * len(columns):
            spare = [n for n, width in enumerate(found) if width > least[n]]
            if not spare:
                break
            found[max(spare, key=found.__getitem__)] -= 1
    return found


def _natural_widths(table: Table) -> list[int]:
    return [max(map(len, column)) for column in zip(table.headings, *table.rows, strict=True)]


def _longest(split: Callable[[str], list[str]], cells: Sequence[str]) -> int:
    return max(len(part) for cell in cells for part in split(cell) or [""])


def _parts(text: str) -> list[str]:
    """The pieces that *text* may be broken into: behind blanks and punctuation, but no numbers."""
    return [part for part in _BREAKS.split(text) if part]


_BREAKS = re.compile(r"\s+|(?<=[:/@_])|(?<=[.-])(?!\d)")


def folded(text: str, width: int) -> str:
    """*text* in lines of *width*; a word that does not fit breaks behind its punctuation."""
    lines = [""]
    for word in text.split():
        glue = " "
        for part in [word] if len(word) <= width else _parts(word):
            if lines[-1] and len(lines[-1]) + len(glue) + len(part) > width:
                lines.append("")
            lines[-1] += (glue if lines[-1] else "") + part
            glue = ""
    return "\n".join(lines)


def print_json(value: Any) -> None:
    """Print *value* as indented JSON in the one form all outputs share."""
    click.echo(json.dumps(to_json(value), indent=2, ensure_ascii=False))


def amount(value: Decimal | None, unit: str = "") -> str:
    """A balance with its unit; None is a meter without a cap."""
    return "no cap" if value is None else wording.amount(value, unit)


UNSUPPORTED = "unsupported"
"""In place of a balance where the provider shows none and only says that the key works."""


def time(moment: datetime | None) -> str:
    """A moment in UTC, to the second."""
    return NOTHING if moment is None else moment.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%SZ")


def ago(moment: datetime | None, now: datetime) -> str:
    """How long *moment* is past, such as ``4 min ago``; ``never`` for None."""
    return "never" if moment is None else wording.ago(moment, now)


def acknowledged(ack: Ack | None, now: datetime) -> str:
    """Who has taken an alert on, when and why: ``anna, 5 min ago: topping up``."""
    if ack is None:
        return NOTHING
    reason = f": {ack.reason}" if ack.reason else ""
    return f"{ack.by or 'somebody'}, {ago(ack.at, now)}{reason}"


def silenced(silence: Silence | None, now: datetime) -> str:
    """By whom an alert is kept quiet, for how long and why: ``4 h left, anna: top-up ordered``."""
    if silence is None:
        return NOTHING
    by = f", {silence.by}" if silence.by else ""
    return f"{wording.span(silence.until - now)} left{by}: {silence.reason}"


def state(word: str, detail: str = "") -> str:
    """A key's state in words, with the *detail* of why it gives no reading."""
    short = short_state(word, detail)
    return f"{short}: {detail}" if detail and word not in (STATE_UNKNOWN, STATE_OK) else short


def short_state(word: str, detail: str = "") -> str:
    """``ok``, ``not polled yet``, or why a key gives no reading: by its cause where one is told."""
    if word == STATE_UNKNOWN:
        return "not polled yet"
    return word if word == STATE_OK else reason_text(Reason(word), detail).short
