"""Which files are saved already: one line of JSON for each, only ever appended to.

A run that is killed leaves at most one torn line, at the end; lines that cannot be read are
skipped and counted, and cost a download, never a file.
"""

from __future__ import annotations

import json
import os
import threading
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path

_FLAGS = os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW | os.O_CLOEXEC


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One saved file: ``id`` stands for its whole URL, ``url`` is without the query."""

    id: str
    url: str
    name: str
    size: int
    sha256: str


class Manifest:
    """The entries of one directory; the last one of an id counts.

    Opening and :meth:`add` raise ``OSError``; :meth:`add` may be called from several threads.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._entries: dict[str, Entry] = {}
        self.unreadable = 0
        self._ends_torn = False
        self._read()

    def get(self, identity: str) -> Entry | None:
        """The entry of the file with this id, if it was saved."""
        return self._entries.get(identity)

    def add(self, entry: Entry, at: datetime) -> None:
        """Write *entry* down for good before returning."""
        line = json.dumps({**asdict(entry), "saved_at": at.isoformat()}) + "\n"
        with self._lock:
            descriptor = os.open(self._path, _FLAGS, 0o600)
            try:
                os.write(descriptor, ("\n" * self._ends_torn + line).encode())
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
            self._ends_torn = False
            self._entries[entry.id] = entry

    def _read(self) -> None:
        descriptor = os.open(self._path, _FLAGS, 0o600)
        with os.fdopen(descriptor, "rb") as file:
            content = file.read()
        self._ends_torn = bool(content) and not content.endswith(b"\n")
        for line in content.splitlines():
            entry = _entry(line)
            if entry is not None:
                self._entries[entry.id] = entry
            elif line.strip():
                self.unreadable += 1


def _entry(line: bytes) -> Entry | None:
    try:
        members = json.loads(line)
    except ValueError:
        return None
    match members:
        case {
            "id": str(identity),
            "url": str(url),
            "name": str(name),
            "size": int(size),
            "sha256": str(sha256),
        }:
            return Entry(id=identity, url=url, name=name, size=size, sha256=sha256)
    return None
