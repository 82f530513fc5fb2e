"""``replay``: which alerts there would have been, over recorded history or a CSV."""

from __future__ import annotations

import gc
import logging
import os
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import TextIO

import click

from monitor.cli import output, replay_output
from monitor.cli.exits import CommandError, Exit
from monitor.cli.options import DurationType, format_option
from monitor.cli.sources import (
    config_path,
    problem_lines,
    reading_store,
    settings_to_read,
)
from monitor.config import ConfigError, Settings, load
from monitor.core.rules import Rules
from monitor.replay import (
    ForecastLine,
    Line,
    Replay,
    SampleError,
    SampleReader,
    Sighting,
    Wanted,
    recorded,
)
from monitor.world import WatchedKey, watched_key

PROVIDER = "samples"
"""What stands for the provider of keys that no configuration knows."""

STANDARD_INPUT = "-"

EPILOG = """\b
Examples:
  credit-monitor replay --since 30d
  credit-monitor replay --since 30d --against calmer.yaml
  credit-monitor replay --samples balances.csv --format plot
  credit-monitor replay --samples - --emit both --every 1h --format jsonl

Lines of a CSV are time,balance or time,key,meter,balance; a first line may name
the columns. Times are Unix seconds or ISO 8601. A failed poll has an empty
balance. Nothing is sent, and nothing is written to the store.
"""


@click.command(epilog=EPILOG)
@click.option(
    "--since",
    type=DurationType(),
    default="30d",
    show_default=True,
    help="How much of the recorded history to replay.",
)
@click.option(
    "--samples",
    type=click.Path(dir_okay=False, allow_dash=True),
    metavar="FILE",
    help="Replay this CSV instead; - reads standard input and answers as it goes.",
)
@click.option(
    "--key",
    "names",
    multiple=True,
    metavar="NAME",
    help="Only this key; of a CSV without names: whose rules hold.",
)
@click.option(
    "--against",
    type=click.Path(dir_okay=False, exists=True, path_type=Path),
    metavar="FILE",
    help="Compare with the alerts of this configuration.",
)
@click.option(
    "--emit",
    type=click.Choice(["forecasts", "alerts", "both"]),
    default="alerts",
    show_default=True,
    help="What to print.",
)
@click.option(
    "--every",
    type=DurationType(),
    default="1h",
    show_default=True,
    help="Time between forecasts.",
)
@format_option("table", "plot", "jsonl", "json")
def command(  # noqa: PLR0917 - click passes by name
    since: timedelta,
    samples: str | None,
    names: Sequence[str],
    against: Path | None,
    emit: str,
    every: timedelta,
    output_format: str,
) -> None:
    """Show which alerts there would have been, by the same rules as the daemon's."""
    settings: Settings | None
    if every < timedelta(seconds=1) or every % timedelta(seconds=1):
        raise click.UsageError("--every is whole seconds, at least one.")
    if output_format != "table" and against is not None:
        raise click.UsageError("--against compares in words: it needs --format table.")
    wanted = Wanted(
        every=0 if emit == "alerts" else int(every.total_seconds()), alerts=emit != "forecasts"
    )
    with _quiet_pipeline():
        if samples is None:
            polls, settings = _from_store(since, names)
        else:
            settings = settings_to_read() if config_path() else None
            polls = _from_csv(samples, names)
        replay = Replay(partial(_watched, settings, _by_balance(settings)), wanted)
        if output_format == "jsonl":
            _print_lines(_played(replay, polls), flush=samples == STANDARD_INPUT)
            return
        _print_whole(replay, polls, against, output_format)


@contextmanager
def _quiet_pipeline() -> Iterator[None]:
    """What the pipeline logs of the past is no news, and what it makes has no cycles to collect."""
    logger = logging.getLogger("monitor")
    before, collecting = logger.level, gc.isenabled()
    logger.setLevel(logging.CRITICAL)
    gc.disable()
    try:
        yield
    finally:
        logger.setLevel(before)
        if collecting:
            gc.enable()


# -- where the polls come from ----------------------------------------------------------------


def _from_store(since: timedelta, names: Sequence[str]) -> tuple[Iterable[Sighting], Settings]:
    settings = settings_to_read()
    keys = [watched_key(key) for key in settings.keys if not names or key.name in names]
    known = {key.name for key in keys}
    for name in names:
        if name not in known:
            raise CommandError(f"No key named {name!r} is configured.")
    now = datetime.now(UTC)
    with reading_store(settings) as store:
        return recorded(store, keys, now - since, now), settings


