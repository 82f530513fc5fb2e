"""``store``: described, checked, copied, restored and pruned, as an operator types it."""

from __future__ import annotations

import json
import random
import shutil
import sqlite3
import stat
import threading
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from support import recorded
from support.scene import NOW, Scene, fill

from monitor.store import open_store
from monitor.store.base import Changes, Store

DAY = timedelta(days=1)


@pytest.fixture
def filled(cli: Any, store: Store) -> Any:
    """A configuration whose store holds a scene, closed: no daemon runs."""
    fill(Scene(store))
    store.close()
    cli.configure(keys=[{"name": "studio", "key": "sk-never-shown-1"}])
    return cli


def file_of(cli: Any) -> Path:
    path: Path = cli.home / "store.db"
    return path


def rows(path: Path, table: str) -> int:
    connection = sqlite3.connect(path)
    (count,) = connection.execute(f"SELECT count(*) FROM {table}").fetchone()  # noqa: S608 - our own names
    connection.close()
    return int(count)


def damage(path: Path) -> None:
    """Overwrite pages in the middle with noise."""
    with path.open("r+b") as file:
        file.seek(path.stat().st_size // 8192 * 4096)
        file.write(random.Random(1).randbytes(2 * 4096))


# -- info -----------------------------------------------------------------------------------


def test_info_tells_where_the_store_is_how_large_and_what_is_in_it(filled: Any) -> None:
    result = filled("store", "info")
    assert result.exit_code == 0, result.stderr
    assert str(file_of(filled)) in result.stdout
    assert "KiB" in result.stdout
    found = json.loads(filled("store", "info", "--format", "json").stdout)
    assert found["size"] == file_of(filled).stat().st_size
    for table, count in found["rows"].items():
        assert count == rows(file_of(filled), table)
    assert found["rows"]["samples"] > 0
    assert found["oldest_sample"] <= found["newest_sample"]


def test_info_of_an_empty_store_has_no_samples(cli: Any, store: Store) -> None:
    store.ping()
    cli.configure(keys=[{"name": "studio", "key": "sk-1"}])
    assert "Samples:  none yet" in cli("store", "info").stdout


@pytest.mark.parametrize("name", ["info", "check", "backup", "prune"])
def test_without_a_store_each_command_says_that_there_is_no_data_yet(cli: Any, name: str) -> None:
    cli.configure(keys=[{"name": "studio", "key": "sk-1"}])
    result = cli("store", name, *(["copy.db"] if name == "backup" else []))
    assert result.exit_code == 74
    assert "no data yet" in result.stderr
    assert not (cli.home / "copy.db").exists()


# -- check ----------------------------------------------------------------------------------


def test_check_says_that_a_sound_store_is_sound(filled: Any) -> None:
    result = filled("store", "check")
    assert (result.exit_code, result.stdout) == (0, f"{file_of(filled)} is sound.\n")


def test_check_names_damage_and_what_to_do(filled: Any) -> None:
    damage(file_of(filled))
    result = filled("store", "check")
    assert result.exit_code == 1
    assert "is corrupt" in result.stderr
    assert "credit-monitor store restore" in result.stderr
    answer = json.loads(filled("store", "check", "--format", "json").stdout)
    assert answer["sound"] is False
    assert answer["problems"]


def test_check_refuses_what_is_not_a_store(filled: Any) -> None:
    file_of(filled).write_text("keys:\n" * 100)
    result = filled("store", "check")
    assert result.exit_code == 74
    assert "not an SQLite database" in result.stderr


# -- backup ---------------------------------------------------------------------------------


def test_a_backup_is_one_file_with_everything_in_it(filled: Any) -> None:
    result = filled("store", "backup", "copy.db")
    assert result.exit_code == 0, result.stderr
    copy = filled.home / "copy.db"
    assert stat.S_IMODE(copy.stat().st_mode) == 0o600
    assert sorted(path.name for path in filled.home.iterdir() if "copy" in path.name) == ["copy.db"]
    for table in ("samples", "alerts", "events", "notifications"):
        assert rows(copy, table) == rows(file_of(filled), table) > 0
    shown = open_store(f"sqlite://{copy}", readonly=True)
    assert shown.load() == open_store(f"sqlite://{file_of(filled)}", readonly=True).load()


def test_a_backup_beside_a_daemon_that_goes_on_writing_sees_one_state(
    cli: Any, tmp_path: Path
) -> None:
    cli.configure(keys=[{"name": "studio", "key": "sk-1"}])
    url = f"sqlite://{file_of(cli)}"
    daemon = open_store(url, lock=True)
    daemon.write([_pair(0)])
    stop = threading.Event()

    def go_on() -> None:
        number = 1
        while not stop.is_set():
            daemon.write([_pair(number)])
            number += 1

    writer = threading.Thread(target=go_on)
    writer.start()
    try:
        for number in range(5):
            assert cli("store", "backup", f"copy-{number}.db").exit_code == 0
    finally:
        stop.set()
        writer.join()
        daemon.close()
    for number in range(5):
        copy = open_store(f"sqlite://{tmp_path}/copy-{number}.db", readonly=True)
        names = [key.name for key in copy.load().keys]
        assert len(names) % 2 == 0  # both of a transaction, or neither
        assert names


def _pair(number: int) -> Changes:
    reading = recorded.reading(str(number))
    return Changes(keys=[recorded.key(f"{side}-{number}", reading) for side in ("a", "b")])


def test_a_file_that_exists_is_overwritten_only_if_told(filled: Any) -> None:
    copy = filled.home / "copy.db"
    copy.write_text("precious")
    refused = filled("store", "backup", "copy.db")
    assert refused.exit_code == 74
    assert "exists already" in refused.stderr
    assert copy.read_text() == "precious"
    assert filled("store", "backup", "copy.db", "--force").exit_code == 0
    assert rows(copy, "samples") > 0


@pytest.mark.parametrize(
    ("target", "words"),
    [
        pytest.param("store.db", "is the store itself", id="the store itself"),
        pytest.param(".", "is a directory", id="a directory"),
        pytest.param("missing/copy.db", "No such file or directory", id="a directory that is not"),
    ],
)
def test_a_target_that_cannot_be_is_refused(filled: Any, target: str, words: str) -> None:
    before = file_of(filled).read_bytes()
    result = filled("store", "backup", target, "--force")
    assert result.exit_code == 74
    assert words in result.stderr
    assert file_of(filled).read_bytes() == before


def test_no_backup_is_made_of_a_corrupt_store_over_a_good_one(filled: Any) -> None:
    assert filled("store", "backup", "copy.db").exit_code == 0
    good = (filled.home / "copy.db").read_bytes()
    damage(file_of(filled))
    result = filled("store", "backup", "copy.db", "--force")
    assert result.exit_code == 74
    assert "corrupt" in result.stderr
    assert (filled.home / "copy.db").read_bytes() == good
    assert not list(filled.home.glob(".copy.db*"))


def test_damage_that_only_a_whole_check_finds_keeps_a_copy_from_being_made(filled: Any) -> None:
    connection = sqlite3.connect(file_of(filled), isolation_level=None)
    connection.execute("PRAGMA writable_schema = ON")
    connection.execute(
        "UPDATE sqlite_schema SET sql = replace(sql, '(alert_id)', '(opened_at)')"
        " WHERE type = 'index' AND tbl_name = 'events'"
    )
    connection.close()
    result = filled("store", "backup", "copy.db")
    assert result.exit_code == 74
    assert "no copy is made" in result.stderr
    assert not (filled.home / "copy.db").exists()


# -- restore --------------------------------------------------------------------------------


def test_a_restored_store_is_as_it_was_and_the_other_one_is_kept(filled: Any) -> None:
    path = file_of(filled)
    before = open_store(f"sqlite://{path}", readonly=True).load()
    filled("store", "backup", "copy.db")
    later = open_store(f"sqlite://{path}")
    later.write([_pair(1)])
    later.close()
    result = filled("store", "restore", "copy.db")
    assert result.exit_code == 0, result.stderr
    assert open_store(f"sqlite://{path}", readonly=True).load() == before
    (aside,) = filled.home.glob("store.db.replaced-*")
    assert str(aside) in result.stdout
    assert "a-1" in [key.name for key in open_store(f"sqlite://{aside}", readonly=True).load().keys]


def test_a_corrupt_store_is_replaced_by_its_backup(filled: Any) -> None:
    filled("store", "backup", "copy.db")
    damage(file_of(filled))
    assert filled("store", "restore", "copy.db").exit_code == 0
    assert filled("store", "check").exit_code == 0


def test_a_store_that_is_gone_is_restored(filled: Any) -> None:
    filled("store", "backup", "copy.db")
    file_of(filled).unlink()
    result = filled("store", "restore", "copy.db")
    assert result.exit_code == 0, result.stderr
    assert "is now" not in result.stdout
    assert filled("store", "check").exit_code == 0


def test_nothing_is_restored_while_a_daemon_uses_the_store(filled: Any) -> None:
    filled("store", "backup", "copy.db")
    daemon = open_store(f"sqlite://{file_of(filled)}", lock=True)
    before = file_of(filled).read_bytes()
    result = filled("store", "restore", "copy.db")
    daemon.close()
    assert result.exit_code == 74
    assert "another credit-monitor daemon uses it" in result.stderr
    assert file_of(filled).read_bytes() == before


@pytest.mark.parametrize("kind", ["missing", "text", "corrupt", "newer", "itself"])
def test_what_is_no_sound_copy_replaces_nothing(filled: Any, kind: str) -> None:
    path, copy = file_of(filled), filled.home / "copy.db"
    if kind == "text":
        copy.write_text("not a database")
    elif kind in {"corrupt", "newer"}:
        shutil.copy(path, copy)
    if kind == "corrupt":
        damage(copy)
    elif kind == "newer":
        connection = sqlite3.connect(copy)
        with connection:
            connection.execute("UPDATE alembic_version SET version_num = 'credit_monitor_9999'")
        connection.close()
    before = path.read_bytes()
    result = filled("store", "restore", "store.db" if kind == "itself" else "copy.db")
    assert result.exit_code == 74, result.stdout
    assert path.read_bytes() == before
    assert not list(filled.home.glob("store.db.*-*"))


# -- prune ----------------------------------------------------------------------------------


def test_prune_drops_all_that_was_kept_long_enough_and_shrinks_the_file(
    cli: Any, store: Store
) -> None:
    minutes = [
        recorded.sample(str(9000 - n), at)
        for n in range(6000)
        for at in [NOW - 30 * DAY + n * timedelta(minutes=1)]
    ]
    store.write([Changes(samples=minutes)])
    store.close()
    cli.configure(keys=[{"name": "studio", "key": "sk-1"}])
    before = file_of(cli).stat().st_size
    result = cli("store", "prune", "--shrink")
    assert result.exit_code == 0, result.stderr
    left = rows(file_of(cli), "samples")
    assert 100 <= left <= 102  # the last of each of a hundred hours
    assert f"Dropped {6000 - left} samples and 0 records" in result.stdout
    assert file_of(cli).stat().st_size < before
    assert "Dropped 0 samples and 0 records" in cli("store", "prune").stdout


def test_prune_reaches_meters_behind_many_that_have_nothing_to_drop(cli: Any, store: Store) -> None:
    old = NOW - 30 * DAY
    quiet = [recorded.sample("1", old, key=f"a-{n:03}") for n in range(120)]
    busy = [
        recorded.sample(str(90 - n), at, key="busy")
        for n in range(30)
        for at in [old + n * timedelta(minutes=1)]
    ]
    store.write([Changes(samples=quiet), Changes(samples=busy)])
    store.close()
    cli.configure(keys=[{"name": "busy", "key": "sk-1"}])
    assert "Dropped 0 samples" not in cli("store", "prune").stdout


def test_prune_works_beside_a_daemon_but_shrinking_does_not(filled: Any) -> None:
    daemon = open_store(f"sqlite://{file_of(filled)}", lock=True)
    assert filled("store", "prune").exit_code == 0
    result = filled("store", "prune", "--shrink")
    daemon.close()
    assert result.exit_code == 74
    assert "another credit-monitor daemon uses it" in result.stderr
