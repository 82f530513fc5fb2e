"""PostgreSQL: the claim of the one daemon is a lock of the session it writes through.

So the claim ends with that session, however it ends, and nobody writes without holding it.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import URL, Connection, Engine, create_engine, event, text
from sqlalchemy.engine.interfaces import DBAPIConnection

from monitor.store import schema
from monitor.store.base import StoreUnusableError
from monitor.store.layout import Layout, revision

CONNECT_SECONDS = 5
STATEMENT_SECONDS = 30
"""A server that hangs must not hang the writer: after this the statement counts as failed."""

_LOCK = f"pg_try_advisory_{{}}lock({schema.APPLICATION_ID}, hashtext(current_schema()))"


class PostgresqlBackend:
    """A store in the current schema of a database that has no other tables there."""

    dialect = "postgresql"

    def __init__(self, url: URL, label: str, layout: Layout, *, readonly: bool, lock: bool) -> None:
        self.label = label
        self._url = url
        self._layout = layout
        self._readonly = readonly
        self._lock = lock

    def prepare(self) -> None:
        """Refuse what is not ours; else create or upgrade it, unless opened to read only."""
        engine = self.reader() if self._readonly else self._engine(pooled=1)
        try:
            with engine.begin() as connection:
                self._require_unicode(connection)
                found = revision(connection, self.label)
                if self._readonly:
                    self._layout.require_current(found, self.label)
                elif found != self._layout.head:
                    self._claim(connection, "xact_")
                    connection.execute(text("SET LOCAL statement_timeout = 0"))
                    self._layout.ensure(connection, self.label)
        finally:
            engine.dispose()

    def writer(self) -> Engine:
        """An engine with one connection; with the claim, each new session takes it first."""
        engine = self._engine(pooled=1)
        if self._lock:
            event.listen(engine, "connect", self._claim_session)
            engine.connect().close()
        return engine

    def reader(self) -> Engine:
        """An engine whose transactions see one state throughout and cannot write."""
        return self._engine(pooled=4).execution_options(
            isolation_level="REPEATABLE READ", postgresql_readonly=True
        )

    def release(self) -> None:
        """The claim went with the writing session."""

    def _engine(self, *, pooled: int) -> Engine:
        options = {
            "connect_timeout": CONNECT_SECONDS,
            "options": f"-c statement_timeout={STATEMENT_SECONDS}s",
            "application_name": "credit-monitor",
            "client_encoding": "utf8",
            "tcp_user_timeout": STATEMENT_SECONDS * 1000,
        }
        return create_engine(
            self._url,
            pool_size=pooled,
            max_overflow=0,
            pool_pre_ping=True,
            connect_args={k: v for k, v in options.items() if k not in self._url.query},
        )

    def _require_unicode(self, connection: Connection) -> None:
        encoding = connection.scalar(text("SHOW server_encoding"))
        if encoding != "UTF8":
            raise StoreUnusableError(
                f"store {self.label}: the database's encoding is {encoding}: create one with UTF8"
            )

    def _claim(self, connection: Connection, scope: str) -> None:
        if not connection.scalar(text(f"SELECT {_LOCK.format(scope)}")):
            raise self._taken()

    def _claim_session(self, connection: DBAPIConnection, _record: Any) -> None:
        cursor = connection.cursor()
        cursor.execute(f"SELECT {_LOCK.format('')}")
        (claimed,) = cursor.fetchone() or (False,)
        cursor.close()
        connection.commit()
        if not claimed:
            connection.close()
            raise self._taken()

    def _taken(self) -> StoreUnusableError:
        return StoreUnusableError(
            f"store {self.label}: another credit-monitor daemon uses it: stop that one, or give"
            " this one another store"
        )
