"""The last hour in detail: when the last readings came, and what was consumed between them."""

from __future__ import annotations

from array import array

HOUR = 3600.0
RECENT = 1.1 * HOUR
"""How far back marks are kept, for the burn of the last hour and of the last minutes."""

_SPACING = 120.0
"""Readings closer together than this share a mark, so that polls every 10 seconds cost no more."""


def first_mark(at: float) -> array[float]:
    """The marks of a meter that is watched from *at* on."""
    return array("d", (at, 0.0))


def marked(marks: array[float], at: float, consumed: float) -> array[float]:
    """*marks* and what was consumed until *at*; time without consumption is one long mark."""
    drop = 0
    while drop + 4 < len(marks) and marks[drop + 2] <= at - RECENT:
        drop += 2
    marks = marks[drop:]
    if len(marks) > 2 and _joins(marks, at, consumed):  # noqa: PLR2004 - more than the start
        marks[-2] = at
        marks[-1] += consumed
    else:
        marks.extend((at, consumed))
    return marks


def _joins(marks: array[float], at: float, consumed: float) -> bool:
    both_quiet = consumed == 0.0 == marks[-1]
    return both_quiet or at - marks[-4] <= _SPACING or at == marks[-2]


def consumed_since(marks: array[float], begin: float) -> float:
    """Consumption from *begin* on, as far back as *marks* go."""
    total = 0.0
    for index in range(len(marks) - 2, 0, -2):
        start, at, consumed = marks[index - 2], marks[index], marks[index + 1]
        if start >= begin:
            total += consumed
            continue
        if at > begin:
            total += consumed * (at - begin) / (at - start)
        break
    return total
