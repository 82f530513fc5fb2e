"""The store's URL: which database, where, and how it is called in messages."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import URL, make_url
from sqlalchemy.exc import ArgumentError

from monitor.store.base import StoreError
from monitor.store.layout import Layout
from monitor.store.sqlite import SqliteBackend

if TYPE_CHECKING:
    from monitor.store.sql import Backend

_FORMS = "write sqlite:///absolute/path.db or postgresql://user:password@host/database"


@dataclass(frozen=True, slots=True)
class Address:
    """A checked URL; ``label`` is free of user and password."""

    label: str
    path: Path | None = None
    server: URL | None = None

    @classmethod
    def parse(cls, url: str) -> Address:
        """Raises :class:`StoreError` for a URL that names no store."""
        scheme, _, rest = url.partition(":")
        if scheme == "sqlite":
            path = _path(rest)
            return cls(label=str(path), path=path)
        if scheme in {"postgresql", "postgres", "postgresql+psycopg"}:
            server = _server(rest)
            where = f"{server.host or 'localhost'}:{server.port or 5432}"
            return cls(label=f"postgresql://{where}/{server.database}", server=server)
        raise StoreError(f"the store's URL has no scheme that is known: {_FORMS}")

    def backend(self, layout: Layout, *, readonly: bool, lock: bool) -> Backend:
        """The database behind the address."""
        if self.path is not None:
            return SqliteBackend(self.path, layout, readonly=readonly, lock=lock)
        if self.server is None:
            raise ValueError("an address is a path or a server")
        from monitor.store.postgresql import PostgresqlBackend  # noqa: PLC0415 - few have psycopg

        return PostgresqlBackend(self.server, self.label, layout, readonly=readonly, lock=lock)


def _path(rest: str) -> Path:
    """``///absolute/path``, ``////absolute/path``, or ``///./path`` from the working directory."""
    name = rest.removeprefix("//")
    if rest == name or not name.startswith("/") or not name.strip("/"):
        raise StoreError(f"the store's URL names no file: {_FORMS}")
    if name.startswith("/./"):
        return Path(name.removeprefix("/"))
    return Path("/" + name.lstrip("/"))


def _server(rest: str) -> URL:
    """Nothing of the URL is shown: a mistyped one may carry its password anywhere."""
    try:
        server = make_url(f"postgresql+psycopg:{rest}")
    except (ArgumentError, ValueError):
        server = None
    if server is None or not server.database or "@" in f"{server.host}{server.database}":
        raise StoreError(
            f"the store's URL is not understood: {_FORMS}, with special characters in user and"
            " password percent-encoded"
        )
    return server
