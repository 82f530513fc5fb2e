"""How a replay is printed: JSON lines, tables, a plot of each meter with its alerts."""

from __future__ import annotations

import json
import math
import shutil
import sys
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from functools import lru_cache

from monitor.cli import output, plot
from monitor.core import wording
from monitor.core.events import Change
from monitor.core.forecast import Runway
from monitor.core.model import Sample, Severity
from monitor.core.projection import LONGEST
from monitor.core.stories import tell
from monitor.replay import AlertLine, ForecastLine, Line, Sighting

LABEL_COLUMNS = 24
"""What a plot leaves free beside the chart for the labels of the amounts."""

HOUR = timedelta(hours=1)

_MARKS = {Severity.INFO: "+", Severity.WARNING: "!", Severity.CRITICAL: "X"}


# -- JSON lines -------------------------------------------------------------------------------


def json_line(line: Line) -> str:
    """*line* as JSON with a line break; the fields are documented in ``docs/command-line.md``."""
    time, key, meter = _unix(line.at), _text(line.key), _text(line.meter)
    if isinstance(line, AlertLine):
        event = line.event
        state = "firing" if line.is_open else "resolved"
        return (
            f'{{"time": {time}, "key": {key}, "meter": {meter}, "rule": "{event.rule}", '
            f'"severity": "{line.severity}", "state": "{state}"}}\n'
        )
    made = line.forecast
    return (
        f'{{"time": {time}, "key": {key}, "meter": {meter}, "balance": {line.balance:f}, '
        f'"burn_per_hour": {_number(made.burn_per_hour)}, '
        f'"runway_hours": {_runway(made.runway)}}}\n'
    )


def json_list(lines: Iterable[Line]) -> str:
    """All *lines* as one JSON list."""
    return "[" + ",\n ".join(json_line(line).rstrip() for line in lines) + "]"


def _unix(at: datetime) -> str:
    seconds = at.timestamp()
    return str(int(seconds)) if seconds.is_integer() else f"{seconds:.3f}"


@lru_cache(maxsize=4096)
def _text(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)


def _number(value: float | None) -> str:
    """Seven digits; ``null`` is "not enough history", ``"inf"`` "not consumed"."""
    if value is None:
        return "null"
    return '"inf"' if math.isinf(value) else f"{value:.7g}"


def _runway(runway: Runway | None) -> str:
    if runway is None:
        return '{"p10": null, "p50": null, "p90": null}'
    p10, p50, p90 = (_number(value) for value in (runway.p10, runway.p50, runway.p90))
    return f'{{"p10": {p10}, "p50": {p50}, "p90": {p90}}}'


# -- tables -----------------------------------------------------------------------------------


def tables(seen: Sequence[Sighting], lines: Sequence[Line]) -> list[output.Block]:
    """What was replayed, the forecasts where they were asked for, and the alerts."""
    first, last = output.time(seen[0].at), output.time(seen[-1].at)
    keys = len({one.key for one in seen})
    blocks: list[output.Block] = [
        f"{wording.count(len(seen), 'poll')} of {wording.count(keys, 'key')}, {first} to {last}."
    ]
    forecasts = [line for line in lines if isinstance(line, ForecastLine)]
    alerts = [line for line in lines if isinstance(line, AlertLine)]
    if forecasts:
        blocks += ["", _forecast_table(forecasts)]
    if alerts:
        blocks += ["", _alert_table(alerts)]
    return [*blocks, "", summary(alerts)]


def _forecast_table(forecasts: Iterable[ForecastLine]) -> output.Table:
    table = output.Table(
        ("time", "key", "meter", "balance", "burn/h", "earliest", "runs out in", "latest"),
        right=frozenset({"balance", "burn/h", "earliest", "runs out in", "latest"}),
    )
    for line in forecasts:
        made = line.forecast
        runway = made.runway
        table.add(
            output.time(line.at),
            line.key,
            line.meter,
            wording.amount(line.balance),
            output.NOTHING if made.burn_per_hour is None else f"{made.burn_per_hour:,.4g}",
            *_runway_cells(runway),
        )
    return table


def _runway_cells(runway: Runway | None) -> tuple[str, str, str]:
    if runway is None:
        return ("", "not enough history", "")
    return (_hours(runway.p10), _hours(runway.p50), _hours(runway.p90))


