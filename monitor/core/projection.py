"""A forecast as it was made a while ago, and what it says about the balance of now."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from monitor.core import wording
from monitor.core.forecast import Forecast, ForecastState, Runway, Step, advance
from monitor.core.ledger import LedgerState

LONGEST = timedelta(days=3650)
"""Ten years are as good as for ever: what lies beyond has no date."""

_MADE_ANEW_AFTER = timedelta(minutes=10)
_FALL = 1 - _MADE_ANEW_AFTER / timedelta(hours=24)
"""A forecast is made anew once the balance has fallen to this share of what it was made for: a pace
that leaves nothing within a day, the usual limit of a critical alert, is seen at once."""


@dataclass(frozen=True, slots=True)
class Projection:
    """What was forecast for *balance* at *at*.

    A forecast costs a third of a reading, so it is made every ten minutes, whenever the balance
    jumped and at every reading where little is left; else the runway shrinks with the balance.
    """

    at: datetime
    balance: float
    forecast: Forecast

    def holds(self, at: datetime, balance: float) -> bool:
        """Whether it still speaks for *balance* at *at*; a top-up always asks for a new one."""
        is_new = timedelta(0) <= at - self.at < _MADE_ANEW_AFTER
        return is_new and self.balance * _FALL <= balance <= self.balance

    def runway(self, balance: float) -> Runway | None:
        """Hours until *balance* is used up; None: not enough history."""
        made = self.forecast.runway
        if made is None or balance == self.balance:
            return made
        share = max(balance, 0.0) / self.balance if self.balance > 0 else 0.0
        if made.p50 == math.inf:
            return made
        return Runway(made.p10 * share, made.p50 * share, made.p90 * share)


@dataclass(frozen=True, slots=True, kw_only=True)
class Outlook:
    """When a balance runs out, for people: moments, and the burn per hour to three digits.

    ``runs_out_at`` is as likely too early as too late; four of five cases lie between ``earliest``
    and ``latest``.  A moment is None where it lies beyond ten years or nothing is consumed;
    ``is_known`` is False where there is not enough history for any.
    """

    is_known: bool = False
    burn: Decimal | None = None
    runs_out_at: datetime | None = None
    earliest: datetime | None = None
    latest: datetime | None = None


def outlook(projection: Projection | None, balance: Decimal | None, at: datetime) -> Outlook:
    """What *projection* says about *balance* as of *at*."""
    if projection is None or balance is None:
        return Outlook()
    burn = rounded(projection.forecast.burn_per_hour)
    runway = projection.runway(float(balance))
    if runway is None:
        return Outlook(burn=burn)
    return Outlook(
        is_known=True,
        burn=burn,
        runs_out_at=_moment(at, runway.p50),
        earliest=_moment(at, runway.p10),
        latest=_moment(at, runway.p90),
    )


def runs_out(ahead: Outlook, now: datetime) -> str:
    """When a balance runs out, short: ``in 3 d 4 h``; empty where there is not enough history."""
    if not ahead.is_known:
        return ""
    if ahead.runs_out_at is None:
        return "not in years"
    if ahead.runs_out_at <= now:
        return "any time now"
    return f"in {wording.span(ahead.runs_out_at - now)}"


def rounded(estimate: float | None) -> Decimal | None:
    """An estimate to three digits: more would pretend to be exact; None stays None."""
    if estimate is None or not math.isfinite(estimate):
        return None
    return wording.three_digits(Decimal(estimate))


def _moment(at: datetime, hours: float) -> datetime | None:
    if hours * 3600 > LONGEST.total_seconds():
        return None
    return at + timedelta(hours=hours)


def caught_up(
    state: ForecastState, consumed: Decimal, refunded: Decimal, ledger: LedgerState | None
) -> ForecastState:
    """A *state* of a while ago with what its ledger has recorded since.

    *consumed* and *refunded* are the totals of the ledger that the state knows of.  States are
    stored once an hour and ledgers with every step, so that nothing consumed is lost by a crash: it
    is spread over the time since the state, at most an hour.
    """
    if ledger is None or ledger.consumed_total < consumed or ledger.refunded_total < refunded:
        return state  # another ledger: it was opened anew
    if ledger.consumed_total == consumed and ledger.refunded_total == refunded:
        return state
    since = datetime.fromtimestamp(state.at, UTC)
    step = Step(
        since=since,
        at=max(ledger.at, since),
        consumed=float(ledger.consumed_total - consumed),
        refunded=float(ledger.refunded_total - refunded),
    )
    return advance(state, step)
