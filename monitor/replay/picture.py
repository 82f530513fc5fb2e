"""A replay as a picture: balance, forecast and alerts of each meter, one panel below the other."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import groupby

from monitor.core import curves, wording
from monitor.core.curves import Scale
from monitor.core.model import Sample, Severity
from monitor.core.rules import Rules
from monitor.drawing import Drawing, Item, Point, axes
from monitor.drawing.items import BAND, COLOURS, CURVE, GREY, GRID, INK, RISE
from monitor.replay.engine import ForecastLine
from monitor.replay.episodes import Episode, alerts_told

WIDTH = 1200
MOST_PANELS = 10
"""More balances in one picture nobody can read."""

_LEFT, _RIGHT = 170, 1170
_LABEL, _TITLE = 15, 22  # sizes of type
_HEAD, _BALANCE, _RUNWAY, _GAP, _AXIS, _ROW, _FOOT = 76, 210, 110, 22, 44, 24, 40  # heights
_MOST_TIMES = 12
_COLUMNS = 500  # of two pixels
_PALE = {Severity.CRITICAL: "#f6c3c3", Severity.WARNING: "#f5dfc0", Severity.INFO: "#c9dfd0"}
_BAR = {**COLOURS, Severity.INFO: RISE}
_LIMITS_SHOWN = 3.0
"""The scale of the forecast ends at so many times the longest limit: beyond, it is only "long"."""

_SCALE_WITHOUT_LIMIT = timedelta(days=7)


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """What one configuration, called *name*, would have said; *rules* are those of the key."""

    name: str
    rules: Rules
    episodes: Sequence[Episode]


@dataclass(frozen=True, slots=True, kw_only=True)
class Panel:
    """One meter: what was read, what was forecast, and what each configuration said of it."""

    name: str
    unit: str
    samples: Sequence[Sample]
    forecasts: Sequence[ForecastLine]
    judged: Sequence[Judged]
    longest_gap: timedelta

    @property
    def since(self) -> datetime:
        """When the panel begins."""
        return self.samples[0].at

    @property
    def until(self) -> datetime:
        """When the panel ends, at least an hour after it began."""
        return max(self.samples[-1].until, self.since + timedelta(hours=1))


def picture(panels: Sequence[Panel]) -> Drawing:
    """The picture of *panels*, of which each has an amount."""
    items: list[Item] = []
    top = 0.0
    for panel in panels:
        drawn, top = _panel(panel, top)
        items += drawn
    items += _explained(panels, top + _FOOT * 0.6)
    names = wording.listing([panel.name for panel in panels], 60)
    return Drawing(
        width=WIDTH, height=round(top + _FOOT), title=f"Replay of {names}", items=tuple(items)
    )


def _explained(panels: Sequence[Panel], y: float) -> Iterator[Item]:
    words = "Bars: alerts while they were open; pale: nobody would have been told."
    if any(panel.forecasts for panel in panels):
        words += " Line and band: when the forecast said it runs out, and four in five cases."
    yield axes.text(words, (30, y), GREY, _LABEL)


def _panel(panel: Panel, top: float) -> tuple[list[Item], float]:
    """The items of one panel that begins at *top*, and where it ends."""
    samples = _outline(panel.samples, panel.since, panel.until)
    amounts = [s.balance for s in samples if s.balance is not None]
    low, high = curves.round_range(min(amounts), max(amounts))
    balance_top = top + _HEAD
    scale = Scale(
        panel.since, panel.until, low, high, _LEFT, _RIGHT, balance_top, balance_top + _BALANCE
    )
    bottom = balance_top + _BALANCE
    ahead = None
    if any(line.forecast.runway for line in panel.forecasts):
        ahead = _runway_scale(panel, bottom + _GAP)
        bottom = ahead.bottom
    below = Scale(panel.since, panel.until, 0, 1, _LEFT, _RIGHT, balance_top, bottom)
    items = [
        *_heading(panel, top),
        *_uprights(below),
        *axes.curve(list(curves.runs(samples, panel.longest_gap)), scale, 2),
        *axes.heights(scale, _LABEL),
        *_thresholds(panel, scale),
        *axes.rises(samples, scale, _LABEL),
    ]
    if ahead is not None:
        items += [*_runway(panel, ahead), *_runway_axis(panel, ahead)]
    items += axes.times(below, UTC, _LABEL, _MOST_TIMES)
    bottom += _AXIS
    for judged in panel.judged:
        drawn, bottom = _judgement(judged, below, bottom)
        items += drawn
    return items, bottom + _GAP


def _heading(panel: Panel, top: float) -> Iterator[Item]:
    yield axes.text(wording.clip(panel.name, 60), (30, top + 36), INK, _TITLE)
    period = (
        f"{wording.clock(panel.since, UTC)} to {wording.clock(panel.until, UTC)},"
        f" last: {wording.amount(_last(panel), panel.unit)}"
    )
    yield axes.text(period, (30, top + 58), GREY, _LABEL)


def _uprights(scale: Scale) -> Iterator[Item]:
    """Lines at round times, to see what happened together."""
    for at in axes.round_times(scale.since, scale.until, UTC, _MOST_TIMES):
        x = scale.x(at)
        yield Item(kind="line", points=((x, scale.top), (x, scale.bottom)), colour=GRID)


def _last(panel: Panel) -> Decimal:
    return next(s.balance for s in reversed(panel.samples) if s.balance is not None)


def _outline(samples: Sequence[Sample], since: datetime, until: datetime) -> list[Sample]:
    """What of *samples* can be seen: of each column the first, lowest, highest and last one."""
    width = (until - since) / _COLUMNS
    shown: list[Sample] = []
    for _, group in groupby(samples, key=lambda s: (s.balance is None, (s.at - since) // width)):
        column = list(group)
        if column[0].balance is None:
            shown += {column[0].at: column[0], column[-1].at: column[-1]}.values()
            continue
        amounts = [s.balance or Decimal(0) for s in column]
        places = {0, amounts.index(min(amounts)), amounts.index(max(amounts)), len(column) - 1}
        shown += [column[place] for place in sorted(places)]
    return shown


def _thresholds(panel: Panel, scale: Scale) -> Iterator[Item]:
    """Where ``low_balance`` of the first configuration speaks, as it moves with each top-up."""
    rule = panel.judged[0].rules.low_balance if panel.judged else None
    if rule is None:
        return
    for reference, lines in groupby(panel.forecasts, key=lambda line: line.reference):
        run = list(lines)
        left, right = scale.x(run[0].at), scale.x(run[-1].at)
        for severity, _, amount in rule.thresholds(reference):
            colour = COLOURS[severity]
            yield from axes.dashes(left, right, scale.y(amount), colour, width=1, length=6)


# -- the forecast -------------------------------------------------------------------------------


def _runway_scale(panel: Panel, top: float) -> Scale:
    """Hours from zero up, to where they matter: some times the longest limit of ``runway``."""
    rules = [judged.rules.runway for judged in panel.judged]
    limits = [rule.warning or rule.critical for rule in rules if rule]
    longest = max((limit for limit in limits if limit), default=_SCALE_WITHOUT_LIMIT)
    most = _LIMITS_SHOWN * longest / timedelta(hours=1)
    known = [line.forecast.runway for line in panel.forecasts if line.forecast.runway]
    highest = max((r.p50 for r in known if math.isfinite(r.p50)), default=most)
    high = min(most, max(1.2 * highest, 1.0))
    return Scale(panel.since, panel.until, 0, high, _LEFT, _RIGHT, top, top + _RUNWAY)


def _runway(panel: Panel, scale: Scale) -> Iterator[Item]:
    """The band from p10 to p90 and p50 in it, broken off where nothing was forecast."""
    runs = [_places(run, scale) for run in _forecast_runs(panel.forecasts)]
    for low, _, high in runs:
        yield Item(kind="area", points=(*low, *reversed(high)), colour=BAND)
    for _, middle, _ in runs:
        yield Item(kind="line", points=tuple(middle), colour=CURVE, width=2)


def _forecast_runs(lines: Sequence[ForecastLine]) -> Iterator[list[ForecastLine]]:
    for is_known, run in groupby(lines, key=lambda line: line.forecast.runway is not None):
        if is_known:
            yield list(run)


def _places(
    run: Sequence[ForecastLine], scale: Scale
) -> tuple[list[Point], list[Point], list[Point]]:
    """p10, p50 and p90 as points, one for each column of the picture."""
    low, middle, high = [], [], []
    width = (_RIGHT - _LEFT) / _COLUMNS
    for column, lines in groupby(run, key=lambda line: round((scale.x(line.at) - _LEFT) / width)):
        x = _LEFT + column * width
        runways = [line.forecast.runway for line in lines if line.forecast.runway]
        low.append((x, scale.y(min(r.p10 for r in runways))))
        middle.append((x, scale.y(runways[-1].p50)))
        high.append((x, scale.y(max(r.p90 for r in runways))))
    return low, middle, high


def _runway_axis(panel: Panel, scale: Scale) -> Iterator[Item]:
    """Zero and the end of the scale, and the limits of each configuration."""
    for hours in (0.0, scale.high):
        y = scale.y(hours)
        yield Item(kind="line", points=((_LEFT, y), (_RIGHT, y)), colour=GRID, width=2)
    yield axes.text("runs out in", (30, scale.top + _LABEL), GREY, _LABEL)
    place = (_LEFT - 14, scale.top)
    yield axes.text(wording.span(timedelta(hours=scale.high)), place, GREY, _LABEL, anchor="rm")
    last = scale.top
    for hours, severity in sorted(_limits(panel).items(), reverse=True):
        if hours > scale.high:
            continue
        y, colour = scale.y(hours), COLOURS[severity]
        yield from axes.dashes(_LEFT, _RIGHT, y, colour, width=1, length=6)
        if y - last >= _LABEL:
            label = wording.span(timedelta(hours=hours))
            yield axes.text(label, (_LEFT - 14, y), colour, _LABEL, anchor="rm")
            last = y


def _limits(panel: Panel) -> dict[float, Severity]:
    """The limits of ``runway`` in hours; where two configurations share one, the worse counts."""
    found: dict[float, Severity] = {}
    for judged in panel.judged:
        rule = judged.rules.runway
        for severity in (Severity.WARNING, Severity.CRITICAL) if rule else ():
            limit = getattr(rule, severity)
            if limit is not None:
                hours = limit / timedelta(hours=1)
                found[hours] = max(found.get(hours, severity), severity, key=lambda s: s.rank)
    return found


# -- the alerts -----------------------------------------------------------------------------------


def _judgement(judged: Judged, scale: Scale, top: float) -> tuple[list[Item], float]:
    """The alerts of one configuration below *top*, a row for each rule; and where they end."""
    told = alerts_told(judged.episodes)
    title = f"{judged.name}: {wording.count(told.total(), 'alert')}"
    items = [axes.text(title, (30, top + _ROW * 0.7), INK, _LABEL)]
    top += _ROW
    rules = sorted({e.rule for e in judged.episodes}, key=lambda rule: (-told[rule], rule))
    for rule in rules:
        middle = top + _ROW / 2
        items.append(
            axes.text(f"{rule} {told[rule]}", (_LEFT - 14, middle), GREY, _LABEL, anchor="rm")
        )
        ground = ((scale.left, middle), (scale.right, middle))
        items.append(Item(kind="line", points=ground, colour=GRID, width=1))
        mine = [episode for episode in judged.episodes if episode.rule == rule]
        mine.sort(key=lambda e: (e.told, e.severity.rank))
        items += [_bar(episode, scale, middle) for episode in mine]
        top += _ROW
    return items, top


def _bar(episode: Episode, scale: Scale, y: float) -> Item:
    """An alert while it was open; what has no duration is a mark."""
    colour = (_BAR if episode.told else _PALE)[episode.severity]
    left = scale.x(episode.since)
    if episode.is_moment:
        points: tuple[Point, ...] = ((left, y - 8), (left - 6, y + 5), (left + 6, y + 5))
        return Item(kind="area", points=points, colour=colour)
    right = max(scale.x(episode.until or scale.until), left + 3)
    corners = ((left, y - 7), (right, y - 7), (right, y + 7), (left, y + 7))
    return Item(kind="area", points=corners, colour=colour)
