"""A chart as a picture to attach: laid out here, painted by a short-lived process."""

from __future__ import annotations

import json
import logging
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import pairwise
from pathlib import Path

from monitor.core import curves, wording
from monitor.core.charts import Chart
from monitor.core.curves import Scale
from monitor.core.model import Sample, Severity

log = logging.getLogger(__name__)

WIDTH, HEIGHT = 900, 450
"""Pixels of the picture: what a phone shows in one width, with type that can be read there."""

PAINT_SECONDS = 10.0
"""A painter that takes longer is ended; it usually takes a fifth of a second."""

_LEFT, _RIGHT, _TOP, _BOTTOM = 130, 870, 120, 392
_TITLE, _LABEL = 34, 24  # sizes of type
_TITLE_LENGTH = 28
_MOST_TICKS = 7
_RISE_SHARE = Decimal("0.05")  # of the scale; a smaller rise is not marked
_LABEL_ROOM = 120  # pixels between the marks of rises, so that they can be read

_INK, _GREY, _GRID = "#1f2937", "#6b7280", "#e5e7eb"
_CURVE, _FILL, _RISE, _BAND = "#2563eb", "#dbeafe", "#15803d", "#e9d5ff"
_COLOURS = {Severity.CRITICAL: "#dc2626", Severity.WARNING: "#d97706", Severity.INFO: _GREY}

_STEPS = tuple(timedelta(hours=hours) for hours in (1, 2, 3, 6, 12, 24, 48, 96))

