"""What happens when a store is opened: created, claimed, upgraded, or refused and left alone."""

from __future__ import annotations

import hashlib
import os
import random
import sqlite3
import stat
import struct
import subprocess
import sys
import tempfile
import textwrap
from collections.abc import Callable
from pathlib import Path

import pytest
from support import recorded
from support.postgresql import PostgresqlServer, needs_postgresql

from monitor.store import open_store, schema
from monitor.store.base import Changes, Store, StoreError, StoreUnusableError

OpenStore = Callable[..., Store]


def _fingerprint(folder: Path) -> dict[str, str]:
    """Every file in *folder* by its content, but for the lock, which is nobody's data."""
    return {
        path.name: hashlib.sha256(path.read_bytes()).hexdigest()
        for path in folder.iterdir()
        if path.suffix != ".lock"
    }


def _sqlite(path: Path, *statements: str) -> None:
    connection = sqlite3.connect(path, isolation_level=None)
    for statement in statements:
        connection.execute(statement)
    connection.close()


def _not_a_database(path: Path) -> None:
    path.write_text("keys:\n  - name: studio\n" * 50)


def _too_short(path: Path) -> None:
    path.write_bytes(b"SQLite format 3\0")


def _someone_elses(path: Path) -> None:
    _sqlite(path, "PRAGMA journal_mode = WAL", "CREATE TABLE keys (name TEXT)")


def _ours_by_name_only(path: Path) -> None:
    _sqlite(path, f"PRAGMA application_id = {schema.APPLICATION_ID}", "CREATE TABLE keys (x)")


def _newer(path: Path) -> None:
    _full(path)
    _sqlite(path, "UPDATE alembic_version SET version_num = 'credit_monitor_9999'")


