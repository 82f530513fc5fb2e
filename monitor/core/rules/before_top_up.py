"""``before_top_up``: the balance runs out before the next top-up is expected."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from itertools import pairwise
from statistics import median
from typing import ClassVar

from monitor.core.model import Severity
from monitor.core.rules.base import MeterView, RuleParameters, Verdict
from monitor.core.rules.runway import RAISED_AT

LEAST_TOP_UPS = 4
"""So many top-ups, hence three times between them, show whether there is a rhythm."""

REGULAR = 0.2
"""Times between top-ups are a rhythm if each is within this share of their median."""

CLEAR_SHARE = 1.3
"""It resolves when the runway is longer than the time until the top-up by this factor."""

DAY = timedelta(days=1)


class BeforeTopUp(RuleParameters):
    """Tell, as warning, when the balance will not last until the next top-up of its rhythm.

    Silent where top-ups come at no regular times: those follow the balance, and ``runway`` and
    ``low_balance`` speak of that.  It has no parameters.
    """

    name: ClassVar[str] = "before_top_up"

    def judge(self, view: MeterView) -> Verdict:
        """Breach while the runway ends more than a tenth before the expected top-up."""
        due = next_top_up(view.ledger.top_ups if view.ledger else ())
        runway = view.runway_quantile(RAISED_AT) if due else None
        if due is None or runway is None or due <= view.at:
            return view.ok() if view.firing else Verdict.unknown()
        facts = view.facts(top_up_at=due, top_up_url=view.top_up_url)
        wait = due - view.at
        lasts = runway >= wait * CLEAR_SHARE if view.firing else runway >= wait * 0.9
        return Verdict.ok(facts) if lasts else Verdict.breach(Severity.WARNING, facts)


def next_top_up(times: Sequence[datetime]) -> datetime | None:
    """When the next top-up is due by the rhythm of the last ones, oldest first; None without one.

    Only rhythms of a day and more count: what comes faster follows the consumption.
    """
    if len(times) < LEAST_TOP_UPS:
        return None
    spans = [later - earlier for earlier, later in pairwise(times)]
    usual = median(span.total_seconds() for span in spans)
    if usual < DAY.total_seconds():
        return None
    if any(abs(span.total_seconds() - usual) > REGULAR * usual for span in spans):
        return None
    return times[-1] + timedelta(seconds=usual)
