"""Where everything recorded lives; the only place that speaks SQL."""

from __future__ import annotations

from monitor.store.base import Store


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
