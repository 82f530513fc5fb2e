"""A store's file as a whole: checked, copied while the daemon runs, replaced, set aside, shrunk.

Copies are made by SQLite's backup interface (https://www.sqlite.org/backup.html), which sees one
state of the store whoever writes to it meanwhile; copying the file alone would miss the log.
"""

from __future__ import annotations

import os
import sqlite3
import tempfile
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path

from monitor.store.base import StoreError
from monitor.store.errors import translated
from monitor.store.layout import EMPTY, Layout, no_data_yet
from monitor.store.sqlite import SqliteBackend

Progress = Callable[[int, int], None]
"""Called with how much is done and how much there is to do."""

PAGES_PER_STEP = 2_048
"""8 MiB are copied at a time: between two steps others may write, and Ctrl-C is heard."""

MAX_PROBLEMS = 20
"""Lines of damage that a check reports: the first ones say what there is to know."""

SIDE_FILES = ("-wal", "-shm", "-journal")


class SqliteFile:
    """The store in the file at *path*, opened anew by each method.

    Every method raises :class:`StoreError` and no foreign exception.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def problems(self) -> list[str]:
        """What SQLite finds wrong in the whole file; nothing if it is sound."""
        with translated(str(self.path)):
            return _problems(_present(self.path))

    def copy_to(self, target: Path, progress: Progress, *, overwrite: bool = False) -> None:
        """Write a copy to *target*, whole and checked or not at all; a daemon may run meanwhile.

        Raises :class:`StoreError` if *target* is the store itself, or exists, unless *overwrite*.
        """
        with translated(str(self.path)):
            source = _present(self.path)
        with translated(str(target)):
            self._require_free(target, overwrite=overwrite)
            with _written_anew(target) as unfinished:
                _copy(source, unfinished, progress)

    def replace_with(self, source: Path, progress: Progress) -> Path | None:
        """Put a copy of the store in *source* in the place of this one.

        Returns the new name of what was here, if anything was.  Raises :class:`StoreError`, and
        changes nothing, if *source* is not a sound store that this version can use, or a daemon
        uses this one.
        """
        with translated(str(source)):
            backup = _present(source)
            if self.path.exists() and source.samefile(self.path):
                raise StoreError(f"store {self.path}: it cannot be restored from itself")
            backup.inspect()
        aside = None
        with (
            self._claimed(),
            translated(str(self.path)),
            _written_anew(self.path) as unfinished,
        ):
            _copy(backup, unfinished, progress)
            if self.path.exists():
                aside = self.set_aside("replaced")
        return aside

    def set_aside(self, why: str) -> Path:
        """Rename the file, and what belongs to it, to a name with *why* and the time in it.

        Nobody may use the store meanwhile: the caller has its claim or knows of nobody else.
        """
        stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%S.%fZ")
        aside = self.path.with_name(f"{self.path.name}.{why}-{stamp}")
        with translated(str(self.path)):
            self.path.rename(aside)
            for suffix in SIDE_FILES:
                beside = self.path.with_name(self.path.name + suffix)
                if beside.exists():
                    beside.rename(aside.with_name(aside.name + suffix))
            _sync(aside.parent)
        return aside

    def shrink(self) -> int:
        """Give free pages back to the file system; returns by how many bytes the file shrank.

        Raises :class:`StoreError` while a daemon uses the store: it could not write meanwhile.
        """
        with self._claimed(), translated(str(self.path)):
            before = self.path.stat().st_size
            with closing(_present(self.path).connect("rw")) as connection:
                connection.execute("VACUUM")
                connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            return before - self.path.stat().st_size

    @contextmanager
    def _claimed(self) -> Iterator[None]:
        """The claim of the one daemon, so that none runs meanwhile."""
        backend = SqliteBackend(self.path, Layout(), readonly=False, lock=True)
        with translated(str(self.path)):
            self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            backend.claim()
        try:
            yield
        finally:
            backend.release()

    def _require_free(self, target: Path, *, overwrite: bool) -> None:
        if target.is_dir():
            raise StoreError(f"{target} is a directory: name a file in it")
        if not target.exists():
            return
        if target.samefile(self.path):
            raise StoreError(f"{target} is the store itself: name another file")
        if not overwrite:
            raise StoreError(f"{target} exists already: name another file, or say --force")


def _present(path: Path) -> SqliteBackend:
    """The store in *path*, which is ours and not empty; not yet known to be sound."""
    backend = SqliteBackend(path, Layout(), readonly=True, lock=False)
    if not path.exists() or not backend.header():
        raise no_data_yet(str(path))
    return backend


def _problems(store: SqliteBackend) -> list[str]:
    with closing(store.connect_to_read()) as connection:
        try:
            rows = connection.execute(f"PRAGMA integrity_check({MAX_PROBLEMS})").fetchall()
        except sqlite3.DatabaseError as error:
            if error.sqlite_errorname not in {"SQLITE_CORRUPT", "SQLITE_NOTADB"}:
                raise
            return [str(error)]  # too damaged for SQLite to go through it
    found = [line.strip() for (text,) in rows for line in str(text).splitlines()]
    return [] if found == ["ok"] else found


def _copy(source: SqliteBackend, target: Path, progress: Progress) -> None:
    """Copy the store to the empty file *target*; raises :class:`StoreError` if it is damaged."""
    with closing(source.connect_to_read()) as original, closing(sqlite3.connect(target)) as copy:
        # One transaction for all steps: else each write of the daemon would start the copy anew.
        original.execute("BEGIN")
        original.execute("SELECT 1 FROM sqlite_schema LIMIT 1").fetchall()
        original.backup(
            copy,
            pages=PAGES_PER_STEP,
            progress=lambda _status, left, total: progress(total - left, total),
        )
        copy.execute("PRAGMA journal_mode = DELETE")  # the copy is one file, without a log
    made = SqliteBackend(target, Layout(), readonly=True, lock=False)
    made.label = source.label
    if made.inspect() == EMPTY:
        raise no_data_yet(source.label)
    if found := _problems(made):
        raise StoreError(f"store {source.label}: it is corrupt, no copy is made ({found[-1]})")


@contextmanager
def _written_anew(target: Path) -> Iterator[Path]:
    """A new file beside *target* that takes its place at the end, or is gone after an error."""
    descriptor, name = tempfile.mkstemp(prefix=f".{target.name}.", dir=target.parent)
    os.close(descriptor)
    unfinished = Path(name)
    try:
        yield unfinished
        _sync(unfinished)
        unfinished.replace(target)
        _sync(target.parent)
    finally:
        unfinished.unlink(missing_ok=True)


def _sync(path: Path) -> None:
    """Wait until the disk has it: a name in a directory needs that as much as a file."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
