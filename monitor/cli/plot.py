"""A balance over time as blocks of text: enough to see the slope on a terminal.

Written here because the terminal plotting libraries pull in numpy or weigh 20 MB, and the whole
need is one area chart.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

from monitor.core.model import Outage, Sample

UNICODE_BLOCKS = " ▁▂▃▄▅▆▇█"
ASCII_BLOCKS = " .:#"
MARGIN_COLUMNS = 3
"""Blanks and the axis between the labels and the chart."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Frame:
    """What is drawn into: the time span, columns and rows of the chart, and its characters."""

    since: datetime
    until: datetime
    width: int
    height: int = 10
    blocks: str = UNICODE_BLOCKS

    def moment(self, column: int) -> datetime:
        """The end of a column's share of the time span."""
        return self.since + (self.until - self.since) * (column + 1) / self.width

    def column(self, moment: datetime) -> int:
        """The column that *moment* falls into, inside the chart."""
        share = (moment - self.since) / max(self.until - self.since, timedelta(seconds=1))
        return min(max(int(share * self.width), 0), self.width - 1)


def blocks_for(encoding: str | None) -> str:
    """Eighth blocks where *encoding* has them, else ASCII."""
    try:
        UNICODE_BLOCKS.encode(encoding or "ascii")
    except (UnicodeEncodeError, LookupError):
        return ASCII_BLOCKS
    return UNICODE_BLOCKS


def levels(points: Sequence[Sample], frame: Frame) -> list[Decimal | None]:
    """The balance shown in each column: the last one read by its end, None before the first.

    A balance holds until the next one is read, so the chart is a step line.
    """
    shown: list[Decimal | None] = []
    current: Decimal | None = None
    left = list(reversed(points))
    for column in range(frame.width):
        while left and left[-1].at <= frame.moment(column):
            current = left.pop().balance
        shown.append(current)
    return shown


def draw(
    points: Sequence[Sample],
    outages: Sequence[Outage],
    frame: Frame,
    unit: str,
    rows: Sequence[tuple[str, str]] = (),
) -> list[str]:
    """The lines of the chart with its axes; ``x`` under the axis marks times without a reading.

    *rows* go below it: a label and a character for each column.
    """
    values = levels(points, frame)
    known = [value for value in values if value is not None]
    if not known:
        return ["(no balance in this time)"]
    top, bottom = max(known), min(*known, Decimal(0))
    labels = _labels(top, bottom, frame.height, unit)
    margin = max(len(label) for label in (*labels, *(label for label, _ in rows)))
    bars = [_bar(value, bottom, top, frame) for value in values]
    lines = [
        f"{label:>{margin}} | " + "".join(bar[row] for bar in bars).rstrip()
        for row, label in enumerate(labels)
    ]
    indent = " " * (margin + MARGIN_COLUMNS)
    marks = _marks(outages, frame)
    below = [f"{label:>{margin}} | {marked}".rstrip() for label, marked in rows]
    return [*lines, *([indent + marks] if marks else []), *below, indent + _time_axis(frame)]


def _labels(top: Decimal, bottom: Decimal, height: int, unit: str) -> list[str]:
    labels = [""] * height
    labels[0], labels[-1] = f"{top:,f} {unit}".rstrip(), f"{bottom:,f}"
    return labels


def _bar(value: Decimal | None, bottom: Decimal, top: Decimal, frame: Frame) -> str:
    """One column from top to bottom; the smallest balance above the bottom still shows."""
    if value is None:
        return " " * frame.height
    full = len(frame.blocks) - 1
    span = top - bottom
    share = (value - bottom) / span if span else Decimal(1 if value else 0)
    filled = max(round(share * frame.height * full), 1 if value > bottom else 0)
    return "".join(
        frame.blocks[min(max(filled - row * full, 0), full)] for row in range(frame.height)
    )[::-1]


def _marks(outages: Sequence[Outage], frame: Frame) -> str:
    marks = [" "] * frame.width
    for outage in outages:
        for column in range(frame.column(outage.at), frame.column(outage.until) + 1):
            marks[column] = "x"
    return "".join(marks).rstrip()


def _time_axis(frame: Frame) -> str:
    left, right = (moment.strftime("%Y-%m-%d %H:%M") for moment in (frame.since, frame.until))
    return left + f"{right:>{max(frame.width - len(left), len(right) + 1)}}"
