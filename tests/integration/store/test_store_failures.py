"""A store that fails says why and what to do, and works again once the cause is gone."""

from __future__ import annotations

import os
import re
import resource
import shutil
import sqlite3
import subprocess
import threading
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import create_engine
from support import recorded
from support.postgresql import PostgresqlServer, needs_postgresql

from monitor.store import open_store, sqlite
from monitor.store.base import Changes, Store, StoreError, StoreUnusableError

OpenStore = Callable[..., Store]


def _big(number: int, size: int = 100_000) -> Changes:
    return Changes(keys=[recorded.key(f"key-{number}", detail="x" * size)])


def _failure(store: Store, changes: Changes) -> str:
    try:
        store.write([changes])
    except StoreError as error:
        return str(error)
    return ""


def _write_until_it_fails(store: Store) -> int:
    """How many big writes went in before one failed for want of space."""
    written = 0
    while not (failure := _failure(store, _big(written))):
        written += 1
        assert written < 1_000
    assert re.search("disk is full: free some space|does not read or write", failure)
    return written


def _has(store: Store, count: int) -> None:
    assert len(store.load().keys) == count
    store.ping()


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of one mebibyte."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(folder)]
    if os.geteuid() != 0 or subprocess.run(mount, check=False, capture_output=True).returncode:
        pytest.skip("needs the right to mount a tmpfs")
    yield folder
    subprocess.run(["umount", "--lazy", str(folder)], check=True)


def test_a_full_disk_is_named_and_the_store_goes_on_when_there_is_space(
    small_disk: Path, open_at: OpenStore
) -> None:
    ballast = small_disk / "ballast"
    ballast.write_bytes(bytes(300_000))
    store = open_at(f"sqlite://{small_disk}/store.db", lock=True)
    written = _write_until_it_fails(store)
    _has(store, written)
    with pytest.raises(StoreError):
        store.write([_big(written)])
    ballast.unlink()
    store.write([_big(written)])
    _has(store, written + 1)


def test_a_store_cannot_be_created_on_a_full_disk_and_can_be_when_there_is_space(
    small_disk: Path, open_at: OpenStore
) -> None:
    ballast = small_disk / "ballast"
    ballast.write_bytes(bytes(1024 * 1024 - 16 * 1024))
    url = f"sqlite://{small_disk}/store.db"
    with pytest.raises(StoreError, match="disk is full"):
        open_store(url, lock=True)
    ballast.unlink()
    open_at(url, lock=True).ping()


def test_a_file_size_limit_is_a_failure_that_passes(tmp_path: Path, open_at: OpenStore) -> None:
    store = open_at(f"sqlite://{tmp_path}/store.db", lock=True)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (500_000, hard))
    try:
        written = _write_until_it_fails(store)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    store.write([_big(written)])
    _has(store, written + 1)


def test_a_read_only_disk_is_named_and_left_behind(small_disk: Path, open_at: OpenStore) -> None:
    store = open_at(f"sqlite://{small_disk}/store.db", lock=True)
    store.close()
    subprocess.run(["mount", "-o", "remount,ro", str(small_disk)], check=True)
    with pytest.raises(StoreError, match=r"(?i)read-only"):
        open_store(f"sqlite://{small_disk}/store.db", lock=True)
    subprocess.run(["mount", "-o", "remount,rw", str(small_disk)], check=True)
    open_at(f"sqlite://{small_disk}/store.db", lock=True).write([_big(1)])