def _from_csv(source: str, names: Sequence[str]) -> Iterator[Sighting]:
    """The polls of a CSV: of a file in the order of time, of standard input as they come."""
    if len(names) > 1:
        raise click.UsageError("--key is given once with --samples.")
    reader = SampleReader(names[0] if names else PROVIDER)
    if source == STANDARD_INPUT:
        return _in_order(_sightings(reader, sys.stdin, "standard input"))
    return iter(sorted(_read_file(reader, Path(source)), key=lambda seen: seen.at))


def _read_file(reader: SampleReader, path: Path) -> list[Sighting]:
    try:
        with path.open(encoding="utf-8-sig") as lines:
            return [seen for seen, _ in _sightings(reader, lines, str(path))]
    except OSError as error:
        raise CommandError(f"{path}: {error.strerror}.", code=Exit.STORE) from None
    except UnicodeDecodeError:
        raise CommandError(f"{path}: it is not text in UTF-8.") from None


def _sightings(reader: SampleReader, lines: TextIO, name: str) -> Iterator[tuple[Sighting, str]]:
    for number, line in enumerate(lines, 1):
        place = f"{name}:{number}"
        try:
            seen = reader.read(line)
        except SampleError as error:
            raise CommandError(f"{place}: {error}.") from None
        if seen is not None:
            yield seen, place


def _in_order(sightings: Iterable[tuple[Sighting, str]]) -> Iterator[Sighting]:
    """As they come; what goes back in time cannot be answered any more."""
    newest: dict[str, datetime] = {}
    for seen, place in sightings:
        last = newest.get(seen.key)
        if last is not None and seen.at < last:
            raise CommandError(
                f"{place}: it is older than the line before it of key {seen.key}: standard input"
                " has to be in the order of time; a file need not be."
            )
        newest[seen.key] = seen.at
        yield seen


# -- whose rules hold -------------------------------------------------------------------------


def _by_balance(settings: Settings | None) -> dict[str, Sequence[WatchedKey]]:
    """The configured keys by name, each with those that share its balance."""
    keys = [watched_key(key) for key in settings.keys] if settings else []
    together: dict[str, list[WatchedKey]] = {}
    for key in keys:
        together.setdefault(key.balance_subject.id, []).append(key)
    return {key.name: together[key.balance_subject.id] for key in keys}


def _watched(
    settings: Settings | None, known: dict[str, Sequence[WatchedKey]], name: str
) -> Sequence[WatchedKey]:
    """The keys that share a balance with the one called *name*; an unknown one stands alone."""
    if name in known:
        return known[name]
    rules = settings.rules if settings else Rules()
    interval = settings.defaults.interval if settings else timedelta(minutes=5)
    return (WatchedKey(name=name, provider=PROVIDER, interval=interval, rules=rules),)


# -- printing ---------------------------------------------------------------------------------


def _played(replay: Replay, polls: Iterable[Sighting]) -> Iterator[Sequence[Line]]:
    """What follows from each poll, and in the end."""
    for seen in polls:
        yield list(replay.feed(seen))
    yield list(replay.finish())


def _print_lines(played: Iterable[Sequence[Line]], *, flush: bool) -> None:
    """JSON lines; *flush*: whoever reads them waits for the answer to each poll."""
    write = sys.stdout.write
    for lines in played:
        if lines:
            write("".join(map(replay_output.json_line, lines)))
            if flush:
                sys.stdout.flush()
    sys.stdout.flush()


def _print_whole(
    replay: Replay, polls: Iterable[Sighting], against: Path | None, output_format: str
) -> None:
    seen = list(polls)
    lines = [line for lines in _played(replay, seen) for line in lines]
    if output_format == "json":
        click.echo(replay_output.json_list(lines))
        return
    if not seen:
        click.echo("There is nothing to replay: no polls in this time.")
        return
    if output_format == "plot":
        output.print_blocks(*replay_output.plots(seen, lines))
        return
    blocks = replay_output.tables(seen, lines)
    if against is not None:
        other = _other_settings(against)
        theirs = Replay(partial(_watched, other, _by_balance(other)), replay.wanted)
        compared = [line for lines in _played(theirs, seen) for line in lines]
        blocks = replay_output.comparison(_alerts_only(lines), _alerts_only(compared), str(against))
    output.print_blocks(*blocks)


def _alerts_only(lines: Iterable[Line]) -> list[Line]:
    return [line for line in lines if not isinstance(line, ForecastLine)]


def _other_settings(path: Path) -> Settings:
    try:
        return load(
            path, os.environ, check_channel_url=lambda _: None, secrets_needed=False
        ).settings
    except ConfigError as error:
        raise CommandError(*problem_lines(error.problems), code=Exit.CONFIG) from None
