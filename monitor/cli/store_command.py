"""``store``: look at what is recorded as a whole, check it, copy it, put a copy back, prune it."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from monitor.cli import output
from monitor.cli.exits import CommandError, Exit
from monitor.cli.options import format_option
from monitor.cli.sources import settings_to_read
from monitor.core import wording
from monitor.store.base import StoreError

if TYPE_CHECKING:
    from collections.abc import Callable

    from monitor.store.care import StoreInfo

KIBI = 1024


@click.group()
def command() -> None:
    """Look after what is recorded: its size, whether it is sound, copies, retention."""


# -- info -----------------------------------------------------------------------------------


@command.command(epilog="\b\nExamples:\n  credit-monitor store info")
@format_option("table", "json")
def info(*, output_format: str) -> None:
    """Show where the store is, how large it is, and what is in it."""
    from monitor.store.care import describe  # noqa: PLC0415 - SQLAlchemy takes 0.15 s to import

    with _told():
        found = describe(_url())
    if output_format == "json":
        output.print_json(found)
    else:
        output.print_blocks(_summary(found), "", _rows(found))


def _summary(found: StoreInfo) -> str:
    reusable = f", of which {_bytes(found.reusable)} free for new rows" if found.reusable else ""
    span = "none yet"
    if found.oldest_sample is not None:
        span = f"{output.time(found.oldest_sample)} to {output.time(found.newest_sample)}"
    return "\n".join(
        [
            f"Store:    {found.location} ({found.kind}, schema {found.schema})",
            f"Size:     {_bytes(found.size)}{reusable}",
            f"Samples:  {span}",
        ]
    )


def _rows(found: StoreInfo) -> output.Table:
    table = output.Table(("table", "rows"), right=frozenset({"rows"}))
    for name, rows in sorted(found.rows.items()):
        table.add(name, f"{rows:,}")
    return table


# -- check ----------------------------------------------------------------------------------


@command.command(epilog="\b\nExamples:\n  credit-monitor store check")
@format_option("text", "json")
def check(*, output_format: str) -> None:
    """Read all of the store and tell whether it is sound.

    The daemon may go on meanwhile; its own check, at a start, takes a quarter of a second at
    most. Exits with 1 if damage is found.
    """
    from monitor.store.care import store_file  # noqa: PLC0415 - as above

    with _told():
        file = store_file(_url())
        problems = file.problems()
    if output_format == "json":
        output.print_json({"store": str(file.path), "sound": not problems, "problems": problems})
    elif not problems:
        click.echo(f"{file.path} is sound.")
    if problems:
        raise CommandError(
            f"{file.path} is corrupt:",
            *(f"  {line}" for line in problems),
            "Stop the daemon and restore a backup: credit-monitor store restore FILE",
        )


# -- backup, restore ------------------------------------------------------------------------


@command.command(
    epilog="\b\nExamples:\n  credit-monitor store backup /var/backups/credit-monitor.db --force"
)
@click.argument("file", type=click.Path(path_type=Path), metavar="FILE")
@click.option("--force", is_flag=True, help="Overwrite FILE if it exists.")
def backup(*, file: Path, force: bool) -> None:
    """Copy the store to FILE while the daemon goes on.

    FILE is written whole and checked, or not at all, readable by its owner only.
    """
    from monitor.store.care import store_file  # noqa: PLC0415 - as above

    with _told(), _progress("Copying") as progress:
        store_file(_url()).copy_to(file.absolute(), progress, overwrite=force)
    click.echo(f"{file}: {_bytes(file.stat().st_size)} written and checked.")


@command.command(
    epilog="\b\nExamples:\n"
    "  systemctl stop credit-monitor\n"
    "  credit-monitor store restore /var/backups/credit-monitor.db"
)
@click.argument("file", type=click.Path(path_type=Path), metavar="FILE")
def restore(*, file: Path) -> None:
    """Put the copy in FILE in the place of the store.

    The daemon has to be stopped. What was there is kept beside it under another name. Messages
    that the copy holds as not yet delivered are sent at the next start, also if they were
    delivered since.
    """
    from monitor.store.care import store_file  # noqa: PLC0415 - as above

    with _told(), _progress("Copying") as progress:
        store = store_file(_url())
        aside = store.replace_with(file.absolute(), progress)
    click.echo(f"{store.path} is restored from {file}.")
    if aside is not None:
        click.echo(f"What was there is now {aside}.")


# -- prune ----------------------------------------------------------------------------------


@command.command(
    epilog="\b\nExamples:\n  credit-monitor store prune\n  credit-monitor store prune --shrink"
)
@click.option(
    "--shrink", is_flag=True, help="Give free pages back to the disk; needs the daemon stopped."
)
def prune(*, shrink: bool) -> None:
    """Drop now what retention no longer keeps.

    The daemon does that by itself, bit by bit.
    """
    from monitor.store.care import prune as prune_store  # noqa: PLC0415 - as above
    from monitor.store.care import store_file  # noqa: PLC0415 - as above

    settings = settings_to_read()
    with _told():
        went = prune_store(_url(), datetime.now(UTC), settings.retention.kept)
        click.echo(
            f"Dropped {wording.count(went.samples, 'sample')} and"
            f" {wording.count(went.records, 'record')} that were kept long enough."
        )
        if shrink:
            freed = store_file(_url()).shrink()
            click.echo(
                f"The file is {_bytes(freed)} smaller." if freed > 0 else "No page was free."
            )


# -- shared ---------------------------------------------------------------------------------


def _url() -> str:
    return settings_to_read().store.get_secret_value()


@contextmanager
def _told() -> Iterator[None]:
    """End the command with what the store says."""
    try:
        yield
    except StoreError as error:
        raise CommandError(str(error), code=Exit.STORE) from None


@contextmanager
def _progress(what: str) -> Iterator[Callable[[int, int], None]]:
    """A bar on a terminal; nothing in a pipe."""
    if not sys.stderr.isatty():
        yield lambda _done, _total: None
        return
    from rich.console import Console  # noqa: PLC0415 - imported only for a terminal
    from rich.progress import Progress  # noqa: PLC0415 - as above

    with Progress(console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(what, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)


def _bytes(number: int) -> str:
    """A size for a person: ``412.0 KiB``, ``7.9 MiB``."""
    size, units = float(number), ["bytes", "KiB", "MiB", "GiB", "TiB"]
    while size >= KIBI and len(units) > 1:
        size, units = size / KIBI, units[1:]
    return f"{size:.0f} {units[0]}" if units[0] == "bytes" else f"{size:.1f} {units[0]}"
