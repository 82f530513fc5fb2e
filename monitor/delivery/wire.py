"""What really happened while an Apprise plugin sent: HTTP answers and errors, heard by thread.

Apprise tells only whether a send worked, but why it did not decides whether to try again.  So this
listens where its plugins go through: ``requests.Session.send`` and four documented methods of
``smtplib.SMTP``.  Only what a thread does inside :func:`listen` is heard, nobody else's traffic.
The reasons are in docs/decisions/0009-apprise-why-a-send-failed.md.
"""

from __future__ import annotations

import functools
import smtplib
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import requests

BODY_KEPT = 4096


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """One HTTP answer: status, two headers as received, and the beginning of the body."""

    status: int
    retry_after: str = ""
    date: str = ""
    body: bytes = b""


Heard = list[Answer | Exception]
"""What a send met with, in order."""


class _Ear(threading.local):
    heard: Heard | None = None


_ear = _Ear()


@contextmanager
def listen() -> Iterator[Heard]:
    """Hear what this thread's sends meet with, for the length of the block."""
    heard: Heard = []
    _ear.heard = heard
    try:
        yield heard
    finally:
        _ear.heard = None


def _audible(method: Callable[..., Any]) -> Callable[..., Any]:
    """*method* unchanged, but what it returns or raises can be heard."""

    @functools.wraps(method)
    def audible(*args: Any, **kwargs: Any) -> Any:
        try:
            result = method(*args, **kwargs)
        except Exception as error:  # only looked at: it goes on to the caller
            if _ear.heard is not None:
                _ear.heard.append(error)
            raise
        if _ear.heard is not None and isinstance(result, requests.Response):
            _ear.heard.append(_answer(result))
        return result

    return audible


def _answer(response: requests.Response) -> Answer:
    return Answer(
        status=response.status_code,
        retry_after=response.headers.get("Retry-After", ""),
        date=response.headers.get("Date", ""),
        body=response.content[:BODY_KEPT],
    )


def _install() -> None:
    for owner, names in (
        (requests.Session, ("send",)),
        (smtplib.SMTP, ("__init__", "starttls", "login", "sendmail")),
    ):
        for name in names:
            setattr(owner, name, _audible(getattr(owner, name)))


_install()
