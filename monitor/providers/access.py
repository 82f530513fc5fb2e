"""The access log: one record per request to a provider, for audit; never what may hold a secret.

Off unless a level is set on its logger (see :func:`monitor.log.set_up_access`).
"""

from __future__ import annotations

import logging
import re
from contextvars import ContextVar
from urllib.parse import urlsplit

log = logging.getLogger("monitor.access")
if log.level == logging.NOTSET:  # nobody asked for it yet
    log.setLevel(logging.CRITICAL + 1)

asking: ContextVar[str] = ContextVar("asking", default="")
"""Name of the key whose poll is under way; each poll is a task with a context of its own."""

HIDDEN_PART = "*"

_PLAIN_WORD = re.compile(r"(?:[A-Za-z][A-Za-z._-]{0,19}|v\d{1,2}(?:\.\d{1,2})?)\Z")


def enabled() -> bool:
    """Whether requests are recorded."""
    return log.isEnabledFor(logging.INFO)


def record(method: str, endpoint: str, status: str, seconds: float) -> None:
    """Record one request: *status* is that of HTTP, or why there was no answer."""
    log.info(
        "request",
        extra={
            "key": asking.get(),
            "method": method,
            "endpoint": endpoint,
            "status": status,
            "seconds": round(seconds, 3),
        },
    )


def endpoint(url: str) -> str:
    """Host and path of *url*, with every part of the path hidden that is no plain word.

    A path may hold a token or an identity: only words and versions are known not to.  Query,
    user and password are left out.
    """
    try:
        parts = urlsplit(url)
    except ValueError:  # an address that is none, and will not be asked
        return HIDDEN_PART
    place = parts.netloc.rpartition("@")[2]
    path = "/".join(
        part if not part or _PLAIN_WORD.match(part) else HIDDEN_PART
        for part in parts.path.split("/")
    )
    return place + path
