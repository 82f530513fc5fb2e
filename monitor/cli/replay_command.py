"""``replay``: which alerts there would have been, over recorded history or a CSV."""

from __future__ import annotations

import gc
import logging
import os
import sys
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import click

from monitor.cli import output, replay_charts, replay_inputs, replay_output
from monitor.cli.exits import CommandError, Exit
from monitor.cli.options import DurationType, format_option
from monitor.cli.replay_inputs import PROVIDER, STANDARD_INPUT
from monitor.cli.sources import config_path, problem_lines, settings_to_read
from monitor.config import ConfigError, Settings, load
from monitor.core.rules import Rules
from monitor.replay import ForecastLine, Line, Replay, Sighting, Wanted, polls
from monitor.world import WatchedKey, watched_key

EPILOG = """\b
Examples:
  credit-monitor replay --since 30d
  credit-monitor replay --since 30d --against calmer.yaml --chart both.png
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
    help="Compare with the alerts of another configuration.",
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
@click.option(
    "--chart",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Draw balances, forecasts and alerts in FILE: .png or .svg.",
)
@format_option("table", "plot", "jsonl", "json")
def command(  # noqa: PLR0917 - click passes by name
    since: timedelta,
    samples: str | None,
    names: Sequence[str],
    against: Path | None,
    emit: str,
    every: timedelta,
    chart: Path | None,
    output_format: str,
) -> None:
    """Show which alerts there would have been, by the same rules as the daemon's."""
    asked = _asked(emit, every, output_format, against, chart)
    settings: Settings | None
    seen: Iterable[Sighting]
    with _quiet_pipeline():
        if samples is None:
            settings = settings_to_read()
            seen = replay_inputs.from_store(settings, since, names)
        else:
            settings = settings_to_read() if config_path() else None
            seen = replay_inputs.from_csv(samples, names)
        if output_format == "jsonl" and samples == STANDARD_INPUT:
            replay = _replay(settings, _sharing(settings), asked.wanted)
            _print_lines(_played(replay, ([one] for one in seen)), flush=True)
        else:
            _print_whole(asked, list(seen), settings)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Asked:
    """What the options ask for."""

    emit: str
    every: int
    output_format: str
    against: Path | None
    chart: Path | None

    @property
    def wanted(self) -> Wanted:
        """What is printed."""
        return Wanted(
            every=0 if self.emit == "alerts" else self.every, alerts=self.emit != "forecasts"
        )

    def wants(self, line: Line) -> bool:
        """Whether *line* is printed."""
        return self.emit in ("both", "forecasts" if isinstance(line, ForecastLine) else "alerts")


def _asked(
    emit: str, every: timedelta, output_format: str, against: Path | None, chart: Path | None
) -> _Asked:
    """The options, which have to fit together."""
    if every < timedelta(seconds=1) or every % timedelta(seconds=1):
        raise click.UsageError("--every is whole seconds, at least one.")
    if against is not None and output_format not in ("table", "plot"):
        raise click.UsageError("--against compares in words: it needs --format table or plot.")
    if chart is not None:
        if output_format == "jsonl":
            raise click.UsageError("--chart draws the whole: it goes with any other --format.")
        replay_charts.check_target(chart)
    return _Asked(
        emit=emit,
        every=int(every.total_seconds()),
        output_format=output_format,
        against=against,
        chart=chart,
    )


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


# -- whose rules hold -------------------------------------------------------------------------


Watch = Callable[[str], Sequence[WatchedKey]]
"""The keys that are watched together with the named one."""


def _sharing(settings: Settings | None) -> Watch:
    """Those that share a balance."""
    keys = [watched_key(key) for key in settings.keys] if settings else []
    together: dict[str, list[WatchedKey]] = {}
    for key in keys:
        together.setdefault(key.balance_subject.id, []).append(key)
    return _watch(settings, {key.name: together[key.balance_subject.id] for key in keys})


