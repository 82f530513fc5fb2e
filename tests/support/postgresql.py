"""A real PostgreSQL server for tests, thrown away afterwards."""

from __future__ import annotations

import os
import pwd
import shutil
import socket
import subprocess
import uuid
from pathlib import Path

import pytest
from sqlalchemy import create_engine, text


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
