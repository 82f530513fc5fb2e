"""The directory that files are saved to: its lock, its manifest, and how a file gets its name."""

from __future__ import annotations

import errno
import fcntl
import hashlib
import os
import shutil
import stat
from contextlib import ExitStack
from datetime import datetime
from itertools import count
from pathlib import Path
from typing import Self

from monitor.downloads.checksums import Content, content_of
from monitor.downloads.manifest import Entry, Manifest
from monitor.downloads.names import numbered
from monitor.downloads.outcome import shown
from monitor.downloads.partial import Partial

STATE = ".credit-monitor"
"""The directory within, for the manifest and for partial files; no file can get its name."""

_NO_LINKS = (errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK)


class FolderError(Exception):
    """A directory that cannot be used; a sentence for a person."""


class Folder:
    """The directory *path*, made where it is missing, for one run at a time.

    A context manager; entering raises :class:`FolderError`.  What is done with files raises
    ``OSError`` where the disk fails.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._state = path / STATE
        self._open = ExitStack()
        self.manifest: Manifest

    def __enter__(self) -> Self:
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            self._state.mkdir(mode=0o700, exist_ok=True)
            if not stat.S_ISDIR(self._state.lstat().st_mode):
                raise FolderError(f"{self._state} is not a directory of our own: remove it")
            self._lock()
            self.manifest = Manifest(self._state / "manifest.jsonl")
        except OSError as error:
            self._open.close()
            problem = os.strerror(error.errno or 0)
            raise FolderError(f"{self.path} cannot be used: {problem}") from None
        return self

    def __exit__(self, *_: object) -> None:
        self._open.close()

    def saved(self, url: str) -> Entry | None:
        """The entry of *url*, if its file is still there with the size it had."""
        entry = self.manifest.get(identity(url))
        if entry is None:
            return None
        try:
            found = (self.path / entry.name).lstat()
        except (OSError, ValueError):
            return None
        is_ours = stat.S_ISREG(found.st_mode) and "/" not in entry.name
        return entry if is_ours and found.st_size == entry.size else None

    def partial(self, url: str) -> Partial:
        """What an earlier run left of *url*, or an empty beginning."""
        return Partial(self._state, identity(url)[:32])

    def free_space(self) -> int:
        """Bytes that may still be written."""
        return shutil.disk_usage(self.path).free

    def publish(
        self, url: str, partial: Partial, content: Content, name: str, at: datetime
    ) -> Entry:
        """Give the complete *partial* its name in the directory, for good, and write it down.

        Nothing that is there is replaced: another file of that name leads to ``name-2``; the same
        content under that name is taken for this very file.
        """
        _sync(partial.path)
        name = self._put(partial.path, content, name)
        _sync(self.path)
        entry = Entry(
            id=identity(url), url=shown(url), name=name, size=content.size, sha256=content.sha256
        )
        self.manifest.add(entry, at)
        partial.discard()
        return entry

    def _put(self, source: Path, content: Content, name: str) -> str:
        candidates = (numbered(name, number) for number in count(1))
        return next(
            each
            for each in candidates
            if _holds(self.path / each, content) or _link(source, self.path / each)
        )

    def _lock(self) -> None:
        """One run at a time; the system lets go when the process ends, however it does."""
        flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
        descriptor = os.open(self._state / "lock", flags, 0o600)
        self._open.callback(os.close, descriptor)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            self._open.close()
            raise FolderError(f"another run is saving to {self.path}: wait for its end") from None


def identity(url: str) -> str:
    """What stands for the whole of *url*, which may hold a token in its query."""
    return hashlib.sha256(url.encode()).hexdigest()


def _link(source: Path, target: Path) -> bool:
    """Give *source* the name *target* too, at once or not at all; False where it is taken."""
    try:
        os.link(source, target, follow_symlinks=False)
    except FileExistsError:
        return False
    except OSError as error:
        if error.errno not in _NO_LINKS:
            raise
        if os.path.lexists(target):
            return False
        source.rename(target)  # a file system without links; nobody else writes here, by our lock
    return True


def _holds(target: Path, content: Content) -> bool:
    """Whether *target* is a file with this very *content*."""
    try:
        found = target.lstat()
        if not stat.S_ISREG(found.st_mode) or found.st_size != content.size:
            return False
        return content_of(target).sha256 == content.sha256
    except OSError:
        return False


def _sync(path: Path) -> None:
    """Wait until what *path* holds has reached the disk."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