def _all_in_order(settings: Settings | None, polled: Collection[str]) -> Watch:
    """All configured ones that were polled: the outage of their provider is theirs together."""
    keys = [watched_key(key) for key in settings.keys if key.name in polled] if settings else []
    return _watch(settings, {key.name: keys for key in keys})


def _watch(settings: Settings | None, known: Mapping[str, Sequence[WatchedKey]]) -> Watch:
    """As *known*; a key that is not configured stands alone."""
    rules = settings.rules if settings else Rules()
    interval = settings.defaults.interval if settings else timedelta(minutes=5)

    def watch(name: str) -> Sequence[WatchedKey]:
        alone = WatchedKey(name=name, provider=PROVIDER, interval=interval, rules=rules)
        return known.get(name, (alone,))

    return watch


def _replay(settings: Settings | None, watch: Watch, wanted: Wanted) -> Replay:
    return Replay(watch, wanted, settings.notify.repeat.by_severity if settings else {})


# -- printing ---------------------------------------------------------------------------------


def _played(replay: Replay, found: Iterable[Sequence[Sighting]]) -> Iterator[Sequence[Line]]:
    """What follows from each poll, and in the end."""
    for poll in found:
        yield list(replay.feed(*poll))
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


def _print_whole(asked: _Asked, seen: Sequence[Sighting], settings: Settings | None) -> None:
    """What is known as a whole beforehand, and all that can be made of it."""
    if asked.output_format == "jsonl":
        replay = _replay(settings, _all_in_order(settings, {s.key for s in seen}), asked.wanted)
        _print_lines(_played(replay, polls(seen)), flush=False)
        return
    if not seen and asked.output_format != "json":
        click.echo("There is nothing to replay: no polls in this time.")
        if asked.chart:
            raise CommandError(f"{asked.chart}: there is nothing to draw.")
        return
    name = str(settings.source) if settings else "Default rules"
    outcomes = [_outcome(name, settings, asked, seen)]
    if asked.against is not None:
        other = _other_settings(asked.against)
        outcomes.append(_outcome(str(asked.against), other, asked, seen))
    _print(asked, seen, outcomes)
    if asked.chart is not None:
        click.echo(replay_charts.write_picture(asked.chart, seen, outcomes), err=True)


def _outcome(
    name: str, settings: Settings | None, asked: _Asked, seen: Sequence[Sighting]
) -> replay_charts.Outcome:
    every = asked.every if asked.chart else asked.wanted.every
    watch = _all_in_order(settings, {one.key for one in seen})
    replay = _replay(settings, watch, Wanted(every=every, alerts=True))
    lines = [line for lines in _played(replay, polls(seen)) for line in lines]
    return replay_charts.Outcome(name=name, sharing=_sharing(settings), lines=lines)


def _print(
    asked: _Asked, seen: Sequence[Sighting], outcomes: Sequence[replay_charts.Outcome]
) -> None:
    lines = [line for line in outcomes[0].lines if asked.wants(line)]
    if asked.output_format == "json":
        click.echo(replay_output.json_list(lines))
    elif asked.output_format == "plot":
        output.print_blocks(*replay_charts.plots(seen, outcomes))
        output.print_blocks(*_conclusion(outcomes))
    elif asked.against is not None:
        output.print_blocks(
            *replay_output.comparison(outcomes[0].lines, outcomes[1].lines, outcomes[1].name)
        )
    else:
        output.print_blocks(*replay_output.tables(seen, lines, emit=asked.emit))


def _conclusion(outcomes: Sequence[replay_charts.Outcome]) -> list[output.Block]:
    if len(outcomes) == 1:
        return [replay_output.summary(outcomes[0].lines)]
    return replay_output.comparison(outcomes[0].lines, outcomes[1].lines, outcomes[1].name)[-1:]


def _other_settings(path: Path) -> Settings:
    try:
        return load(
            path, os.environ, check_channel_url=lambda _: None, secrets_needed=False
        ).settings
    except ConfigError as error:
        raise CommandError(*problem_lines(error.problems), code=Exit.CONFIG) from None