Point = tuple[float, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """One thing to paint; what the fields mean for each ``kind`` is in ``painter.py``."""

    kind: str
    points: tuple[Point, ...]
    colour: str
    width: int = 1
    text: str = ""
    anchor: str = "ls"
    halo: int = 0


def draw(chart: Chart) -> bytes | None:
    """The PNG of *chart*; None without anything to draw, or if painting failed (which is logged).

    Blocks for as long as painting takes.
    """
    items = layout(chart)
    if not items:
        return None
    drawing = {"size": (WIDTH, HEIGHT), "items": [asdict(item) for item in items]}
    painter = Path(__file__).with_name("painter.py")
    try:
        done = subprocess.run(  # noqa: S603 - our own program
            [sys.executable, "-I", str(painter)],
            input=json.dumps(drawing).encode(),
            capture_output=True,
            timeout=PAINT_SECONDS,
            check=True,
        )
    except (OSError, subprocess.SubprocessError) as error:
        log.warning("a chart could not be painted: %s", type(error).__name__)
        return None
    return done.stdout


def layout(chart: Chart) -> list[Item]:
    """What is painted, from the bottom up; nothing where the chart has no amount."""
    amounts = [s.balance for s in chart.samples if s.balance is not None]
    if not amounts or chart.since >= chart.until:
        return []
    shown = [*amounts, *(amount for _, amount in chart.thresholds)]
    low, high = curves.round_range(min(shown), max(shown))
    scale = Scale(chart.since, chart.end, low, high, _LEFT, _RIGHT, _TOP, _BOTTOM)
    return [
        *_ahead(chart, scale),
        *_curve(chart, scale),
        *_grid(scale),
        *_days(chart, scale),
        *_thresholds(chart, scale),
        *_rises(chart, scale),
        *_last(chart, scale),
        *_heading(chart),
    ]


def _text(text: str, at: Point, colour: str, size: int = _LABEL, *, anchor: str = "ls") -> Item:
    return Item(
        kind="text", points=(at,), colour=colour, width=size, text=text, anchor=anchor, halo=3
    )


def _heading(chart: Chart) -> Iterator[Item]:
    name = wording.clip(chart.name, _TITLE_LENGTH)
    balance = wording.amount(chart.last or Decimal(0), chart.unit)
    yield _text(f"{name}: {balance}", (30, 48), _INK, _TITLE)
    yield _text(wording.clock(chart.until, chart.timezone), (30, 84), _GREY)


def _grid(scale: Scale) -> Iterator[Item]:
    middle = 0.0 if scale.low < 0 < scale.high else (scale.low + scale.high) / 2
    for height in (scale.low, middle, scale.high):
        y = scale.y(height)
        yield Item(kind="line", points=((_LEFT, y), (_RIGHT, y)), colour=_GRID, width=2)
        label = _short(curves.grid_amount(height))
        yield _text(label, (_LEFT - 14, y), _GREY, anchor="rm")


_THOUSANDS = ((Decimal(10**9), "G"), (Decimal(10**6), "M"))


def _short(amount: Decimal) -> str:
    """*amount* as a label of few signs; from a million up in millions."""
    for size, sign in _THOUSANDS:
        if abs(amount) >= size:
            return f"{wording.amount(amount / size)}{sign}"
    return wording.amount(amount)


def _days(chart: Chart, scale: Scale) -> Iterator[Item]:
    """Round times below the line, in the chart's time zone."""
    last = float("-inf")
    for at in _round_times(chart):
        x = scale.x(at)
        yield Item(kind="line", points=((x, _BOTTOM), (x, _BOTTOM + 8)), colour=_GREY, width=2)
        local = at.astimezone(chart.timezone)
        label = f"{local:%H:%M}" if local.hour or local.minute else f"{local.day} {local:%b}"
        if x - last >= _LABEL_ROOM * 0.75 and _LEFT < x < _RIGHT - 20:
            yield _text(label, (x, _BOTTOM + 38), _GREY, anchor="ms")
            last = x


def _round_times(chart: Chart) -> Iterator[datetime]:
    """Multiples of a step after local midnight, at most seven; counted on the local clock."""
    length = chart.end - chart.since
    step = next((s for s in _STEPS if length / s <= _MOST_TICKS), length / _MOST_TICKS)
    start = chart.since.astimezone(chart.timezone).replace(tzinfo=None)
    local = start.replace(hour=0, minute=0, second=0, microsecond=0)
    while (at := local.replace(tzinfo=chart.timezone).astimezone(UTC)) <= chart.end:
        if at >= chart.since:
            yield at
        local += step


def _curve(chart: Chart, scale: Scale) -> Iterator[Item]:
    """The balance as a line with a light area below it, broken off where readings are missing."""
    strokes = [
        [p for s in run for p in _ends(s, scale)]
        for run in curves.runs(chart.samples, chart.longest_gap)
    ]
    ground = scale.y(0)
    for points in strokes:
        area = ((points[0][0], ground), *points, (points[-1][0], ground))
        yield Item(kind="area", points=area, colour=_FILL)
    for points in strokes:
        yield Item(kind="line", points=tuple(points), colour=_CURVE, width=4)


def _ahead(chart: Chart, scale: Scale) -> Iterator[Item]:
    """Dashed to where it probably runs out, in the band that four of five cases keep to."""
    ahead, now = chart.ahead, chart.until
    if chart.end <= now or ahead.runs_out_at is None or not chart.last or chart.last < 0:
        return
    last = chart.last

    def at(empty: datetime | None, share: float) -> Point:
        """Where a fall to zero at *empty* is, a *share* of the way to it or to the end."""
        if empty is None:
            return scale.x(now + (chart.end - now) * share), scale.y(last)
        shown = min(empty, chart.end)
        gone = (shown - now) * share / (empty - now) if empty > now else 1.0
        return scale.x(now + (shown - now) * share), scale.y(float(last) * (1 - gone))

    corners = [at(ahead.latest, 0.0), at(ahead.earliest, 1.0)]
    if ahead.latest is not None and ahead.latest <= chart.end:
        corners.append(at(ahead.latest, 1.0))
    else:
        corners += [(scale.x(chart.end), corners[-1][1]), at(ahead.latest, 1.0)]
    yield Item(kind="area", points=tuple(corners), colour=_BAND)
    for dash in range(0, 20, 2):
        points = tuple(at(ahead.runs_out_at, n / 20) for n in (dash, dash + 1))
        yield Item(kind="line", points=points, colour=_CURVE, width=4)


def _ends(sample: Sample, scale: Scale) -> tuple[Point, Point]:
    height = scale.y(sample.balance or Decimal(0))
    return (scale.x(sample.at), height), (scale.x(sample.until), height)


def _thresholds(chart: Chart, scale: Scale) -> Iterator[Item]:
    """Dashed lines; labels at opposite ends, so that near ones do not cover each other."""
    for number, (severity, amount) in enumerate(chart.thresholds):
        y, colour = scale.y(amount), _COLOURS[severity]
        for x in range(_LEFT, _RIGHT, 20):
            yield Item(kind="line", points=((x, y), (x + 12, y)), colour=colour, width=3)
        label = f"{severity} {wording.amount(amount)}"
        place, anchor = (scale.x(chart.until) - 4, "rs") if number % 2 else (_LEFT + 4, "ls")
        yield _text(label, (place, y - 7), colour, anchor=anchor)


def _rises(chart: Chart, scale: Scale) -> Iterator[Item]:
    """Where the balance rose by much: what was paid in, as a mark with the amount."""
    least = curves.grid_amount(scale.high - scale.low) * _RISE_SHARE
    last = float("-inf")
    for before, after in pairwise(s for s in chart.samples if s.balance is not None):
        rise = (after.balance or Decimal(0)) - (before.balance or Decimal(0))
        if rise < least:
            continue
        x, y = scale.x(after.at), scale.y(after.balance or Decimal(0))
        yield Item(
            kind="area", points=((x, y - 14), (x - 10, y + 4), (x + 10, y + 4)), colour=_RISE
        )
        if x - last >= _LABEL_ROOM:
            x_label = min(max(x, _LEFT + 60), _RIGHT - 60)
            yield _text(f"+{_short(rise)}", (x_label, y - 20), _RISE, anchor="ms")
            last = x


def _last(chart: Chart, scale: Scale) -> Iterator[Item]:
    """The last known balance as a dot; its amount stands in the heading."""
    known = [s for s in chart.samples if s.balance is not None][-1]
    place = (scale.x(known.until), scale.y(known.balance or Decimal(0)))
    yield Item(kind="dot", points=(place,), colour=_CURVE, width=8)
