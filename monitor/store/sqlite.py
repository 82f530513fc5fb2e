"""SQLite: one file, one writing connection, readers beside it (WAL).

Nothing is opened for writing before the file is known to be ours, sound and not too new.
"""

from __future__ import annotations

import fcntl
import os
import sqlite3
import time
from collections.abc import Callable
from pathlib import Path
from typing import cast
from urllib.parse import quote

from sqlalchemy import Connection, Engine, NullPool, QueuePool, create_engine, event, inspect
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import OperationalError

from monitor.store import schema
from monitor.store.base import StoreCorruptError, StoreUnusableError
from monitor.store.errors import CORRUPT_ADVICE
from monitor.store.layout import EMPTY, Layout, no_data_yet, revision

BUSY_SECONDS = 5.0
"""How long a statement waits for another process, for example a reader's checkpoint."""

CHECK_SECONDS = 0.25
"""How long a start looks for corruption; small tables come first, see docs/storage.md."""

WAL_LIMIT = 64 * 1024 * 1024
"""The log is cut back to this size (bytes) after a checkpoint."""

_MAGIC = b"SQLite format 3\0"
_HEADER_BYTES = 100
_STEPS_PER_LOOK_AT_THE_CLOCK = 10_000


class SqliteBackend:
    """A store in one file."""

    dialect = "sqlite"

    def __init__(self, path: Path, layout: Layout, *, readonly: bool, lock: bool) -> None:
        self.label = str(path)
        self._path = path
        self._layout = layout
        self._readonly = readonly
        self._lock = lock
        self._claim: int | None = None

    def prepare(self) -> None:
        """Refuse what is not ours; else create or upgrade it, unless opened to read only."""
        if self._readonly:
            self._inspect_to_read()
            return
        self._make_room()
        if self._lock:
            self.claim()
        try:
            self._inspect_to_write()
        except BaseException:
            self.release()
            raise

    def writer(self) -> Engine:
        """An engine with one connection; its transactions begin with the write lock."""
        engine = _engine(lambda: self.connect("rw"), "BEGIN IMMEDIATE", pooled=1)
        event.listen(engine, "connect", _prepare_writer)
        return engine

    def reader(self) -> Engine:
        """An engine whose connections cannot write.

        A store opened to read only connects anew each time: the daemon may come and go.
        """
        if self._readonly:
            return _engine(self.connect_to_read, "BEGIN", pooled=0)
        return _engine(lambda: self.connect("ro"), "BEGIN", pooled=4)

    def claim(self) -> None:
        """Become the one daemon of this file, until :meth:`release`; raises if another one is."""
        self._claim = self._take_lock()

    def release(self) -> None:
        """Give up the claim of :meth:`prepare` or :meth:`claim`; may be called twice."""
        if self._claim is not None:
            os.close(self._claim)
            self._claim = None

    def connect(self, mode: str) -> sqlite3.Connection:
        """A plain connection; *mode* is that of https://www.sqlite.org/uri.html, such as ``ro``."""
        return sqlite3.connect(
            f"file:{quote(str(self._path))}?mode={mode}",
            uri=True,
            timeout=BUSY_SECONDS,
            isolation_level=None,  # no implicit BEGIN: SQLAlchemy's begin event says it
            check_same_thread=False,  # the pool gives a connection to one thread at a time
        )

    def connect_to_read(self) -> sqlite3.Connection:
        """Read beside a daemon; where the directory forbids that and no daemon runs, without."""
        connection = self.connect("ro")
        try:
            connection.execute("SELECT 1 FROM sqlite_schema LIMIT 1")
        except sqlite3.Error as error:
            connection.close()
            if not isinstance(error, sqlite3.OperationalError) or self._beside("-wal").exists():
                raise
            connection = self.connect("ro&immutable=1")
        return connection

    def _beside(self, suffix: str) -> Path:
        return self._path.with_name(self._path.name + suffix)

    def _make_room(self) -> None:
        """The directory and an empty file that only this user may use."""
        self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        os.close(os.open(self._path, os.O_RDONLY | os.O_CREAT | os.O_CLOEXEC, 0o600))

    def _take_lock(self) -> int:
        """Hold the lock file; the system lets go of it when the process ends, however it does."""
        path = self._beside(".lock")
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            owner = os.read(descriptor, 20).decode("ascii", "replace").strip()
            os.close(descriptor)
            raise StoreUnusableError(
                f"store {self.label}: another credit-monitor daemon uses it"
                f" (process {owner or 'unknown'}): stop that one, or give this one another store"
            ) from None
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
        return descriptor

    def _inspect_to_read(self) -> None:
        if not self._path.exists() or not self.header():
            raise no_data_yet(self.label)
        engine = self.reader()
        with engine.connect() as connection:
            self._layout.require_current(revision(connection, self.label), self.label)

    def _inspect_to_write(self) -> None:
        found = self.inspect()
        if found == self._layout.head:
            return
        claim = None if self._lock else self._take_lock()
        try:
            self._lay_out()
        finally:
            if claim is not None:
                os.close(claim)

    def header(self) -> bytes:
        """The first bytes of the file, none when it is empty; raises if they are not ours.

        Layout: https://www.sqlite.org/fileformat2.html#the_database_header
        """
        with self._path.open("rb") as file:
            header = file.read(_HEADER_BYTES)
        if not header:
            return header
        if not header.startswith(_MAGIC) or len(header) < _HEADER_BYTES:
            raise StoreUnusableError(
                f"store {self.label}: the file is not an SQLite database:"
                " correct the path or move the file away"
            )
        if int.from_bytes(header[68:72], "big") != schema.APPLICATION_ID:
            raise StoreUnusableError(
                f"store {self.label}: the file is another program's database: correct the path"
            )
        return header

    def inspect(self) -> str:
        """The revision of a sound file of ours, :data:`EMPTY` for an empty one; else raises.

        Leaves no trace: no log, no index of it.
        """
        if not self.header():
            return EMPTY
        engine = _engine(self._connect_to_inspect, "BEGIN", pooled=0)
        with engine.connect() as connection:
            found = revision(connection, self.label)
            self._layout.require_known(found, self.label)
            if found != EMPTY:
                self._look_for_corruption(connection)
        return found

    def _connect_to_inspect(self) -> sqlite3.Connection:
        if self._beside("-journal").exists():
            return self.connect("rw")  # a creation or upgrade was cut off: SQLite undoes it
        if _size(self._beside("-wal")):
            return self.connect("ro")
        return self.connect("ro&immutable=1")

    def _look_for_corruption(self, connection: Connection) -> None:
        driver = connection.connection.driver_connection
        if not isinstance(driver, sqlite3.Connection):
            raise TypeError("SQLite is reached through sqlite3")
        deadline = time.monotonic() + CHECK_SECONDS
        driver.set_progress_handler(
            lambda: time.monotonic() > deadline, _STEPS_PER_LOOK_AT_THE_CLOCK
        )
        tables = inspect(connection).get_table_names()  # an older store has fewer than `schema`
        try:
            for table in sorted(tables, key=lambda name: name == schema.samples.name):
                self._check_table(connection, table)
        except OperationalError as error:
            if getattr(error.orig, "sqlite_errorname", "") != "SQLITE_INTERRUPT":
                raise
        finally:
            driver.set_progress_handler(None, 0)

    def _check_table(self, connection: Connection, table: str) -> None:
        verdict = connection.exec_driver_sql(f"PRAGMA quick_check({table!r})").scalar()
        if verdict != "ok":
            what = str(verdict).splitlines()[-1]
            raise StoreCorruptError(
                f"store {self.label}: the file is corrupt ({what}): {CORRUPT_ADVICE}"
            )

    def _lay_out(self) -> None:
        """Create or upgrade in one transaction.

        A new file is no WAL file yet, so its header says whose it is from the first commit on.
        """
        engine = _engine(lambda: self.connect("rw"), "BEGIN IMMEDIATE", pooled=0)
        with engine.begin() as connection:
            connection.exec_driver_sql(f"PRAGMA application_id = {schema.APPLICATION_ID}")
            self._layout.ensure(connection, self.label)


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0


def _engine(connect: Callable[[], sqlite3.Connection], begin: str, *, pooled: int) -> Engine:
    """An engine that keeps up to *pooled* connections and begins transactions with *begin*."""

    def creator() -> DBAPIConnection:
        return cast("DBAPIConnection", connect())

    pool = QueuePool(creator, pool_size=pooled, max_overflow=0) if pooled else NullPool(creator)
    engine = create_engine("sqlite+pysqlite://", pool=pool)

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        connection.exec_driver_sql(begin)

    return engine


def _prepare_writer(connection: sqlite3.Connection, _record: object) -> None:
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = NORMAL")
    connection.execute(f"PRAGMA journal_size_limit = {WAL_LIMIT}")
