"""Foreign errors become ours here, once: what happened, and what to do about it."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from monitor.store.base import StoreCorruptError, StoreError, StoreUnusableError

_SQLITE = {
    "SQLITE_FULL": "the disk is full: free some space",
    "SQLITE_READONLY": "it cannot be written: check the owner and mode of file and directory, and"
    " whether the file system is mounted read-only",
    "SQLITE_BUSY": "another process holds it locked for too long: end that process",
    "SQLITE_LOCKED": "another process holds it locked for too long: end that process",
    "SQLITE_IOERR": "the disk does not read or write: check the disk and its free space",
    "SQLITE_CANTOPEN": "the file cannot be opened: check that file and directory exist and may be"
    " used by this user",
    "SQLITE_PERM": "the file may not be used by this user: check its owner and mode",
}

CORRUPT_ADVICE = (
    "with the daemon stopped, restore a backup (credit-monitor store restore) or move it away"
    " (a new one is then begun); start it again"
)

_SQLITE_UNUSABLE = {
    "SQLITE_CORRUPT": (StoreCorruptError, f"the file is corrupt: {CORRUPT_ADVICE}"),
    "SQLITE_NOTADB": (
        StoreUnusableError,
        "the file is not an SQLite database: correct the path or move the file away",
    ),
}

_POSTGRESQL = {
    "53100": "the server's disk is full: free some space",
    "53300": "the server has no connection left: raise max_connections or close some",
    "57P01": "the server ended the connection: check that it runs",
    "57014": "the server did not answer in time: check its load",
    "28P01": "the server refused user or password: check the store's URL",
    "28000": "the server refused the user: check the store's URL and pg_hba.conf",
    "3D000": "the database does not exist: create it",
    "42501": "the user lacks a right on the tables: make it their owner",
    "25006": "the server is read-only: connect to the primary",
}
"""https://www.postgresql.org/docs/current/errcodes-appendix.html"""


_UNREADABLE = (ArithmeticError, AttributeError, LookupError, TypeError, ValueError)
"""What turning a row back into values raises when somebody else has changed the row."""

_MAX_WORDS = 200


@contextmanager
def translated(label: str) -> Iterator[None]:
    """Raise every foreign error as a :class:`StoreError` about the store called *label*."""
    try:
        yield
    except SQLAlchemyError as error:
        raise _translate(error, label) from error
    except sqlite3.Error as error:
        raise _told(error, _first_line(error), label) from error
    except ModuleNotFoundError as error:
        raise StoreError(
            f"store {label}: {error.name} is not installed: install credit-monitor[postgresql]"
        ) from error
    except OSError as error:
        reason = error.strerror or str(error)
        raise StoreError(f"store {label}: {reason}: check the path and its rights") from error
    except _UNREADABLE as error:
        raise StoreError(
            f"store {label}: a value in it cannot be read ({_first_line(error)}): restore a backup"
        ) from error


def _translate(error: SQLAlchemyError, label: str) -> StoreError:
    original = error.orig if isinstance(error, DBAPIError) else None
    return _told(original, _first_line(original or error), label)


def _told(original: BaseException | None, words: str, label: str) -> StoreError:
    """What the driver's error *original* means; *words* where nothing is known of it."""
    name = getattr(original, "sqlite_errorname", None) or ""
    if str(original).startswith("Could not decode to UTF-8"):
        name = "SQLITE_CORRUPT"  # of the driver, which gives it no name: noise in place of text
    for known, (kind, text) in _SQLITE_UNUSABLE.items():
        if name.startswith(known):
            return kind(f"store {label}: {text}")
    for known, text in _SQLITE.items():
        if name.startswith(known):
            return StoreError(f"store {label}: {text}")
    state = getattr(original, "sqlstate", None) or ""
    if state in _POSTGRESQL:
        return StoreError(f"store {label}: {_POSTGRESQL[state]}")
    return StoreError(f"store {label}: {words}")


def _first_line(error: BaseException) -> str:
    """The driver's own words, without the statement and its values."""
    lines = str(error).strip().splitlines()
    return lines[0][:_MAX_WORDS] if lines else type(error).__name__
