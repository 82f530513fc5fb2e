"""A file that is partly here, and beside it what its host told of it when it began.

The bytes are of use only together with that note, so a new beginning empties the file before it
writes the note: whatever moment a process dies at, the two never contradict each other.
"""

from __future__ import annotations

import contextlib
import json
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

from monitor.downloads.answers import Known

_NEW_FILE = os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
_NOTE_LIMIT = 65536


class Partial:
    """The partial file ``stem.part`` and its note ``stem.json`` in a directory of our own.

    All methods raise ``OSError`` where the disk fails.
    """

    def __init__(self, directory: Path, stem: str) -> None:
        self.path = directory / f"{stem}.part"
        self._note = directory / f"{stem}.json"
        self.known = _read_note(self._note) or Known()
        self.size = self._usable_size()

    def begin(self, known: Known) -> None:
        """Start over with an empty file of which the host tells *known*."""
        os.close(os.open(self.path, _NEW_FILE | os.O_TRUNC, 0o666))
        self.size = 0
        self.note(known)

    def note(self, known: Known) -> None:
        """Keep what the host tells, whole or not at all."""
        self.known = known
        fresh = self._note.with_suffix(".new")
        with contextlib.suppress(FileNotFoundError):
            fresh.unlink()
        descriptor = os.open(fresh, _NEW_FILE | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            json.dump(asdict(known), file)
        fresh.replace(self._note)

    @contextmanager
    def appending(self) -> Iterator[Partial]:
        """Open the file for :meth:`write`, closed again whatever happens."""
        self._descriptor = os.open(self.path, _NEW_FILE | os.O_APPEND, 0o666)
        try:
            yield self
        finally:
            os.close(self._descriptor)

    def write(self, chunk: bytes) -> None:
        """Append *chunk*; a disk that takes only some of it keeps that much."""
        view = memoryview(chunk)
        while view:
            count = os.write(self._descriptor, view)
            self.size += count
            view = view[count:]

    def discard(self) -> None:
        """Forget file and note."""
        for path in (self.path, self._note):
            path.unlink(missing_ok=True)
        self.known, self.size = Known(), 0

    def _usable_size(self) -> int:
        """Bytes to go on from; what cannot be trusted is thrown away.

        A second link means that a killed run had published the file: emptying it here would empty
        it there.
        """
        try:
            found = self.path.lstat()
        except FileNotFoundError:
            return 0
        if not stat.S_ISREG(found.st_mode) or found.st_nlink > 1:
            self.discard()
            return 0
        return found.st_size


def _read_note(path: Path) -> Known | None:
    try:
        with path.open("rb") as file:
            return _known(json.loads(file.read(_NOTE_LIMIT)))
    except (OSError, ValueError):
        return None


def _known(note: Any) -> Known:
    """The note as a value; raises ``ValueError`` for anything that we did not write."""
    match note:
        case {
            "size": int() | None as size,
            "etag": str(etag),
            "modified": str(modified),
            "content_type": str(content_type),
            "checksums": dict(checksums),
        }:
            return Known(
                size=size,
                etag=etag,
                modified=modified,
                content_type=content_type,
                checksums={str(name): str(value) for name, value in checksums.items()},
            )
    raise ValueError("not a note of a partial file")
