"""Feeds the forecasts of all balances from their ledgers, and asks them no more than needed."""

from __future__ import annotations

from datetime import datetime

from monitor.core.forecast import ForecastState, Step, Usual, advance, forecast, usual
from monitor.core.ledger import LedgerState
from monitor.core.projection import Projection
from monitor.store.base import Changes, StoredForecast
from monitor.world import World

Slot = tuple[str, str]
"""(subject id, meter) of a balance."""

_HOUR = 3600.0


class Foresight:
    """The part of the pipeline that looks ahead."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._saved: dict[Slot, int] = {}  # the hour of the last state handed to the store

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
        hour = int(state.at // _HOUR)
        if self._saved.get(slot) != hour:
            self._saved[slot] = hour
            changes.forecasts.append(_stored(slot, after, state))

    def forget(self, slot: Slot) -> None:
        """What was learned of another unit is worth nothing."""
        for known in (self._world.forecasts, self._world.projections, self._saved):
            known.pop(slot, None)

    def project(self, slot: Slot, at: datetime, balance: float) -> Projection:
        """The forecast for *balance*, made anew only where the last one does not hold any more."""
        last = self._world.projections.get(slot)
        if last is None or not last.holds(at, balance):
            found = forecast(self._world.forecasts.get(slot), at, balance)
            last = self._world.projections[slot] = Projection(at, balance, found)
        return last

    def usual(self, slot: Slot, at: datetime) -> Usual | None:
        """The burn of the last minutes beside the normal one; None where too little is known."""
        return usual(self._world.forecasts.get(slot), at)

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
