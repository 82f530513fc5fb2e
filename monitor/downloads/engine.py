"""All files of one run: what is there is skipped, the rest comes in parallel, each ends somehow."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from monitor.downloads.checksums import Content, proof
from monitor.downloads.folder import Folder
from monitor.downloads.names import plan_names, with_suffix
from monitor.downloads.outcome import (
    FileError,
    FileOutcome,
    State,
    StopError,
    Trouble,
    shown,
)
from monitor.downloads.partial import Partial
from monitor.downloads.transfer import Transfer, disk_error


@dataclass(slots=True)
class Run:
    """Saves *urls*; ``outcomes`` fills while it runs, so that an interrupted run can be told of."""

    urls: Sequence[str]
    folder: Folder
    transfer: Transfer
    parallel: int
    outcomes: dict[str, FileOutcome] = field(default_factory=dict)
    stopped_by: StopError | None = None

    async def save_all(self) -> None:
        """Bring every file to an outcome; cancelling leaves what is not done to :meth:`result`."""
        names = plan_names(self.urls)
        waiting = [url for url in self.urls if not self._skip(url)]
        queue = iter(waiting)
        async with asyncio.TaskGroup() as group:
            for _ in range(min(self.parallel, len(waiting))):
                group.create_task(self._work(queue, names))

    def result(self) -> list[FileOutcome]:
        """The outcome of every file, in the order asked for; what was not done is stopped."""
        return [self.outcomes.get(url) or self._stopped(url) for url in self.urls]

    def _skip(self, url: str) -> bool:
        entry = self.folder.saved(url)
        if entry is None:
            return False
        self._end(
            url,
            FileOutcome(
                url=shown(url),
                state=State.SKIPPED,
                name=entry.name,
                size=entry.size,
                sha256=entry.sha256,
            ),
        )
        return True

    async def _work(self, queue: Iterator[str], names: Mapping[str, str]) -> None:
        for url in queue:
            if self.stopped_by is not None:
                return
            await self._bring(url, names[url])

    async def _bring(self, url: str, name: str) -> None:
        """One file to its outcome."""
        partial = None
        try:
            partial = self.folder.partial(url)
            content = await self.transfer.complete(url, name, partial)
            outcome = await asyncio.to_thread(self._publish, url, name, partial, content)
        except OSError as error:
            outcome = self._failed(url, disk_error(error), partial)
        except FileError as error:
            outcome = self._failed(url, error, partial)
        self.transfer.links.drop(url)
        self._end(url, outcome)

    def _publish(self, url: str, name: str, partial: Partial, content: Content) -> FileOutcome:
        known = partial.known
        name = with_suffix(name, known.content_type)
        entry = self.folder.publish(url, partial, content, name, self.transfer.clock.now())
        return FileOutcome(
            url=entry.url,
            state=State.SAVED,
            name=entry.name,
            size=entry.size,
            sha256=entry.sha256,
            verified=proof(content, known.checksums, known.etag, known.size),
        )

    def _failed(self, url: str, error: FileError, partial: Partial | None) -> FileOutcome:
        if isinstance(error, StopError):
            self.stopped_by = error
        return FileOutcome(
            url=shown(url),
            state=State.FAILED,
            reason=error.reason,
            detail=error.detail,
            partial=partial.size if partial else 0,
        )

    def _stopped(self, url: str) -> FileOutcome:
        """The outcome of a file that was not brought to one."""
        cause = self.stopped_by or FileError(Trouble.INTERRUPTED, "interrupted")
        try:
            kept = self.folder.partial(url).size
        except OSError:
            kept = 0
        return FileOutcome(
            url=shown(url),
            state=State.STOPPED,
            reason=cause.reason,
            detail=cause.detail,
            partial=kept,
        )

    def _end(self, url: str, outcome: FileOutcome) -> None:
        self.outcomes[url] = outcome
        self.transfer.listener.finished(url, outcome)
