"""How downloads go: bars on a terminal, nothing in a pipe."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.markup import escape
from rich.progress import (
    BarColumn,
    DownloadColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)
from rich.table import Column

from monitor.core.wording import count
from monitor.downloads.outcome import FileOutcome, Listener, Quiet, State

_LONGEST_NAME = 28
"""Characters of a name beside its bar; a narrow terminal has room for less."""


@contextmanager
def shown_progress(total: int) -> Iterator[Listener]:
    """A listener for *total* files: bars on standard error where that is a terminal."""
    if not sys.stderr.isatty():
        yield Quiet()
        return
    console = Console(stderr=True)
    with _progress(console) as progress:
        yield Bars(progress, total)


def _progress(console: Console) -> Progress:
    return Progress(
        TextColumn("{task.description}", table_column=_unbroken()),
        BarColumn(bar_width=None, table_column=Column(ratio=1, min_width=4)),
        DownloadColumn(table_column=_unbroken()),
        TransferSpeedColumn(table_column=_unbroken()),
        TimeRemainingColumn(compact=True, table_column=_unbroken()),
        console=console,
        transient=True,
        expand=True,
    )


def _unbroken() -> Column:
    return Column(no_wrap=True, overflow="ellipsis")


class Bars:
    """A bar for each file under way, and one that counts files and adds up bytes."""

    def __init__(self, progress: Progress, total: int) -> None:
        self._progress = progress
        self._total = total
        self._room = max(10, min(_LONGEST_NAME, progress.console.width // 3))
        self._done = 0
        self._failed = 0
        self._tasks: dict[str, TaskID] = {}
        self._sizes: dict[str, int | None] = {}
        self._here: dict[str, int] = {}
        self._all = progress.add_task(self._title(), total=None)

    def started(self, url: str, name: str, offset: int, size: int | None) -> None:
        """The file comes in, from *offset* on; what came before a new beginning is taken back."""
        self._progress.reset(
            self._task(url),
            completed=offset,
            total=size,
            description=escape(_cut(name, self._room)),
        )
        self._progress.advance(self._all, offset - self._here.get(url, 0))
        self._here[url] = offset
        self._sizes[url] = size
        self._tell_all()

    def advanced(self, url: str, count: int) -> None:
        """*count* more bytes are written."""
        self._here[url] = self._here.get(url, 0) + count
        self._progress.advance(self._task(url), count)
        self._progress.advance(self._all, count)

    def waiting(self, url: str, detail: str) -> None:
        """The file waits for its next attempt."""
        words = f"… {detail}"
        text = words if len(words) <= self._room else f"{words[: self._room - 1]}…"
        self._progress.update(self._task(url), description=escape(text))

    def finished(self, url: str, outcome: FileOutcome) -> None:
        """The file is done with: its bar goes away."""
        self._done += 1
        self._failed += outcome.state is State.FAILED
        if (task := self._tasks.pop(url, None)) is not None:
            self._progress.remove_task(task)
        self._sizes[url] = self._here.get(url, 0)
        self._tell_all()

    def _tell_all(self) -> None:
        """The bar of all, which has an end only once the size of every file is known."""
        known = len(self._sizes) == self._total and None not in self._sizes.values()
        total = sum(size or 0 for size in self._sizes.values()) if known else None
        self._progress.update(self._all, description=self._title(), total=total)

    def _task(self, url: str) -> TaskID:
        if url not in self._tasks:
            self._tasks[url] = self._progress.add_task("…", total=None)
        return self._tasks[url]

    def _title(self) -> str:
        failed = f", {self._failed} failed" if self._failed else ""
        return f"{self._done} of {count(self._total, 'file')}{failed}"


def _cut(text: str, room: int) -> str:
    """*text* within *room* characters, its end kept: names often differ only there."""
    if len(text) <= room:
        return text
    half = room // 2
    return f"{text[: half - 1]}…{text[-half:]}"
