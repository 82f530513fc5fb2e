"""When a broken or ending login is renewed by itself, and what became of it."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from monitor.core.model import Kind, Reading, Reason

RENEW_BEFORE = timedelta(days=1)
"""A session that ends sooner is renewed, before work fails because of it."""

EVERY = timedelta(hours=1)
"""At most one try per account in this time, whatever happens: logins that fail lock accounts."""

LONGEST_WAIT = timedelta(days=1)
"""Each try that failed doubles the wait, up to this; so long, too, a session that was renewed but
still ends soon is left alone."""

SESSION = "/session"


def session_meter(meter: str) -> str:
    """The meter of the login behind the account that *meter* stands for."""
    return f"{meter}{SESSION}"


class Outcome(StrEnum):
    """What became of a renewal; ``begun`` is written before it is tried."""

    BEGUN = "begun"
    RENEWED = "renewed"
    FAILED = "failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Renewal:
    """The last renewal of a meter's login: when it began, what became of it, and why not.

    ``failures`` is how many failed in a row; one that was begun and never ended counts as failed.
    """

    key: str
    meter: str
    at: datetime
    outcome: Outcome
    detail: str = ""
    failures: int = 0


def due(
    reading: Reading,
    renewable: Collection[str],
    last: Mapping[tuple[str, str], Renewal],
    now: datetime,
) -> list[str]:
    """The meters of *renewable* whose login is broken or ends soon, and may be renewed now."""
    broken = {f.meter for f in reading.failures if f.reason is Reason.SESSION_BROKEN}
    ending = {
        m.meter.removesuffix(SESSION)
        for m in reading.meters
        if m.kind is Kind.SESSION and m.expires_at is not None and m.expires_at - now < RENEW_BEFORE
    }
    return [
        meter
        for meter in sorted(renewable)
        if (meter in broken or meter in ending)
        and _may_try(last.get((reading.key, meter)), now, is_broken=meter in broken)
    ]


def _may_try(last: Renewal | None, now: datetime, *, is_broken: bool) -> bool:
    if last is None:
        return True
    wait = EVERY * 2 ** min(max(last.failures - 1, 0), 10)
    if last.outcome is Outcome.RENEWED and not is_broken:
        wait = LONGEST_WAIT
    passed = now - last.at
    # A clock that was set back must not stop renewals until it has caught up.
    return passed >= min(wait, LONGEST_WAIT) or passed <= -EVERY
