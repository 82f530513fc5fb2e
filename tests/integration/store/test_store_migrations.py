"""An older store is brought up to date in one transaction, and ends where a new one begins."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Engine, MetaData, create_engine, inspect, select
from support import recorded

from monitor.store import open_store, schema
from monitor.store.base import Changes, StoreError, StoreUnusableError
from monitor.store.layout import Layout, revision
from monitor.store.sql import OURS, SqlStore
from monitor.store.upgrade import knows, upgrade

NEXT = """
import sqlalchemy as sa
from alembic import op

revision = "{revision}"
down_revision = "{before}"


def upgrade() -> None:
    with op.batch_alter_table("keys") as keys:
        keys.add_column(sa.Column("{column}", sa.Text()))
    {more}
"""


@pytest.fixture
def engine(url: str) -> Iterator[Engine]:
    """A database without any table."""
    path = url.removeprefix("sqlite://")
    engine = create_engine(
        f"sqlite:///{path}" if path != url else url.replace("postgresql:", "postgresql+psycopg:")
    )
    yield engine
    engine.dispose()


@pytest.fixture
def later(tmp_path: Path) -> Layout:
    """The migrations of a version to come: one step more."""
    folder = tmp_path / "migrations"
    shutil.copytree(OURS.migrations, folder, ignore=shutil.ignore_patterns("__pycache__"))
    _add_step(folder, "credit_monitor_9001", schema.HEAD, "note")
    return Layout("credit_monitor_9001", folder)


def _add_step(folder: Path, revision: str, before: str, column: str, more: str = "") -> None:
    text = NEXT.format(revision=revision, before=before, column=column, more=more)
    (folder / "versions" / f"{revision}.py").write_text(text)


def test_the_newest_migration_is_the_one_the_schema_names() -> None:
    scripts = ScriptDirectory(str(OURS.migrations))
    assert scripts.get_heads() == [schema.HEAD]
    assert knows(schema.HEAD, OURS.migrations)


def test_migrations_one_by_one_lead_to_the_schema(engine: Engine) -> None:
    steps = list(ScriptDirectory(str(OURS.migrations)).walk_revisions())[::-1]
    for step in steps:
        with engine.begin() as connection:
            upgrade(connection, OURS.migrations, step.revision)
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, schema.metadata) == []
        assert revision(connection, "x") == schema.HEAD


def test_a_new_store_is_what_migrations_lead_to(tmp_path: Path) -> None:
    def described(path: Path) -> list[tuple[str, str]]:
        connection = sqlite3.connect(path)
        rows = connection.execute("SELECT name, sql FROM sqlite_schema ORDER BY name").fetchall()
        connection.close()
        return [(name, " ".join((sql or "").split())) for name, sql in rows]

    migrated = create_engine(f"sqlite:///{tmp_path}/migrated.db")
    with migrated.begin() as connection:
        upgrade(connection, OURS.migrations)
    migrated.dispose()
    open_store(f"sqlite://{tmp_path}/new.db").close()
    assert described(tmp_path / "new.db") == described(tmp_path / "migrated.db")


def test_an_older_store_is_upgraded_and_keeps_its_rows(
    url: str, engine: Engine, later: Layout, caplog: pytest.LogCaptureFixture
) -> None:
    store = open_store(url)
    store.write([Changes(keys=[recorded.key("a")])])
    store.close()
    with caplog.at_level("INFO", "monitor.store"):
        SqlStore.open(url, lock=True, layout=later).close()
    assert f"upgraded from schema {schema.HEAD} to credit_monitor_9001" in caplog.text
    with engine.connect() as connection:
        assert revision(connection, "x") == "credit_monitor_9001"
        assert "note" in {column["name"] for column in inspect(connection).get_columns("keys")}
        assert connection.exec_driver_sql("SELECT name FROM keys").scalar() == "a"


OLD_ROWS = Path(__file__).parents[2] / "fixtures" / "store" / "credit_monitor_0001.sql"


def _rows(engine: Engine) -> dict[str, list[dict[str, Any]]]:
    """Every row of every table as the database has it, ordered by its values."""
    metadata = MetaData()
    metadata.reflect(engine)
    with engine.connect() as connection:
        found = {
            name: [dict(row) for row in connection.execute(select(table)).mappings()]
            for name, table in metadata.tables.items()
            if name != schema.version.name
        }
    return {name: sorted(rows, key=repr) for name, rows in found.items()}


@pytest.fixture
def first(engine: Engine) -> Engine:
    """A store as the version with the first schema left it."""
    with engine.begin() as connection:
        if engine.dialect.name == "sqlite":
            connection.exec_driver_sql(f"PRAGMA application_id = {schema.APPLICATION_ID}")
        upgrade(connection, OURS.migrations, "credit_monitor_0001")
        for statement in OLD_ROWS.read_text(encoding="utf-8").split(";\n"):
            connection.exec_driver_sql(statement)
    return engine


def test_a_store_of_the_first_schema_loses_nothing(url: str, first: Engine) -> None:
    before = _rows(first)
    assert all(before.values())  # every table has a row to be lost
    SqlStore.open(url, lock=True).close()
    after = _rows(first)
    assert set(after) - set(before) == {
        "silences",
        "acks",
        "suppressions",
        "configuration",
        "notification_bodies",
        "reports",
        "renewals",
        "forecasts",
    }
    told = {row["id"]: row.pop("told_at") for row in after["alerts"]}
    assert {row.pop("escalated_at") for row in after["alerts"]} == {None}
    assert {(n.pop("handed_to"), n.pop("note")) for n in after["notifications"]} == {("", "")}
    fails = ("kind", "reason", "detail", "failing_since", "failed_at", "failures")
    assert {row.pop(name) for row in after["meters"] for name in fails} == {None}
    assert {name: after[name] for name in before} == before
    moments = {e["alert_id"]: e["at"] for e in before["events"] if e["told"]}  # ordered by id
    assert told == {**moments, 3: None}


@pytest.fixture
def second(first: Engine) -> Engine:
    """A store as the version with the second schema left it: with what only that one has, too."""
    rows = {
        "silences": {
            "keys": "prod-*",
            "accounts": "*",
            "providers": "*",
            "rules": "*",
            "created_at": 1,
            "until": 2,
            "author": "anna",
            "reason": "it's paid",
        },
        "acks": {"alert_id": 2, "at": 3, "author": "bo", "reason": ""},
        "suppressions": {"event_id": 1, "channel": "ops", "reason": "quiet", "at": 4},
    }
    with first.begin() as connection:
        upgrade(connection, OURS.migrations, "credit_monitor_0002")
        metadata = MetaData()
        metadata.reflect(connection)
        for name, row in rows.items():
            connection.execute(metadata.tables[name].insert(), row)
        noted = metadata.tables["notifications"].update()
        connection.execute(noted.values(handed_to="mail", note="for ops"))
    return first


def test_a_store_of_the_second_schema_loses_nothing(url: str, second: Engine) -> None:
    before = _rows(second)
    assert all(before.values())
    with closing(SqlStore.open(url, lock=True)) as store:
        assert [(s.id, s.by, s.reason) for s in store.silences()] == [(1, "anna", "it's paid")]
        assert store.add_silence(recorded.silence(0)).id == 2
        assert [ack.by for ack in store.acks([2])] == ["bo"]
        assert [s.channel for s in store.suppressed([1])] == ["ops"]
        assert {n.handed_to for n in store.notifications()} == {"mail"}
    after = _rows(second)
    for name, rows in before.items():
        kept = [{column: row[column] for column in rows[0]} for row in after[name]]
        assert all(row in kept for row in rows), name


@pytest.mark.usefixtures("first")
def test_an_upgraded_store_works_like_a_new_one(url: str) -> None:
    with closing(SqlStore.open(url, lock=True)) as store:
        snapshot = store.load()
        assert [alert.id for alert in snapshot.alerts] == [3, 2]
        assert snapshot.alerts[1].told_at == recorded.NOW - timedelta(hours=2)
        assert [n.id for n in snapshot.notifications] == [3]
        assert snapshot.keys[0].state.detail == "it's revoked"
        store.write([Changes(suppressed=[recorded.suppressed(4)])])
        assert store.add_silence(recorded.silence()).id == 1
        assert store.acknowledge([1, 2, 3], recorded.NOW, "anna", "") == [2, 3]
        assert store.suppressed([4]) == [recorded.suppressed(4)]


def test_an_upgrade_that_fails_midway_changes_nothing(
    url: str, later: Layout, engine: Engine
) -> None:
    open_store(url).close()
    _add_step(later.migrations, "credit_monitor_9002", later.head, "more", "op.drop_table('nope')")
    with pytest.raises(StoreError, match="nope"):
        SqlStore.open(url, lock=True, layout=Layout("credit_monitor_9002", later.migrations))
    with engine.connect() as connection:
        assert revision(connection, "x") == schema.HEAD
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, schema.metadata) == []
    open_store(url, lock=True).close()


def test_an_older_store_is_not_upgraded_by_a_reader_nor_under_a_running_daemon(
    url: str, later: Layout
) -> None:
    daemon = open_store(url, lock=True)
    with pytest.raises(StoreError, match=r"older version .* start the daemon once"):
        SqlStore.open(url, readonly=True, layout=later)
    with pytest.raises(StoreUnusableError, match="another credit-monitor daemon"):
        SqlStore.open(url, layout=later)
    daemon.close()
