"""Which tables a database holds: none yet, ours as of some migration, or somebody else's."""

from __future__ import annotations

import logging
from pathlib import Path

from sqlalchemy import Connection, insert, inspect, select

from monitor.store import schema
from monitor.store.base import StoreError, StoreUnusableError

MIGRATIONS = Path(__file__).parent / "migrations"
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


def require_known(found: str, label: str, migrations: Path = MIGRATIONS) -> None:
    """Raise :class:`StoreUnusableError` if this version does not know migration *found*."""
    if found in {EMPTY, schema.HEAD}:
        return
    from monitor.store.upgrade import knows  # noqa: PLC0415 - Alembic is needed by old stores only

    if not knows(found, migrations):
        raise StoreUnusableError(
            f"store {label}: it was written by a newer version of credit-monitor (schema {found}):"
            " install that version or use another store"
        )


def require_current(found: str, label: str) -> None:
    """Raise unless the tables can be read as they are, by one who must not change them."""
    require_known(found, label)
    if found == EMPTY:
        raise no_data_yet(label)
    if found != schema.HEAD:
        raise StoreError(
            f"store {label}: it was written by an older version (schema {found}): start the daemon"
            " once to upgrade it"
        )


def no_data_yet(label: str) -> StoreError:
    """What a reader is told where no store exists."""
    return StoreError(f"store {label}: no data yet: start the daemon (credit-monitor run) first")


def ensure(connection: Connection, label: str, migrations: Path = MIGRATIONS) -> None:
    """Create or upgrade the tables within the transaction of *connection*.

    New ones are created as :mod:`.schema` has them, without the time and memory Alembic takes.
    """
    found = revision(connection, label)
    require_known(found, label, migrations)
    if found == EMPTY:
        schema.metadata.create_all(connection)
        schema.bookkeeping.create_all(connection)
        connection.execute(insert(schema.version).values(version_num=schema.HEAD))
    elif found != schema.HEAD:
        from monitor.store.upgrade import upgrade  # noqa: PLC0415 - see require_known

        upgrade(connection, migrations)
        log.info("store %s: upgraded from schema %s to %s", label, found, schema.HEAD)
