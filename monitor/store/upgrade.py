"""Bringing an older store up to date; the only importer of Alembic, imported only then."""

from __future__ import annotations

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import Connection


def knows(revision: str, migrations: Path) -> bool:
    """Whether *revision* is one of our migrations."""
    scripts = ScriptDirectory.from_config(_config(migrations))
    return revision in {script.revision for script in scripts.walk_revisions()}


def upgrade(connection: Connection, migrations: Path, to: str = "head") -> None:
    """Run the missing migrations up to *to* within the transaction of *connection*."""
    config = _config(migrations)
    config.attributes["connection"] = connection
    command.upgrade(config, to)


def _config(migrations: Path) -> Config:
    config = Config()
    config.set_main_option("script_location", str(migrations).replace("%", "%%"))
    config.set_main_option("path_separator", "newline")
    return config
