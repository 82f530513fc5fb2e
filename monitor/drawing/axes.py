"""Parts that all pictures of balances share: texts, amounts and times along the edges, curves."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta, tzinfo
from decimal import Decimal
from itertools import pairwise

from monitor.core import curves, wording
from monitor.core.curves import Scale
from monitor.core.model import Sample
from monitor.drawing.items import CURVE, FILL, GREY, GRID, RISE, Item, Point

_MOST_TICKS = 7
_STEPS = tuple(timedelta(hours=hours) for hours in (1, 2, 3, 6, 12, 24, 48, 96))
_THOUSANDS = ((Decimal(10**9), "G"), (Decimal(10**6), "M"))
_RISE_SHARE = Decimal("0.05")
"""Of the scale; a smaller rise is not marked."""


def text(words: str, at: Point, colour: str, size: int, *, anchor: str = "ls") -> Item:
    """*words* in type of *size*, with a white edge."""
    return Item(
        kind="text",
        points=(at,),
        colour=colour,
        width=size,
        text=words,
        anchor=anchor,
        halo=max(size // 8, 1),
    )


def short(amount: Decimal) -> str:
    """*amount* as a label of few signs; from a million up in millions."""
    for length, sign in _THOUSANDS:
        if abs(amount) >= length:
            return f"{wording.amount(amount / length)}{sign}"
    return wording.amount(amount)


def heights(scale: Scale, size: int) -> Iterator[Item]:
    """Lines at the bottom, the middle (or zero) and the top, with their amounts."""
    middle = 0.0 if scale.low < 0 < scale.high else (scale.low + scale.high) / 2
    for height in (scale.low, middle, scale.high):
        y = scale.y(height)
        ends = ((scale.left, y), (scale.right, y))
        yield Item(kind="line", points=ends, colour=GRID, width=2)
        label = short(curves.grid_amount(height))
        yield text(label, (scale.left - 14, y), GREY, size, anchor="rm")


def times(scale: Scale, timezone: tzinfo, size: int, most: int = _MOST_TICKS) -> Iterator[Item]:
    """Round times below the picture, in *timezone*."""
    last = float("-inf")
    for at in round_times(scale.since, scale.until, timezone, most):
        x = scale.x(at)
        tick = ((x, scale.bottom), (x, scale.bottom + 8))
        yield Item(kind="line", points=tick, colour=GREY, width=2)
        local = at.astimezone(timezone)
        label = f"{local:%H:%M}" if local.hour or local.minute else f"{local.day} {local:%b}"
        if x - last >= size * 3.75 and scale.left < x < scale.right - 20:
            yield text(label, (x, scale.bottom + 14 + size), GREY, size, anchor="ms")
            last = x


def round_times(
    since: datetime, until: datetime, timezone: tzinfo, most: int = _MOST_TICKS
) -> Iterator[datetime]:
    """Multiples of a step after local midnight, at most *most*; counted on the local clock."""
    length = until - since
    step = next((s for s in _STEPS if length / s <= most), None)
    if step is None:
        step = timedelta(days=-(-length // (most * timedelta(days=1))))
    start = since.astimezone(timezone).replace(tzinfo=None)
    local = start.replace(hour=0, minute=0, second=0, microsecond=0)
    while (at := local.replace(tzinfo=timezone).astimezone(UTC)) <= until:
        if at >= since:
            yield at
        local += step


def curve(runs: Sequence[Sequence[Sample]], scale: Scale, width: int) -> Iterator[Item]:
    """The balance as a line with a light area below it, one for each of *runs*."""
    strokes = [list(dict.fromkeys(p for s in run for p in _ends(s, scale))) for run in runs]
    ground = scale.y(0)
    for points in strokes:
        area = ((points[0][0], ground), *points, (points[-1][0], ground))
        yield Item(kind="area", points=area, colour=FILL)
    for points in strokes:
        yield Item(kind="line", points=tuple(points), colour=CURVE, width=width)


def _ends(sample: Sample, scale: Scale) -> tuple[Point, Point]:
    height = scale.y(sample.balance or Decimal(0))
    return (scale.x(sample.at), height), (scale.x(sample.until), height)


def rises(samples: Sequence[Sample], scale: Scale, size: int) -> Iterator[Item]:
    """Where the balance rose by much: what was paid in, as a mark with the amount."""
    least = curves.grid_amount(scale.high - scale.low) * _RISE_SHARE
    last = float("-inf")
    for before, after in pairwise(s for s in samples if s.balance is not None):
        rise = (after.balance or Decimal(0)) - (before.balance or Decimal(0))
        if rise < least:
            continue
        x, y = scale.x(after.at), scale.y(after.balance or Decimal(0))
        half = size * 0.42
        mark = ((x, y - 1.4 * half), (x - half, y + 0.4 * half), (x + half, y + 0.4 * half))
        yield Item(kind="area", points=mark, colour=RISE)
        if x - last >= 5 * size:
            at = min(max(x, scale.left + 2.5 * size), scale.right - 2.5 * size)
            yield text(f"+{short(rise)}", (at, y - 0.85 * size), RISE, size, anchor="ms")
            last = x


def dashes(
    left: float, right: float, y: float, colour: str, *, width: int, length: float
) -> Iterator[Item]:
    """A dashed line from *left* to *right*; dashes of one picture line up."""
    step = length / 0.6
    begin = left - left % step
    while begin < right:
        ends = max(begin, left), min(begin + length, right)
        if ends[0] < ends[1]:
            yield Item(kind="line", points=((ends[0], y), (ends[1], y)), colour=colour, width=width)
        begin += step
