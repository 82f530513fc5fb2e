"""What an operator does with a store besides running the daemon: describe, check, copy, restore.

Of PostgreSQL only the description is ours: its own tools copy and check it better.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, func, select, text

from monitor.store import schema
from monitor.store.address import Address
from monitor.store.base import Retention, StoreError
from monitor.store.errors import translated
from monitor.store.layout import Layout, revision
from monitor.store.pruning import prune_records
from monitor.store.sqlite_file import SqliteFile
from monitor.store.thinning import is_thinned, thin_samples


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreInfo:
    """What a store holds.

    ``size`` and ``reusable`` are bytes: all of it, and the part that rows have left and new ones
    will fill; ``rows`` go by table.
    """

    location: str
    kind: str
    schema: str
    size: int
    reusable: int
    rows: dict[str, int]
    oldest_sample: datetime | None
    newest_sample: datetime | None


def describe(url: str) -> StoreInfo:
    """What the store at *url* holds; raises :class:`StoreError` where there is none to read."""
    address = Address.parse(url)
    with _reading(address) as connection:
        size, reusable = _size(connection)
        oldest, newest = connection.execute(
            select(func.min(schema.samples.c.at), func.max(schema.samples.c.at))
        ).one()
        return StoreInfo(
            location=address.label,
            kind=connection.dialect.name,
            schema=revision(connection, address.label),
            size=size,
            reusable=reusable,
            rows={
                table.name: connection.scalar(select(func.count()).select_from(table)) or 0
                for table in schema.metadata.sorted_tables
            },
            oldest_sample=oldest,
            newest_sample=newest,
        )


def store_file(url: str) -> SqliteFile:
    """The file of the store at *url*; raises :class:`StoreError` for a store on a server."""
    address = Address.parse(url)
    if address.path is None:
        raise StoreError(
            f"store {address.label}: it is on a PostgreSQL server, whose own tools do this:"
            " pg_dump and pg_restore to copy it, pg_amcheck to check it, VACUUM FULL to shrink it"
        )
    return SqliteFile(address.path)


@dataclass(frozen=True, slots=True, kw_only=True)
class Pruned:
    """Rows that went: samples, and alerts, messages, outages and silences."""

    samples: int
    records: int


def prune(url: str, now: datetime, retention: Retention) -> Pruned:
    """Drop all that *retention* no longer keeps; a daemon may run meanwhile.

    Raises :class:`StoreError`; what was dropped until then is gone.
    """
    address = Address.parse(url)
    with _reading(address):
        pass  # an older store is upgraded by the daemon, not in passing
    samples = records = 0
    with translated(address.label):
        engine = address.backend(Layout(), readonly=False, lock=False).writer()
        try:
            done = False
            while not done:  # in small transactions, between which the daemon writes
                with engine.begin() as connection:
                    went = prune_records(connection, now, retention)
                    dropped = thin_samples(connection, now, retention)
                    done = not dropped and not any(went) and is_thinned(connection, now, retention)
                    samples, records = samples + dropped, records + sum(went)
        finally:
            engine.dispose()
    return Pruned(samples=samples, records=records)


@contextmanager
def _reading(address: Address) -> Iterator[Connection]:
    with translated(address.label):
        backend = address.backend(Layout(), readonly=True, lock=False)
        backend.prepare()
        engine = backend.reader()
        try:
            with engine.connect() as connection:
                yield connection
        finally:
            engine.dispose()


def _size(connection: Connection) -> tuple[int, int]:
    """Bytes in all, and of those the ones to be used again."""
    if connection.dialect.name == "sqlite":
        page, pages, free = (
            int(connection.exec_driver_sql(f"PRAGMA {name}").scalar() or 0)
            for name in ("page_size", "page_count", "freelist_count")
        )
        return page * pages, page * free
    total = text(
        "SELECT sum(pg_total_relation_size(c.oid)) FROM pg_class c"
        " WHERE c.relkind = 'r' AND c.relnamespace = current_schema()::regnamespace"
    )
    return int(connection.scalar(total) or 0), 0
