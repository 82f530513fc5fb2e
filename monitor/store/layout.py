"""Which tables a database holds: none yet, ours as of some migration, or somebody else's."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import Connection, insert, inspect, select

from monitor.store import schema
from monitor.store.base import StoreError, StoreUnusableError

EMPTY = ""

log = logging.getLogger(__name__)


def revision(connection: Connection, label: str) -> str:
    """The migration the tables are at, or :data:`EMPTY`; raises if they are not ours."""
    tables = set(inspect(connection).get_table_names())
    if not tables:
        return EMPTY
    found = None
    if schema.version.name in tables:
        found = connection.scalar(select(schema.version.c.version_num))
    if found is None:
        raise StoreUnusableError(
            f"store {label}: it holds tables that are not ours: give credit-monitor a database of"
            " its own"
        )
    return str(found)


def no_data_yet(label: str) -> StoreError:
    """What a reader is told where no store exists."""
    return StoreError(f"store {label}: no data yet: start the daemon (credit-monitor run) first")


@dataclass(frozen=True, slots=True)
class Layout:
    """The tables as this version wants them, and the steps that lead there.

    Alembic is imported only for a store that is not at ``head``: it takes a tenth of a second and
    12 MB.
    """

    head: str = schema.HEAD
    migrations: Path = Path(__file__).parent / "migrations"

    def require_known(self, found: str, label: str) -> None:
        """Raise :class:`StoreUnusableError` if this version does not know migration *found*."""
        if found in {EMPTY, self.head}:
            return
        from monitor.store.upgrade import knows  # noqa: PLC0415 - see the class

        if not knows(found, self.migrations):
            raise StoreUnusableError(
                f"store {label}: it was written by a newer version of credit-monitor (schema"
                f" {found}): install that version or use another store"
            )

    def require_current(self, found: str, label: str) -> None:
        """Raise unless the tables can be read as they are, by one who must not change them."""
        self.require_known(found, label)
        if found == EMPTY:
            raise no_data_yet(label)
        if found != self.head:
            raise StoreError(
                f"store {label}: it was written by an older version (schema {found}): start the"
                " daemon once to upgrade it"
            )

    def ensure(self, connection: Connection, label: str) -> None:
        """Create or upgrade the tables within the transaction of *connection*.

        New ones are created as :mod:`.schema` has them, which a test holds equal to what the
        migrations lead to.
        """
        found = revision(connection, label)
        self.require_known(found, label)
        if found == EMPTY:
            schema.metadata.create_all(connection)
            schema.bookkeeping.create_all(connection)
            connection.execute(insert(schema.version).values(version_num=schema.HEAD))
        elif found != self.head:
            from monitor.store.upgrade import upgrade  # noqa: PLC0415 - see the class

            upgrade(connection, self.migrations)
            log.info("store %s: upgraded from schema %s to %s", label, found, self.head)
