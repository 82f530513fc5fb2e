"""Telling the loss of this host's own network from the outages of providers.  Pure."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime, timedelta

from monitor.core.model import KeyState, Reason
from monitor.core.rules.silent import FAILED_POLLS

UNREACHABLE = frozenset({Reason.TIMEOUT, Reason.CONNECTION, Reason.TLS})
"""Failures in which no provider has answered.  TLS is among them: a portal or proxy that steps in
between fails the certificates of all providers alike."""

SITES_OF_A_LOSS = 2
"""With one provider its outage and the loss of our network look the same."""

AT_ONCE = timedelta(minutes=2)
"""A network that is going away may let one provider through a little longer than another."""


def has_answered(state: KeyState) -> bool:
    """Whether the last poll of the key got any answer from its provider, a refusal included."""
    return state.last_poll_at is not None and state.reason not in UNREACHABLE


def lost_since(
    sites: Collection[Collection[KeyState]], watching_since: datetime
) -> datetime | None:
    """Since when no provider can be reached; None if any can, or as far as is known.

    *sites* are the keys by what fails together.  Two sites at least must have become unreachable
    at once, after the last answer that any key got; a site that has failed for longer, or was not
    asked since, says nothing.  Only polls at *watching_since* or later tell of the present.
    """
    last = max((at for site in sites for s in site if (at := _answered_at(s))), default=None)
    earliest = None if last is None else last - AT_ONCE
    begins = [
        min(begin)
        for site in sites
        if (begin := [b for s in site if (b := _begin(s, earliest, watching_since))])
    ]
    return min(begins) if len(begins) >= SITES_OF_A_LOSS else None


def _answered_at(state: KeyState) -> datetime | None:
    return state.last_poll_at if has_answered(state) else state.last_success_at


def _begin(state: KeyState, earliest: datetime | None, watching_since: datetime) -> datetime | None:
    """Since when the key is unreachable, if it became so at *earliest* or later."""
    since, polled = state.failing_since, state.last_poll_at
    if state.reason not in UNREACHABLE or state.failures < FAILED_POLLS or since is None:
        return None
    if polled is None or polled < watching_since:
        return None
    return since if earliest is None or since >= earliest else None