def _truncated(path: Path) -> None:
    _full(path)
    with path.open("r+b") as file:
        file.truncate(path.stat().st_size // 2)


def _overwritten(path: Path) -> None:
    _full(path)
    with path.open("r+b") as file:
        file.seek(2 * 4096)
        file.write(random.Random(1).randbytes(3 * 4096))


def _full(path: Path) -> None:
    store = open_store(f"sqlite://{path}")
    keys = [recorded.key(f"key-{n}", recorded.reading("1")) for n in range(500)]
    store.write([Changes(keys=keys)])
    store.close()


def _run(program: str, url: str) -> int:
    """The exit code of a process that runs *program* on the store at *url*."""
    imports = """
        import os, sys
        from monitor.store import open_store
        from monitor.store.base import Changes
        from support import recorded
        """
    command = [sys.executable, "-c", textwrap.dedent(imports) + textwrap.dedent(program), url]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    return subprocess.run(command, check=False, env=environment).returncode


REFUSED = [
    pytest.param(_not_a_database, "not an SQLite database", id="a text file"),
    pytest.param(_too_short, "not an SQLite database", id="a file cut off in its header"),
    pytest.param(_someone_elses, "another program's database", id="another program's database"),
    pytest.param(_ours_by_name_only, "tables that are not ours", id="tables without a version"),
    pytest.param(_newer, "newer version of credit-monitor", id="a newer schema"),
    pytest.param(_truncated, "corrupt", id="a file cut off in the middle"),
    pytest.param(_overwritten, "corrupt", id="pages overwritten with noise"),
]


@pytest.mark.parametrize(("damage", "words"), REFUSED)
@pytest.mark.parametrize("lock", [True, False], ids=["the daemon", "a command that writes"])
def test_a_file_that_must_not_be_used_is_refused_and_left_untouched(
    tmp_path: Path, damage: Callable[[Path], None], words: str, *, lock: bool
) -> None:
    path = tmp_path / "store.db"
    damage(path)
    before = _fingerprint(tmp_path)
    with pytest.raises(StoreUnusableError, match=words) as error:
        open_store(f"sqlite://{path}", lock=lock)
    assert str(path) in str(error.value)
    assert _fingerprint(tmp_path) == before


@pytest.mark.parametrize(("damage", "words"), REFUSED[:-2])
def test_a_reader_refuses_it_too(
    tmp_path: Path, damage: Callable[[Path], None], words: str
) -> None:
    path = tmp_path / "store.db"
    damage(path)
    before = hashlib.sha256(path.read_bytes()).hexdigest()
    with pytest.raises(StoreUnusableError, match=words):
        open_store(f"sqlite://{path}", readonly=True)
    assert hashlib.sha256(path.read_bytes()).hexdigest() == before


def test_a_refused_store_can_be_opened_by_another_daemon_after_it_is_mended(
    tmp_path: Path, open_at: OpenStore
) -> None:
    path = tmp_path / "store.db"
    _not_a_database(path)
    with pytest.raises(StoreUnusableError):
        open_store(f"sqlite://{path}", lock=True)
    path.unlink()
    open_at(f"sqlite://{path}", lock=True).ping()


def test_a_new_store_is_for_its_user_only(tmp_path: Path, open_at: OpenStore) -> None:
    path = tmp_path / "new" / "state" / "store.db"
    store = open_at(f"sqlite://{path}", lock=True)
    store.write([Changes(keys=[recorded.key()])])
    modes = {entry.name: stat.S_IMODE(entry.stat().st_mode) for entry in path.parent.iterdir()}
    assert modes == dict.fromkeys(
        ["store.db", "store.db-wal", "store.db-shm", "store.db.lock"], 0o600
    )
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


def test_an_empty_file_becomes_a_store(tmp_path: Path, open_at: OpenStore) -> None:
    path = tmp_path / "store.db"
    path.touch()
    open_at(f"sqlite://{path}").ping()


def test_the_header_names_the_owner_before_anything_is_checkpointed(
    tmp_path: Path, open_at: OpenStore
) -> None:
    path = tmp_path / "store.db"
    open_at(f"sqlite://{path}")
    assert path.read_bytes()[68:72] == b"CrMo"


def test_a_store_whose_daemon_was_killed_goes_on_with_its_log(
    tmp_path: Path, open_at: OpenStore
) -> None:
    url = f"sqlite://{tmp_path}/store.db"
    done = _run(
        """
        store = open_store(sys.argv[1], lock=True)
        store.write([Changes(keys=[recorded.key("a")])])
        os._exit(9)
        """,
        url,
    )
    assert done == 9
    assert (tmp_path / "store.db-wal").stat().st_size > 0
    snapshot = open_at(url, lock=True).load()
    assert [key.name for key in snapshot.keys] == ["a"]


def test_a_creation_that_was_cut_off_is_begun_anew(tmp_path: Path, open_at: OpenStore) -> None:
    path = tmp_path / "store.db"
    _full(path)
    # The journal of a transaction that began with no page: what a crash in the commit leaves.
    magic, pages, nonce, sector, page = bytes.fromhex("d9d505f920a163d7"), 0, 1, 512, 4096
    header = magic + struct.pack(">5I", 0, nonce, pages, sector, page)
    (tmp_path / "store.db-journal").write_bytes(header.ljust(sector, b"\0"))
    assert open_at(f"sqlite://{path}", lock=True).keys() == []


def test_only_one_daemon_uses_a_store(url: str, store: Store, open_at: OpenStore) -> None:
    with pytest.raises(StoreUnusableError, match="another credit-monitor daemon uses it"):
        open_store(url, lock=True)
    open_at(url).ping()
    open_at(url, readonly=True).ping()
    store.close()
    open_at(url, lock=True).ping()


def test_the_process_that_uses_a_store_is_named(tmp_path: Path, open_at: OpenStore) -> None:
    url = f"sqlite://{tmp_path}/store.db"
    open_at(url, lock=True)
    with pytest.raises(StoreUnusableError, match=rf"process {os.getpid()}\b"):
        open_store(url, lock=True)


def test_a_reader_of_no_store_is_told_to_start_the_daemon(url: str, tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="no data yet: start the daemon"):
        open_store(url, readonly=True)
    assert list(tmp_path.iterdir()) == []


def test_a_reader_of_an_empty_file_is_told_to_start_the_daemon(tmp_path: Path) -> None:
    (tmp_path / "store.db").touch()
    with pytest.raises(StoreError, match="no data yet"):
        open_store(f"sqlite://{tmp_path}/store.db", readonly=True)


def test_a_reader_may_look_before_a_daemon_starts_and_after_it_stopped(
    tmp_path: Path, open_at: OpenStore
) -> None:
    url = f"sqlite://{tmp_path}/store.db"
    first = open_at(url, lock=True)
    first.write([Changes(keys=[recorded.key("a")])])
    first.close()
    reader = open_at(url, readonly=True)
    assert len(reader.keys()) == 1
    second = open_at(url, lock=True)
    second.write([Changes(keys=[recorded.key("b")])])
    assert len(reader.keys()) == 2
    second.close()
    assert len(reader.keys()) == 2


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root, to become another user")
def test_a_user_who_may_only_read_reads_while_no_daemon_runs() -> None:
    with tempfile.TemporaryDirectory() as folder:  # others may not enter that of pytest
        path = Path(folder) / "store.db"
        _full(path)
        path.chmod(0o644)
        path.parent.chmod(0o755)
        done = _run(
            """
            open_store(sys.argv[1], readonly=True).load()  # imports what others may not read
            for end in ("-wal", "-shm"):
                os.unlink(sys.argv[1].removeprefix("sqlite://") + end)
            os.setuid(65534)
            sys.exit(len(open_store(sys.argv[1], readonly=True).load().keys) != 500)
            """,
            f"sqlite://{path}",
        )
        assert done == 0


@pytest.mark.parametrize(
    "url",
    [
        pytest.param("", id="empty"),
        pytest.param("/var/lib/store.db", id="a path"),
        pytest.param("mysql://localhost/x", id="another database"),
        pytest.param("sqlite://", id="sqlite without a file"),
        pytest.param("sqlite:///", id="sqlite with the root"),
        pytest.param("sqlite://host/store.db", id="sqlite with a host"),
        pytest.param("postgresql://user:hunter2@host", id="postgresql without a database"),
        pytest.param("postgresql://user:hun@ter2@host/x", id="an at sign in the password"),
        pytest.param("postgresql://user:hun@ter2:x@host/x", id="a colon after an at sign"),
    ],
)
def test_a_url_that_names_no_store_is_refused_without_showing_it(url: str) -> None:
    with pytest.raises(
        StoreError, match=r"write sqlite:///absolute/path\.db or postgresql:"
    ) as error:
        open_store(url)
    assert "ter2" not in str(error.value)


def test_a_directory_is_no_store(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="check the path and its rights"):
        open_store(f"sqlite://{tmp_path}")


def test_neither_a_first_start_nor_a_reader_needs_alembic(tmp_path: Path) -> None:
    done = _run(
        """
        open_store(sys.argv[1], lock=True).close()
        open_store(sys.argv[1], readonly=True).load()
        sys.exit("alembic" in sys.modules)
        """,
        f"sqlite://{tmp_path}/store.db",
    )
    assert done == 0


@needs_postgresql
def test_a_postgresql_database_with_other_tables_is_refused(
    postgresql_server: PostgresqlServer,
) -> None:
    url = postgresql_server.create_database()
    postgresql_server.execute("CREATE TABLE customers (id INT)", url.rpartition("/")[2])
    for readonly in (True, False):
        with pytest.raises(StoreUnusableError, match="tables that are not ours"):
            open_store(url, readonly=readonly)


@needs_postgresql
def test_a_postgresql_store_of_a_newer_version_is_refused(
    postgresql_server: PostgresqlServer, open_at: OpenStore
) -> None:
    url = postgresql_server.create_database()
    open_at(url).close()
    statement = "UPDATE alembic_version SET version_num = 'credit_monitor_9999'"
    postgresql_server.execute(statement, url.rpartition("/")[2])
    with pytest.raises(StoreUnusableError, match="newer version"):
        open_store(url, lock=True)


@needs_postgresql
def test_a_postgresql_database_that_cannot_keep_every_text_is_refused(
    postgresql_server: PostgresqlServer,
) -> None:
    url = postgresql_server.create_database(
        "ENCODING 'SQL_ASCII' TEMPLATE template0 LC_COLLATE 'C' LC_CTYPE 'C'"
    )
    with pytest.raises(StoreUnusableError, match="encoding is SQL_ASCII"):
        open_store(url)


@needs_postgresql
def test_a_postgresql_server_that_does_not_answer_is_named_without_the_password(
    postgresql_server: PostgresqlServer,
) -> None:
    with pytest.raises(StoreError, match=r"store postgresql://127.0.0.1:1/x: ") as error:
        open_store("postgresql://user:hunter2@127.0.0.1:1/x")
    assert "hunter2" not in str(error.value)
    missing = f"{postgresql_server.url}/missing".replace("tester@", "tester:hunter2@")
    with pytest.raises(StoreError, match="does not exist") as error:
        open_store(missing)
    assert "hunter2" not in str(error.value)
