"""Retention, a bounded piece of work at a time."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Connection

from monitor.store.base import Retention


class Thinner:
    """placeholder"""

    def thin(self, connection: Connection, now: datetime, retention: Retention) -> int:
        return 0
