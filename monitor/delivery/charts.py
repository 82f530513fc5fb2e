"""A chart as a picture to attach to a message."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from decimal import Decimal

from monitor.core import curves, wording
from monitor.core.charts import Chart
from monitor.core.curves import Scale
from monitor.drawing import Drawing, Item, Point, axes, png
from monitor.drawing.items import BAND, COLOURS, CURVE, GREY, INK

WIDTH, HEIGHT = 900, 450
"""Pixels of the picture: what a phone shows in one width, with type that can be read there."""

_LEFT, _RIGHT, _TOP, _BOTTOM = 130, 870, 120, 392
_TITLE, _LABEL = 34, 24  # sizes of type
_TITLE_LENGTH = 28


def draw(chart: Chart) -> bytes | None:
    """The PNG of *chart*; None without anything to draw, or if painting failed (which is logged).

    Blocks for as long as painting takes.
    """
    items = layout(chart)
    if not items:
        return None
    return png(Drawing(width=WIDTH, height=HEIGHT, title=chart.name, items=tuple(items)))


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
        *axes.curve(list(curves.runs(chart.samples, chart.longest_gap)), scale, 4),
        *axes.heights(scale, _LABEL),
        *axes.times(scale, chart.timezone, _LABEL),
        *_thresholds(chart, scale),
        *axes.rises(chart.samples, scale, _LABEL),
        *_last(chart, scale),
        *_heading(chart),
    ]


def _heading(chart: Chart) -> Iterator[Item]:
    name = wording.clip(chart.name, _TITLE_LENGTH)
    balance = wording.amount(chart.last or Decimal(0), chart.unit)
    yield axes.text(f"{name}: {balance}", (30, 48), INK, _TITLE)
    yield axes.text(wording.clock(chart.until, chart.timezone), (30, 84), GREY, _LABEL)


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
    yield Item(kind="area", points=tuple(corners), colour=BAND)
    for dash in range(0, 20, 2):
        points = tuple(at(ahead.runs_out_at, n / 20) for n in (dash, dash + 1))
        yield Item(kind="line", points=points, colour=CURVE, width=4)


def _thresholds(chart: Chart, scale: Scale) -> Iterator[Item]:
    """Dashed lines; labels at opposite ends, so that near ones do not cover each other."""
    for number, (severity, amount) in enumerate(chart.thresholds):
        y, colour = scale.y(amount), COLOURS[severity]
        yield from axes.dashes(_LEFT, _RIGHT, y, colour, width=3, length=12)
        label = f"{severity} {wording.amount(amount)}"
        place, anchor = (scale.x(chart.until) - 4, "rs") if number % 2 else (_LEFT + 4, "ls")
        yield axes.text(label, (place, y - 7), colour, _LABEL, anchor=anchor)


def _last(chart: Chart, scale: Scale) -> Iterator[Item]:
    """The last known balance as a dot; its amount stands in the heading."""
    known = [s for s in chart.samples if s.balance is not None][-1]
    place = (scale.x(known.until), scale.y(known.balance or Decimal(0)))
    yield Item(kind="dot", points=(place,), colour=CURVE, width=8)
