"""Where the polls of a replay come from: the store, a CSV, or standard input as it comes."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TextIO

import click

from monitor.cli.exits import CommandError, Exit
from monitor.cli.sources import reading_store
from monitor.config import Settings
from monitor.core import wording
from monitor.replay import SampleError, SampleReader, Sighting, recorded
from monitor.world import watched_key

PROVIDER = "samples"
"""What stands for the provider of keys that no configuration knows, and for their one key."""

STANDARD_INPUT = "-"


def from_store(settings: Settings, since: timedelta, names: Sequence[str]) -> list[Sighting]:
    """The recorded polls of these keys (all, if none is named), in the order of time."""
    keys = [watched_key(key) for key in settings.keys if not names or key.name in names]
    known = {key.name for key in keys}
    for name in names:
        if name not in known:
            raise CommandError(f"No key named {name!r} is configured.")
    now = datetime.now(UTC)
    with reading_store(settings) as store:
        return recorded(store, keys, now - since, now)


def from_csv(source: str, names: Sequence[str]) -> Iterator[Sighting]:
    """The polls of a CSV: of a file in the order of time, of standard input as they come."""
    reader = SampleReader(names or (PROVIDER,), only_these=bool(names))
    if source == STANDARD_INPUT:
        return _in_order(_sightings(reader, sys.stdin, "standard input"))
    return iter(sorted(_read_file(reader, Path(source)), key=lambda seen: seen.at))


def _read_file(reader: SampleReader, path: Path) -> list[Sighting]:
    try:
        with path.open(encoding="utf-8-sig") as lines:
            return [seen for seen, _ in _sightings(reader, lines, str(path))]
    except OSError as error:
        raise CommandError(f"{path}: {error.strerror}.", code=Exit.STORE) from None


def _sightings(reader: SampleReader, lines: TextIO, name: str) -> Iterator[tuple[Sighting, str]]:
    try:
        for number, line in enumerate(lines, 1):
            try:
                seen = reader.read(line)
            except SampleError as error:
                raise CommandError(f"{name}:{number}: {error}.") from None
            if seen is not None:
                yield seen, f"{name}:{number}"
    except UnicodeDecodeError:
        raise CommandError(f"{name}: it is not text in UTF-8.") from None


def _in_order(sightings: Iterable[tuple[Sighting, str]]) -> Iterator[Sighting]:
    """As they come; what goes back in time cannot be answered any more, and is left out."""
    newest: dict[str, datetime] = {}
    late = 0
    for seen, place in sightings:
        last = newest.get(seen.key)
        if last is not None and seen.at < last:
            late += 1
            if late == 1:
                click.echo(_LATE.format(place=place, key=seen.key), err=True)
            continue
        newest[seen.key] = seen.at
        yield seen
    if late > 1:
        lines = wording.count(late, "line")
        click.echo(f"{lines} in all were older than one before it and left out.", err=True)


_LATE = (
    "{place}: it is older than a line before it of key {key}, and left out: standard input has to"
    " be in the order of time; a file need not be."
)