def _hours(value: float) -> str:
    if math.isinf(value):
        return "not consumed"
    if value * HOUR > LONGEST:
        return "over 10 years"
    return wording.span(value * HOUR)


def _alert_table(alerts: Iterable[AlertLine]) -> output.Table:
    table = output.Table(("time", "key", "rule", "what", "lasted", "message"))
    for line in alerts:
        event = line.event
        if not line.is_open and event.change is not Change.RESOLVED:
            continue  # the severity it eased to is told, and an event without duration once
        if not line.is_open and line.severity is not event.severity:
            continue  # it is over once, whatever its severities were
        what = str(event.severity) if line.is_open else "over"
        lasted = "" if line.is_open else wording.span(event.at - event.opened_at)
        told = tell([event], event.at, UTC).headline if event.told else "(not sent)"
        tone = str(event.severity) if line.is_open else "faint"
        table.add(output.time(line.at), line.key, event.rule, what, lasted, told, tone=tone)
    return table


def summary(alerts: Sequence[AlertLine]) -> str:
    """How many alerts there would have been, by rule."""
    episodes = _episodes(alerts)
    if not episodes:
        return "There would have been no alerts."
    by_rule = ", ".join(f"{rule} {count}" for rule, count in episodes.most_common())
    return f"There would have been {wording.count(episodes.total(), 'alert')}: {by_rule}."


def _episodes(alerts: Iterable[AlertLine]) -> Counter[str]:
    """The alerts that somebody would have been told of, by rule."""
    told = {
        (line.key, line.event.alert_id): line.event.rule
        for line in alerts
        if line.is_open and line.event.told
    }
    return Counter(told.values())


def comparison(ours: Sequence[Line], theirs: Sequence[Line], name: str) -> list[output.Block]:
    """The alerts of two configurations beside each other, by rule."""
    mine = _episodes(line for line in ours if isinstance(line, AlertLine))
    other = _episodes(line for line in theirs if isinstance(line, AlertLine))
    table = output.Table(
        ("rule", "now", "there", "change"), right=frozenset({"now", "there", "change"})
    )
    for rule in sorted({*mine, *other}):
        table.add(rule, str(mine[rule]), str(other[rule]), f"{other[rule] - mine[rule]:+d}")
    total, there = mine.total(), other.total()
    words = f"With {name} there would have been {wording.count(there, 'alert')} instead of {total}."
    return [table, "", words] if mine or other else [words]


# -- plots ------------------------------------------------------------------------------------


def plots(seen: Sequence[Sighting], lines: Sequence[Line]) -> list[output.Block]:
    """A chart of each meter, with a mark under it where an alert was raised."""
    samples: dict[tuple[str, str], list[Sample]] = defaultdict(list)
    for one in seen:
        if one.reason is None:
            sample = Sample(
                key=one.key, meter=one.meter, at=one.at, until=one.at, balance=one.balance
            )
            samples[one.key, one.meter].append(sample)
    columns = shutil.get_terminal_size((100, 24)).columns
    alerts = [line for line in lines if isinstance(line, AlertLine)]
    blocks: list[output.Block] = []
    for (key, meter), points in samples.items():
        frame = plot.Frame(
            since=points[0].at,
            until=points[-1].at,
            width=max(columns - LABEL_COLUMNS, 40),
            blocks=plot.blocks_for(sys.stdout.encoding),
        )
        mine = [a for a in alerts if a.key == key and a.meter in ("", meter)]
        drawn = plot.draw(points, (), frame, "")
        marks = _marked(mine, frame)
        indent = " " * drawn[0].index("|") + "  "
        blocks += [f"{key} {meter}", *drawn[:-1], indent + marks, drawn[-1], ""]
    return [*blocks, "+: topped up, !: warning, X: critical", summary(alerts)]


def _marked(alerts: Iterable[AlertLine], frame: plot.Frame) -> str:
    """The worst alert that was raised in each column."""
    marks: dict[int, Severity] = {}
    for line in alerts:
        if line.is_open:
            column = frame.column(line.at)
            worst = max(marks.get(column, line.event.severity), line.event.severity, key=_rank)
            marks[column] = worst
    return "".join(_MARKS[marks[n]] if n in marks else " " for n in range(frame.width)).rstrip()


def _rank(severity: Severity) -> int:
    return severity.rank
