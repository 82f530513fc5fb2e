"""Feeds the forecasts of all balances from their ledgers, and asks them no more than needed."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from monitor.core.forecast import ForecastState, Step, Usual, advance, forecast, usual
from monitor.core.forecast.state import HOUR, burn_since
from monitor.core.ledger import LedgerState
from monitor.core.projection import Projection
from monitor.store.base import Changes, StoredForecast
from monitor.world import World

Slot = tuple[str, str]
"""(subject id, meter) of a balance."""

_NEAR = 0.5
"""Below this share of what would be a spike, a burn is not looked at more closely."""

_WINDOW = 1200.0
"""Seconds whose burn tells whether to look: those that ``usual`` looks at."""


@dataclass(frozen=True, slots=True)
class _Normal:
    """From which burn per hour on it would be a spike, as of this hour."""

    hour: int
    limit: float


class Foresight:
    """The part of the pipeline that looks ahead."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._saved: dict[Slot, int] = {}  # the hour of the last state handed to the store
        self._normal: dict[Slot, _Normal] = {}

    def enter(
        self, slot: Slot, before: LedgerState | None, after: LedgerState, changes: Changes
    ) -> None:
        """One reading has led the ledger of *slot* from *before* to *after*.

        *before* None: the ledger was opened or reopened, so nothing is known of the time until now.
        A state is saved once an hour; what a crash loses of it,
        :func:`~monitor.core.projection.caught_up` gets back.
        """
        state = self._world.forecasts.get(slot)
        if before is None:
            step = Step(since=after.at, at=after.at)
        else:
            step = Step(
                since=before.at,
                at=after.at,
                consumed=float(after.consumed_total - before.consumed_total),
                topped_up=float(after.topped_up_total - before.topped_up_total),
                refunded=float(after.refunded_total - before.refunded_total),
            )
        state = self._world.forecasts[slot] = advance(state, step)
        hour = int(state.at // HOUR)
        if self._saved.get(slot) != hour:
            self._saved[slot] = hour
            changes.forecasts.append(_stored(slot, after, state))

    def forget(self, slot: Slot) -> None:
        """What was learned of another unit is worth nothing."""
        for known in (self._world.forecasts, self._world.projections, self._normal, self._saved):
            known.pop(slot, None)

    def project(self, slot: Slot, at: datetime, balance: float) -> Projection:
        """The forecast for *balance*, made anew only where the last one does not hold any more."""
        last = self._world.projections.get(slot)
        if last is None or not last.holds(at, balance):
            found = forecast(self._world.forecasts.get(slot), at, balance)
            last = self._world.projections[slot] = Projection(at, balance, found)
        return last

    def usual(self, slot: Slot, at: datetime, *, firing: bool) -> Usual | None:
        """The burn beside the normal one; None where it is far from a spike or not known."""
        state = self._world.forecasts.get(slot)
        if state is None:
            return None
        hour = int(state.at // HOUR)
        normal = self._normal.get(slot)
        if not firing:
            burn = burn_since(state, state.at - _WINDOW) * HOUR / _WINDOW
            if not burn or (normal and normal.hour == hour and burn < _NEAR * normal.limit):
                return None
        found = usual(state, at)
        if found is not None:
            limit = found.burn_per_hour / found.surprise if found.surprise > 0 else 0.0
            self._normal[slot] = _Normal(hour, limit)
        return found

    def finish(self, changes: Changes) -> None:
        """Save every state as it is."""
        for slot, state in self._world.forecasts.items():
            ledger = self._world.ledgers.get(slot)
            if ledger is not None:
                changes.forecasts.append(_stored(slot, ledger, state))


def _stored(slot: Slot, ledger: LedgerState, state: ForecastState) -> StoredForecast:
    return StoredForecast(
        subject_id=slot[0],
        meter=slot[1],
        consumed_total=ledger.consumed_total,
        refunded_total=ledger.refunded_total,
        state=state,
    )
