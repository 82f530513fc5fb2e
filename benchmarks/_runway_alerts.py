"""Which alerts of the rule ``runway`` there are, with its defaults, through the pipeline as
``replay`` runs it: a warning when the balance lasts less than 72 hours, critical below 24.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from benchmarks._prepaid import Account
from benchmarks._series import STEP
from monitor.core.events import Change
from monitor.core.model import Severity
from monitor.core.rules import Rules, Runway
from monitor.replay import AlertLine, Replay, Sighting, Wanted
from monitor.world import WatchedKey

LIMITS = {24: Severity.CRITICAL, 72: Severity.WARNING}
"""Hours, and what is open then, or worse."""

_ONLY_RUNWAY = Rules(
    low_balance=None, before_top_up=None, exhausted=None, silent=None, spike=None, topped_up=None
)


def open_alerts(account: Account) -> list[Severity | None]:
    """The severity of the alert that is open after each step of *account*; None: there is none."""
    key = WatchedKey(
        name="key", provider="samples", interval=timedelta(seconds=STEP), rules=_ONLY_RUNWAY
    )
    replay = Replay(lambda _: (key,), Wanted(every=0))
    found: list[Severity | None] = []
    now_open: Severity | None = None
    for sighting in _sightings(account):
        if sighting is not None:
            for line in replay.feed(sighting):
                if isinstance(line, AlertLine) and line.event.rule == Runway.name:
                    is_over = line.event.change is Change.RESOLVED
                    now_open = None if is_over else line.severity
        found.append(now_open)
    return found


def _sightings(account: Account) -> Iterator[Sighting | None]:
    """What is read after each step; None where nobody polls."""
    for index, is_polled in enumerate(account.is_polled):
        at = datetime.fromtimestamp(account.at(index), UTC)
        balance = Decimal(str(round(account.balances[index], 2)))
        yield Sighting(at, "key", "balance", balance) if is_polled else None
