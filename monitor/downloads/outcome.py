"""What becomes of each file, as values: for the summary, the JSON and the exit code."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol
from urllib.parse import urlsplit


class State(StrEnum):
    """How a file ended."""

    SAVED = "saved"
    SKIPPED = "skipped"  # it is there already, from an earlier run
    FAILED = "failed"
    STOPPED = "stopped"  # not its fault: interrupted, or nothing can be saved any more


class Trouble(StrEnum):
    """Why a file failed, beside the reasons that a provider's answer can have."""

    BAD_CHECKSUM = "bad_checksum"
    DISK = "disk"
    INTERRUPTED = "interrupted"


@dataclass(frozen=True, slots=True, kw_only=True)
class FileOutcome:
    """One file: ``name`` within the directory, ``size`` and ``partial`` in bytes.

    ``url`` is without its query, which may hold a token.  ``verified`` names what proved the file
    whole: ``sha-256``, ``md5``, ``size`` or, where the host gives nothing, an empty text.
    ``partial`` is how much is kept to go on from.
    """

    url: str
    state: State
    name: str = ""
    size: int | None = None
    sha256: str = ""
    verified: str = ""
    reason: str = ""
    detail: str = ""
    partial: int = 0


class FileError(Exception):
    """A file that cannot be had; ``detail`` is for a person and free of links and secrets."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(f"{reason}: {detail}")
        self.reason = reason
        self.detail = detail


class StopError(FileError):
    """What stops all files: a full disk, a refused key."""


class Listener(Protocol):
    """Who shows how it goes: a progress bar, or nobody."""

    def started(self, url: str, name: str, offset: int, size: int | None) -> None:
        """The file comes in, from *offset* on; may be told again after a cut."""
        ...

    def advanced(self, url: str, count: int) -> None:
        """*count* more bytes are written."""
        ...

    def waiting(self, url: str, detail: str) -> None:
        """The file waits for its next attempt because of *detail*."""
        ...

    def finished(self, url: str, outcome: FileOutcome) -> None:
        """The file is done with, well or not."""
        ...


class Quiet:
    """A listener that shows nothing."""

    def started(self, url: str, name: str, offset: int, size: int | None) -> None:
        """Nothing to show."""

    def advanced(self, url: str, count: int) -> None:
        """Nothing to show."""

    def waiting(self, url: str, detail: str) -> None:
        """Nothing to show."""

    def finished(self, url: str, outcome: FileOutcome) -> None:
        """Nothing to show."""


def shown(url: str) -> str:
    """*url* as it may be shown and stored: without its query, which may hold a token."""
    parts = urlsplit(url)
    return parts._replace(query="…" if parts.query else "", fragment="").geturl()
