"""How a replay is printed: as JSON lines and as tables."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from functools import lru_cache

from monitor.cli import output
from monitor.core import wording
from monitor.core.events import Change
from monitor.core.forecast import Runway
from monitor.core.projection import LONGEST
from monitor.core.stories import tell
from monitor.replay import AlertLine, ForecastLine, Line, Sighting, alerts_told, episodes

HOUR = timedelta(hours=1)

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


def tables(seen: Sequence[Sighting], lines: Sequence[Line], *, emit: str) -> list[output.Block]:
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
    return blocks if emit == "forecasts" else [*blocks, "", summary(alerts)]


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


def summary(alerts: Iterable[Line]) -> str:
    """How many alerts there would have been, by rule."""
    told = alerts_told(episodes(alerts))
    if not told:
        return "There would have been no alerts."
    by_rule = ", ".join(f"{rule} {count}" for rule, count in told.most_common())
    return f"There would have been {wording.count(told.total(), 'alert')}: {by_rule}."


def comparison(ours: Sequence[Line], theirs: Sequence[Line], name: str) -> list[output.Block]:
    """The alerts of two configurations beside each other: each of them, by rule, and in all."""
    mine, other = alerts_told(episodes(ours)), alerts_told(episodes(theirs))
    words = f"With {name} there would have been {_instead(other.total(), mine.total())}."
    if not mine and not other:
        return [words]
    table = output.Table(
        ("rule", "now", "there", "change"), right=frozenset({"now", "there", "change"})
    )
    for rule in sorted({*mine, *other}):
        change = other[rule] - mine[rule]
        table.add(rule, str(mine[rule]), str(other[rule]), f"{change:+d}" if change else "0")
    return [_side_by_side(ours, theirs), "", table, "", words]


def _instead(there: int, now: int) -> str:
    return f"{wording.count(there, 'alert')} instead of {now}"


def _side_by_side(ours: Iterable[Line], theirs: Iterable[Line]) -> output.Table:
    """What would have been told, in the order of time; the same moment is one row."""
    rows: dict[tuple[datetime, str, str, str], list[str]] = {}
    for place, lines in enumerate((ours, theirs)):
        for one in episodes(lines):
            if one.told:
                slot = (one.since, one.key, one.meter, one.rule)
                rows.setdefault(slot, [output.NOTHING, output.NOTHING])[place] = one.severity
    table = output.Table(("time", "key", "rule", "now", "there"))
    for (at, key, _, rule), (now, there) in sorted(rows.items()):
        table.add(output.time(at), key, rule, now, there)
    return table
