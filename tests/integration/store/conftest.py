"""A store on each database.  PostgreSQL is a real server, started once per test process."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from support.postgresql import PostgresqlServer, needs_postgresql

from monitor.store import open_store
from monitor.store.base import Store

OpenStore = Callable[..., Store]
"""Opens a store that the test need not close: ``open_at(url, readonly=..., lock=...)``."""


@pytest.fixture(scope="session")
def postgresql_server() -> Iterator[PostgresqlServer]:
    with tempfile.TemporaryDirectory(prefix="credit-monitor-", ignore_cleanup_errors=True) as home:
        server = PostgresqlServer(Path(home))
        server.start()
        try:
            yield server
        finally:
            server.stop()


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=needs_postgresql)])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Where no store exists yet, on either database."""
    if request.param == "sqlite":
        return f"sqlite://{tmp_path}/store.db"
    server: PostgresqlServer = request.getfixturevalue("postgresql_server")
    return server.create_database()


@pytest.fixture
def open_at() -> Iterator[OpenStore]:
    with ExitStack() as stack:

        def opened(url: str, *, readonly: bool = False, lock: bool = False) -> Store:
            store = open_store(url, readonly=readonly, lock=lock)
            stack.callback(store.close)
            return store

        yield opened


@pytest.fixture
def store(url: str, open_at: OpenStore) -> Store:
    """An empty store on either database."""
    return open_at(url, lock=True)
