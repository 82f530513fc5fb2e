"""A replay as a chart: of text for the terminal, or as a picture in a file."""

from __future__ import annotations

import shutil
import sys
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import NamedTemporaryFile

from monitor.cli import output, plot
from monitor.cli.exits import CommandError, Exit
from monitor.core import wording
from monitor.core.model import DEFAULT_METER, Sample, Severity
from monitor.drawing import png, svg
from monitor.replay import Episode, ForecastLine, Line, Sighting, episodes
from monitor.replay.picture import MOST_PANELS, Judged, Panel, picture
from monitor.world import STALE_AFTER_INTERVALS, WatchedKey

LABEL_COLUMNS = 24
"""What a plot leaves free beside the chart for the labels of the amounts."""

_MARKS = {Severity.INFO: "+", Severity.WARNING: "!", Severity.CRITICAL: "X"}
_UNTOLD = "."
_LEGEND = (
    "Alerts while they were open: ! warning, X critical, + info, . nobody would have been told."
)

_SIGNATURES = {".png": b"\x89PNG", ".svg": b"<svg "}
_GAP_SHARE = 50  # without a reading for this part of the chart, the line is broken off


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What one configuration, called *name*, says of the polls; *sharing* gives the keys that have
    one balance with the named one, itself included.
    """

    name: str
    sharing: Callable[[str], Sequence[WatchedKey]]
    lines: Sequence[Line]

    def of(self, key: str, meter: str, found: Iterable[Episode]) -> list[Episode]:
        """Those of *found* that are about a meter of *key*, or the key itself."""
        together = {watched.name for watched in self.sharing(key)}
        return [
            e
            for e in found
            if (e.meter == meter and e.key in together) or (not e.meter and key in (e.key, *e.keys))
        ]


# -- of text ------------------------------------------------------------------------------------


def plots(seen: Sequence[Sighting], outcomes: Sequence[Outcome]) -> list[output.Block]:
    """A chart of each meter, with a row below it for each rule that raised an alert."""
    columns = shutil.get_terminal_size((100, 24)).columns
    found = [(outcome, episodes(outcome.lines)) for outcome in outcomes]
    blocks: list[output.Block] = []
    for (key, meter), points in _samples(seen).items():
        frame = plot.Frame(
            since=points[0].at,
            until=points[-1].at,
            width=max(columns - LABEL_COLUMNS, 40),
            blocks=plot.blocks_for(sys.stdout.encoding),
        )
        rows: list[tuple[str, str]] = []
        for outcome, all_of_it in found:
            if len(outcomes) > 1:
                rows.append((Path(outcome.name).name, ""))
            rows += _rows(outcome.of(key, meter, all_of_it), frame)
        blocks += [_named(key, meter), *plot.draw(points, (), frame, "", rows), ""]
    return [*blocks, _LEGEND] if blocks else ["There is no balance to draw: no poll gave one."]


def _rows(found: Sequence[Episode], frame: plot.Frame) -> Iterator[tuple[str, str]]:
    """For each rule, the worst that was open in each column; what was told before the rest."""
    for rule in sorted({episode.rule for episode in found}):
        marks = [" "] * frame.width
        mine = (episode for episode in found if episode.rule == rule)
        for episode in sorted(mine, key=lambda e: (e.told, e.severity.rank)):
            first, last = frame.column(episode.since), frame.column(episode.until or frame.until)
            mark = _MARKS[episode.severity] if episode.told else _UNTOLD
            marks[first : last + 1] = mark * (last + 1 - first)
        yield rule, "".join(marks)


# -- as a picture ---------------------------------------------------------------------------------


def check_target(target: Path) -> None:
    """Whether a picture can be put there: told before a replay that may take minutes."""
    if target.suffix not in _SIGNATURES:
        raise CommandError(
            f"{target}: a chart is a file that ends in .png or .svg.", code=Exit.USAGE
        )
    if not target.parent.is_dir():
        raise CommandError(f"{target}: there is no directory {target.parent}.", code=Exit.STORE)
    try:
        begin = target.read_bytes()[:8] if target.exists() else b""
    except OSError as error:
        raise CommandError(f"{target}: {error.strerror}.", code=Exit.STORE) from None
    if begin and not begin.startswith(tuple(_SIGNATURES.values())):
        raise CommandError(f"{target} exists already, is no picture, and is left as it is.")


def write_picture(target: Path, seen: Sequence[Sighting], outcomes: Sequence[Outcome]) -> str:
    """Put the chart of the replay there, whole or not at all; a sentence about it."""
    panels = _panels(seen, outcomes)
    if not panels:
        raise CommandError(f"{target}: there is nothing to draw: no poll gave a balance.")
    if len(panels) > MOST_PANELS:
        raise CommandError(
            f"{target}: {len(panels)} balances do not fit into one chart, {MOST_PANELS} do: choose"
            " some with --key."
        )
    drawing = picture(panels)
    data = svg(drawing).encode() if target.suffix == ".svg" else png(drawing)
    if data is None:
        raise CommandError(f"{target}: the picture could not be painted; a .svg needs no painter.")
    _replace(target, data)
    return f"Drew {wording.count(len(panels), 'balance')} in {target}."


def _replace(target: Path, data: bytes) -> None:
    try:
        with NamedTemporaryFile(dir=target.parent, prefix=target.name, delete=False) as file:
            file.write(data)
        written = Path(file.name)
        written.chmod(0o644)
        written.replace(target)
    except OSError as error:
        raise CommandError(f"{target}: {error.strerror}.", code=Exit.STORE) from None


def _panels(seen: Sequence[Sighting], outcomes: Sequence[Outcome]) -> list[Panel]:
    found = [(outcome, episodes(outcome.lines)) for outcome in outcomes]
    forecasts: dict[tuple[str, str], list[ForecastLine]] = defaultdict(list)
    for line in outcomes[0].lines:
        if isinstance(line, ForecastLine):
            forecasts[line.key, line.meter].append(line)
    units = {(one.key, one.meter): one.unit for one in seen}
    panels = []
    for (key, meter), samples in _samples(seen).items():
        length = samples[-1].at - samples[0].at
        interval = outcomes[0].sharing(key)[0].interval
        panels.append(
            Panel(
                name=_named(key, meter),
                unit=units[key, meter],
                samples=samples,
                forecasts=forecasts[key, meter],
                judged=[
                    Judged(
                        name=outcome.name,
                        rules=next(k.rules for k in outcome.sharing(key) if k.name == key),
                        episodes=outcome.of(key, meter, all_of_it),
                    )
                    for outcome, all_of_it in found
                ],
                longest_gap=max(STALE_AFTER_INTERVALS * interval, length / _GAP_SHARE),
            )
        )
    return panels


# -- what both show -------------------------------------------------------------------------------


def _samples(seen: Iterable[Sighting]) -> dict[tuple[str, str], list[Sample]]:
    """What was read of each meter that has amounts, in the order of time."""
    samples: dict[tuple[str, str], list[Sample]] = defaultdict(list)
    for one in seen:
        if one.reason is None:
            samples[one.key, one.meter].append(
                Sample(key=one.key, meter=one.meter, at=one.at, until=one.at, balance=one.balance)
            )
    return {
        slot: sorted(points, key=lambda point: point.at)
        for slot, points in samples.items()
        if any(point.balance is not None for point in points)
    }


def _named(key: str, meter: str) -> str:
    return key if meter == DEFAULT_METER else f"{key} ({meter})"
