"""Where everything recorded lives; the only place that speaks SQL."""

from __future__ import annotations

from pathlib import Path

from monitor.store.base import Store, StoreCorruptError


def open_store(url: str, *, readonly: bool = False, lock: bool = False) -> Store:
    """Open the store at *url*, created or upgraded first unless *readonly*.

    *url* is ``sqlite:///absolute/path.db`` or ``postgresql://user:password@host/database``.
    *lock* claims the store for one daemon until it is closed.  Raises
    :class:`~monitor.store.base.StoreUnusableError` if it is not ours, corrupt, written by a newer
    version or in use, and :class:`~monitor.store.base.StoreError` if it does not answer or, when
    *readonly*, does not exist yet.
    """
    from monitor.store.sql import SqlStore  # noqa: PLC0415 - SQLAlchemy takes 0.15 s to import

    return SqlStore.open(url, readonly=readonly, lock=lock)


def open_or_replace(url: str) -> tuple[Store, Path | None]:
    """Claim the store at *url* for a daemon; one that is found corrupt is set aside first.

    Returns where the corrupt file was put, if there was one.  Raises as :func:`open_store` does;
    corruption of a store on a server is raised, too.
    """
    try:
        return open_store(url, lock=True), None
    except StoreCorruptError:
        aside = set_aside(url)
        return open_store(url, lock=True), aside


def set_aside(url: str) -> Path:
    """Rename the corrupt store at *url*, which nobody uses; returns what it is called now."""
    from monitor.store.care import store_file  # noqa: PLC0415 - rarely needed

    return store_file(url).set_aside("corrupt")
