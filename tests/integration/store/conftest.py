"""A store on each database.  PostgreSQL is a real server, started once per test process."""

from __future__ import annotations

import os
import pwd
import shutil
import socket
import subprocess
import tempfile
import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from sqlalchemy import create_engine, text

from monitor.core.ledger import LedgerState, open_ledger
from monitor.core.model import (
    Alert,
    Attempt,
    Change,
    Event,
    Facts,
    KeyState,
    MeterReading,
    Notification,
    NotificationState,
    Outage,
    Reason,
    Sample,
    Severity,
    Subject,
    Why,
)
from monitor.store import open_store
from monitor.store.base import Store, StoredKey, StoredLedger

NOW = datetime(2026, 3, 1, 12, 0, 0, 123456, tzinfo=UTC)
STUDIO = Subject("kie", "", "studio")

OpenStore = Callable[..., Store]
"""Opens a store that the test need not close: ``open_at(url, readonly=..., lock=...)``."""


def _program(name: str) -> str | None:
    debian = sorted(str(folder) for folder in Path("/usr/lib/postgresql").glob("*/bin"))
    return shutil.which(name, path=os.pathsep.join([os.environ["PATH"], *debian]))


needs_postgresql = pytest.mark.skipif(
    _program("initdb") is None, reason="needs initdb (Debian package postgresql)"
)


class PostgresqlServer:
    """A throw-away server on loopback; PostgreSQL refuses to run as root, so not as root."""

    def __init__(self, home: Path) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = int(probe.getsockname()[1])
        self.url = f"postgresql://tester@127.0.0.1:{self.port}"
        self._home = home
        self._data = str(home / "data")
        if os.geteuid() == 0:
            os.chown(home, pwd.getpwnam("postgres").pw_uid, -1)
        self._run("initdb", "-D", self._data, "-U", "tester", "-A", "trust", "-N", "-E", "UTF8")

    def start(self) -> None:
        """Returns when it takes connections."""
        options = f"-F -p {self.port} -c listen_addresses=127.0.0.1 -c unix_socket_directories="
        log = str(self._home / "log")
        self._run("pg_ctl", "-D", self._data, "-o", options, "-l", log, "-w", "start")

    def stop(self) -> None:
        """End all sessions at once."""
        self._run("pg_ctl", "-D", self._data, "-m", "immediate", "stop")

    def create_database(self, options: str = "") -> str:
        """The URL of a new, empty database."""
        name = f"test_{uuid.uuid4().hex}"
        self.execute(f'CREATE DATABASE "{name}" {options}')
        return f"{self.url}/{name}"

    def execute(self, statement: str, database: str = "postgres") -> None:
        """Run *statement* as an administrator."""
        engine = create_engine(
            f"{self.url}/{database}".replace("postgresql:", "postgresql+psycopg:"),
            isolation_level="AUTOCOMMIT",
        )
        with engine.connect() as connection:
            connection.execute(text(statement))
        engine.dispose()

    def _run(self, program: str, *arguments: str) -> None:
        command = [_program(program) or program, *arguments]
        if os.geteuid() == 0:
            command = ["runuser", "-u", "postgres", "--", *command]
        done = subprocess.run(
            command, check=False, cwd=self._home, timeout=60, stdout=subprocess.DEVNULL
        )
        assert done.returncode == 0, command


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


class Make:
    """Values with everything that a test does not care about filled in."""

    now = NOW

    def key(self, name: str = "studio", *readings: MeterReading, **state: object) -> StoredKey:
        health = KeyState(key=name, last_poll_at=NOW, **state)  # type: ignore[arg-type] # passed on
        meters = tuple((reading, NOW) for reading in readings)
        return StoredKey(name=name, provider="kie", state=health, meters=meters)

    def reading(self, balance: str, meter: str = "balance") -> MeterReading:
        return MeterReading(meter=meter, unit="credits", balance=Decimal(balance))

    def ledger(self, subject_id: str = "key:studio") -> StoredLedger:
        state: LedgerState = open_ledger(NOW, Decimal("12.50"), "credits")
        return StoredLedger(subject_id=subject_id, meter="balance", state=state)

    def sample(
        self,
        balance: str | None,
        at: datetime = NOW,
        *,
        lasted: timedelta = timedelta(0),
        key: str = "studio",
        meter: str = "balance",
    ) -> Sample:
        amount = None if balance is None else Decimal(balance)
        return Sample(key=key, meter=meter, at=at, until=at + lasted, balance=amount)

    def outage(self, at: datetime = NOW, until: datetime | None = None, **more: object) -> Outage:
        values: dict[str, object] = {"key": "studio", "reason": Reason.TIMEOUT, **more}
        return Outage(at=at, until=until or at, **values)  # type: ignore[arg-type] # passed on

    def alert(self, number: int = 1, opened_at: datetime = NOW, **more: object) -> Alert:
        values: dict[str, object] = {
            "subject": STUDIO,
            "meter": "balance",
            "rule": "low_balance",
            "severity": Severity.WARNING,
            "worst": Severity.CRITICAL,
            "changed_at": opened_at,
            "facts": Facts(balance=Decimal("1.50"), unit="credits"),
            **more,
        }
        return Alert(id=number, opened_at=opened_at, **values)  # type: ignore[arg-type] # passed on

    def event(self, number: int = 1, alert_id: int = 1, **more: object) -> Event:
        values: dict[str, object] = {
            "subject": STUDIO,
            "meter": "balance",
            "rule": "low_balance",
            "change": Change.FIRED,
            "why": Why.NEW,
            "told": True,
            "severity": Severity.WARNING,
            "at": NOW,
            "opened_at": NOW,
            "facts": Facts(),
            **more,
        }
        return Event(id=number, alert_id=alert_id, **values)  # type: ignore[arg-type] # passed on

    def notification(
        self,
        number: int = 1,
        event_ids: tuple[int, ...] = (1,),
        state: NotificationState = NotificationState.PENDING,
        **more: object,
    ) -> Notification:
        values: dict[str, object] = {
            "channel": "ops",
            "created_at": NOW,
            "due_at": NOW,
            "next_attempt_at": NOW,
            "finished_at": None if state is NotificationState.PENDING else NOW,
            **more,
        }
        return Notification(id=number, event_ids=event_ids, state=state, **values)  # type: ignore[arg-type] # passed on

    def attempt(self, notification_id: int = 1, number: int = 1, at: datetime = NOW) -> Attempt:
        return Attempt(
            notification_id=notification_id,
            number=number,
            at=at,
            outcome="retry",
            detail="503",
            duration=timedelta(milliseconds=12),
        )


@pytest.fixture
def make() -> Make:
    return Make()
