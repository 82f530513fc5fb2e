"""A line chart as SVG geometry: pure numbers in, path texts out; the template draws them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

from monitor.core import curves
from monitor.core.curves import Scale
from monitor.core.model import Outage, Sample

WIDTH = 720
HEIGHT = 200
"""The coordinates of the view box; the page stretches it to the width it has."""

_GAP_SHARE = 50
"""Without a reading for this part of the whole time the line is broken off."""

Point = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Limit:
    """A threshold's height in the chart, and the severity of the alert below it."""

    y: float
    severity: str


@dataclass(frozen=True, slots=True)
class Chart:
    """One meter over time: ``line`` is an SVG path, ``gaps`` are (x, width) without readings.

    ``top``, ``middle`` and ``bottom`` are the amounts at the three grid lines.
    """

    line: str
    gaps: tuple[Point, ...]
    limits: tuple[Limit, ...]
    top: Decimal
    middle: Decimal
    bottom: Decimal


def draw(
    samples: Sequence[Sample],
    outages: Iterable[Outage],
    *,
    since: datetime,
    until: datetime,
    interval: timedelta,
    thresholds: Iterable[tuple[str, Decimal]] = (),
) -> Chart | None:
    """The chart of [since, until]; None when there is no amount to draw.

    The line joins readings; it is broken off where none came for longer than three *interval* and
    a fiftieth of the whole.  It starts at zero, or at the lowest amount where that is below.
    """
    amounts = [s.balance for s in samples if s.balance is not None]
    if not amounts or since >= until:
        return None
    low, high = curves.round_range(min(amounts), max(amounts))
    scale = Scale(since, until, low, high, 0, WIDTH, 0, HEIGHT)
    longest = max(3 * interval, (until - since) / _GAP_SHARE)
    strokes = (_thinned(_points(run, scale)) for run in curves.runs(samples, longest))
    return Chart(
        line=" ".join(_path(stroke) for stroke in strokes),
        gaps=tuple(_gap(outage, scale) for outage in outages),
        limits=tuple(
            Limit(scale.y(amount), severity)
            for severity, amount in thresholds
            if low < amount < high
        ),
        top=curves.grid_amount(high),
        middle=curves.grid_amount((high + low) / 2),
        bottom=curves.grid_amount(low),
    )


def _points(run: Iterable[Sample], scale: Scale) -> Iterator[Point]:
    for sample in run:
        if sample.balance is not None:
            height = scale.y(sample.balance)
            yield (scale.x(sample.at), height)
            yield (scale.x(sample.until), height)


def _thinned(points: Iterable[Point]) -> Iterator[Point]:
    """At most four points for each unit of width: the first, both extremes, the last."""
    column: list[Point] = []
    for point in points:
        if column and int(point[0]) != int(column[0][0]):
            yield from _extremes(column)
            column = []
        column.append(point)
    yield from _extremes(column)


def _extremes(column: Sequence[Point]) -> Iterator[Point]:
    if not column:
        return
    by_height = sorted(range(len(column)), key=lambda i: column[i][1])
    kept = sorted({0, by_height[0], by_height[-1], len(column) - 1})
    yield from (column[i] for i in kept)


def _path(points: Iterable[Point]) -> str:
    """Points as a path; one point alone is drawn as a dot by the round cap of its line."""
    texts = [f"{x:g} {y:g}" for x, y in points]
    return f"M{texts[0]}L{' '.join(texts[1:] or texts)}" if texts else ""


def _gap(outage: Outage, scale: Scale) -> Point:
    start = scale.x(outage.at)
    return (start, max(1.0, round(scale.x(outage.until) - start, 1)))