def test_a_store_locked_by_another_program_is_a_failure_that_passes(
    tmp_path: Path, open_at: OpenStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sqlite, "BUSY_SECONDS", 0.05)
    store = open_at(f"sqlite://{tmp_path}/store.db", lock=True)
    other = sqlite3.connect(tmp_path / "store.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(StoreError, match="another process holds it locked"):
        store.write([_big(1)])
    store.ping()
    other.execute("ROLLBACK")
    other.close()
    store.write([_big(1)])
    _has(store, 1)


def test_a_file_that_is_taken_away_and_given_back(tmp_path: Path, open_at: OpenStore) -> None:
    url = f"sqlite://{tmp_path}/state/store.db"
    open_at(url, lock=True).close()
    reader = open_at(url, readonly=True)
    shutil.move(tmp_path / "state", tmp_path / "away")
    with pytest.raises(StoreError, match="cannot be opened"):
        reader.ping()
    shutil.move(tmp_path / "away", tmp_path / "state")
    reader.ping()


@pytest.mark.parametrize("size", [10, 1000], ids=["in the tree", "in long texts"])
def test_corruption_found_later_is_named(tmp_path: Path, open_at: OpenStore, size: int) -> None:
    path = tmp_path / "store.db"
    first = open_at(f"sqlite://{path}")
    first.write([_big(number, size) for number in range(5000)])
    first.close()
    reader = open_at(f"sqlite://{path}", readonly=True)
    with path.open("r+b") as file:
        file.seek(40 * 4096)
        file.write(b"\xa5" * 20 * 4096)
    with pytest.raises(StoreUnusableError, match=r"corrupt: .*move it away"):
        reader.load()


@pytest.mark.parametrize(
    "damage",
    [
        pytest.param("UPDATE alerts SET facts = '{'", id="facts that are no JSON"),
        pytest.param("UPDATE alerts SET facts = '[]'", id="facts of another kind"),
        pytest.param("""UPDATE alerts SET facts = '{"moon": 1}'""", id="facts nobody knows"),
        pytest.param("UPDATE alerts SET severity = 'purple'", id="a word outside its set"),
        pytest.param("UPDATE alerts SET opened_at = 9000000000000000000", id="a time too far"),
        pytest.param("UPDATE samples SET balance = 'much'", id="an amount that is none"),
        pytest.param("UPDATE samples SET balance = 'Infinity'", id="an endless amount"),
        pytest.param("UPDATE meters SET balance = 'NaN'", id="an amount that is no number"),
        pytest.param("UPDATE ledgers SET state = '{}'", id="an empty ledger"),
        pytest.param("DROP TABLE samples", id="a missing table"),
    ],
)
def test_what_somebody_else_changed_is_an_error_of_the_store(
    url: str, store: Store, damage: str
) -> None:
    changes = Changes(
        keys=[recorded.key("studio", recorded.reading("1"))],
        alerts=[recorded.alert()],
        samples=[recorded.sample("1")],
        ledgers=[recorded.ledger()],
        forecasts=[recorded.forecast()],
    )
    store.write([changes])
    path = url.removeprefix("sqlite://")
    engine = create_engine(
        f"sqlite:///{path}" if path != url else url.replace("postgresql:", "postgresql+psycopg:")
    )
    with engine.begin() as connection:
        connection.exec_driver_sql(damage)
    engine.dispose()
    with pytest.raises(StoreError, match=r"^store \S+: "):
        store.load()


def test_many_threads_read_and_write_at_the_same_time(store: Store) -> None:
    errors: list[Exception] = []

    def work(thread: int) -> None:
        try:
            for number in range(10):
                at = recorded.NOW + timedelta(seconds=number)
                store.write([Changes(samples=[recorded.sample("1", at, key=f"key-{thread}")])])
                found = store.samples(f"key-{thread}", None, recorded.NOW, at)
                assert len(found) == number + 1
        except Exception as error:  # noqa: BLE001 - handed to the test's own thread
            errors.append(error)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    assert len(store.load().runs) == 8


@needs_postgresql
def test_a_session_that_the_server_ends_is_replaced(
    postgresql_server: PostgresqlServer, open_at: OpenStore
) -> None:
    store = open_at(postgresql_server.create_database(), lock=True)
    store.write([_big(1)])
    postgresql_server.execute(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
        " WHERE application_name = 'credit-monitor'"
    )
    store.write([_big(2)])
    _has(store, 2)


@needs_postgresql
def test_a_session_that_ends_within_a_write_fails_it_and_is_replaced(
    postgresql_server: PostgresqlServer, open_at: OpenStore
) -> None:
    url = postgresql_server.create_database()
    store = open_at(url, lock=True)
    database = url.rpartition("/")[2]
    postgresql_server.execute(
        "CREATE FUNCTION die() RETURNS trigger LANGUAGE plpgsql AS"
        " 'BEGIN PERFORM pg_terminate_backend(pg_backend_pid()); RETURN NEW; END'",
        database,
    )
    postgresql_server.execute(
        "CREATE TRIGGER die BEFORE INSERT ON keys FOR EACH ROW EXECUTE FUNCTION die()", database
    )
    with pytest.raises(StoreError, match="the server ended the connection"):
        store.write([Changes(samples=[recorded.sample("1")]), _big(1)])
    postgresql_server.execute("DROP TRIGGER die ON keys", database)
    assert store.load().runs == ()
    store.write([Changes(samples=[recorded.sample("1")]), _big(1)])
    _has(store, 1)


@needs_postgresql
def test_a_daemon_that_lost_its_claim_to_another_writes_no_more(
    postgresql_server: PostgresqlServer, open_at: OpenStore
) -> None:
    url = postgresql_server.create_database()
    first = open_at(url, lock=True)
    first.write([_big(1)])
    postgresql_server.execute(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
        " WHERE application_name = 'credit-monitor'"
    )
    second = open_at(url, lock=True)
    with pytest.raises(StoreUnusableError, match="another credit-monitor daemon"):
        first.write([_big(2)])
    second.close()
    first.write([_big(2)])
    _has(first, 2)


@needs_postgresql
def test_a_server_that_is_down_for_a_while_is_a_failure_that_passes(
    postgresql_server: PostgresqlServer, open_at: OpenStore
) -> None:
    store = open_at(postgresql_server.create_database(), lock=True)
    store.write([_big(1)])
    store.ping()
    postgresql_server.stop()
    try:
        for _ in range(2):
            with pytest.raises(StoreError, match=r"Connection refused|connection failed"):
                store.write([_big(2)])
            with pytest.raises(StoreError):
                store.ping()
    finally:
        postgresql_server.start()
    store.write([_big(2)])
    _has(store, 2)
