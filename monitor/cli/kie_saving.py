"""``kie link --save``: one run of downloads, and what is told of it at its end."""

from __future__ import annotations

import asyncio
import signal
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random

import click
from rich.filesize import decimal

from monitor.cli import output
from monitor.cli.exits import CommandError, Exit
from monitor.cli.kie_progress import shown_progress
from monitor.clock import Clock
from monitor.core import wording
from monitor.downloads.engine import Run
from monitor.downloads.folder import Folder, FolderError
from monitor.downloads.links import Links
from monitor.downloads.outcome import FileOutcome, Listener, State, Trouble
from monitor.downloads.transfer import Rules, Transfer, is_local_url
from monitor.providers import KieKey
from monitor.providers.http import HttpClient
from monitor.providers.kie_links import LINK_LIFETIME, KieLinks


@dataclass(frozen=True, slots=True)
class Options:
    """How to ask and download: requests at a time, links per second, further attempts."""

    parallel: int
    rate: float
    retries: int
    output_format: str


def make_links(key: KieKey, http: HttpClient, options: Options, listener: Listener) -> Links:
    """Links made with *key*, within the limits of *options*."""
    return Links(
        KieLinks.of(key, http),
        lifetime=LINK_LIFETIME,
        rate=options.rate,
        retries=options.retries,
        clock=Clock(),
        random=Random(),  # noqa: S311 - jitter of waits
        listener=listener,
    )


def save(
    urls: Sequence[str], key: KieKey, http: HttpClient, directory: Path, options: Options
) -> Exit:
    """Download *urls* to *directory*, tell how it went, and return the exit code."""
    try:
        with Folder(directory) as folder:
            _warn_of_losses(folder)
            run, interrupted = _run(urls, key, http, folder, options)
            outcomes = run.result()
    except FolderError as error:
        raise CommandError(f"{error}.", code=Exit.STORE) from None
    _PRINTERS[options.output_format](directory, outcomes)
    if interrupted:
        click.echo("Interrupted. The same command goes on from here.", err=True)
    return _exit_code(outcomes, interrupted=interrupted)


def _run(
    urls: Sequence[str], key: KieKey, http: HttpClient, folder: Folder, options: Options
) -> tuple[Run, bool]:
    """The run at its end, and whether Ctrl-C or SIGTERM brought it about."""
    with shown_progress(len(urls)) as listener:
        transfer = Transfer(
            http=http,
            links=make_links(key, http, options, listener),
            folder=folder,
            rules=Rules(options.retries, key.allow_plain_http, local=is_local_url(key.url)),
            clock=Clock(),
            random=Random(),  # noqa: S311 - jitter of waits
            listener=listener,
        )
        run = Run(urls, folder, transfer, options.parallel)
        try:
            asyncio.run(_saved(run, http))
        except (KeyboardInterrupt, asyncio.CancelledError):
            return run, True
    return run, False


async def _saved(run: Run, http: HttpClient) -> None:
    """The whole run; SIGTERM ends it as Ctrl-C does."""
    task = asyncio.current_task()
    if task is not None:
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    try:
        await run.save_all()
    finally:
        await http.aclose()


def _warn_of_losses(folder: Folder) -> None:
    if lost := folder.manifest.unreadable:
        lines = wording.count(lost, "line")
        click.echo(
            f"{lines} of the manifest in {folder.path} cannot be read; the files they told of are "
            "downloaded again.",
            err=True,
        )


def _exit_code(outcomes: Sequence[FileOutcome], *, interrupted: bool) -> Exit:
    if interrupted:
        return Exit.INTERRUPTED
    if any(outcome.reason == Trouble.DISK for outcome in outcomes):
        return Exit.STORE
    return Exit.FAILED if any(outcome.reason for outcome in outcomes) else Exit.OK


def _print_text(directory: Path, outcomes: Sequence[FileOutcome]) -> None:
    """What was saved, then the failures on standard error, then all in one line."""
    table = output.Table(("file", "size", "verified by"), right=frozenset({"size"}))
    for each in outcomes:
        if each.state is State.SAVED:
            table.add(each.name, decimal(each.size or 0), each.verified or output.NOTHING)
    if table.rows:
        output.print_blocks(table)
    for each in outcomes:
        if each.state is State.FAILED:
            click.echo(
                f"{each.url}: {output.printable(each.detail)}{_kept(each.partial)}", err=True
            )
    click.echo(_summary(directory, outcomes))


def _kept(size: int) -> str:
    return f" ({decimal(size)} kept)" if size else ""


def _summary(directory: Path, outcomes: Sequence[FileOutcome]) -> str:
    states = Counter(outcome.state for outcome in outcomes)
    saved = sum(o.size or 0 for o in outcomes if o.state is State.SAVED)
    begun = sum(o.partial for o in outcomes if o.state is State.STOPPED)
    parts = (
        (State.SAVED, f"saved ({decimal(saved)})"),
        (State.SKIPPED, "there already"),
        (State.FAILED, "failed"),
        (State.STOPPED, f"not done{_kept(begun)}"),
    )
    told = ", ".join(f"{states[state]} {words}" for state, words in parts if states[state])
    return f"{wording.count(len(outcomes), 'file')}: {told}; in {directory}"


def _print_json(directory: Path, outcomes: Sequence[FileOutcome]) -> None:
    states = Counter(outcome.state for outcome in outcomes)
    document = {
        "directory": str(directory.absolute()),
        "summary": {str(state): states[state] for state in State},
        "files": outcomes,
    }
    output.print_json(document)


_PRINTERS = {"text": _print_text, "json": _print_json}
