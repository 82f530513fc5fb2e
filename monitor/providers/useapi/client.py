"""Calls to useapi.net, and what its answers mean before anybody looks at an amount.

Sources: https://useapi.net/docs/account-management/get-account and, for the error statuses,
errors/useapi-problem-types.yml of https://github.com/api-evangelist/useapi.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any, NoReturn

from monitor.core.model import Reason
from monitor.providers.base import PollError
from monitor.providers.exchange import Answer, Request
from monitor.providers.judge import (
    LONGEST_WAIT,
    Words,
    check_status,
    try_decode,
    waiting_time,
    words_in,
)

if TYPE_CHECKING:
    from monitor.providers.http import HttpClient

BASE_URL = "https://api.useapi.net"

SESSION_BROKEN = 596
"""Outside the registered range of HTTP statuses: the login of a linked account is broken."""

_PAYMENT, _NO_CREDITS, _SERVER_ERROR, _NOT_FOUND = 402, 412, 500, 404
_FIRST_ERROR = 400
_EMAIL = re.compile(r"[^\s@\"'<>(),;]+@[^\s@\"'<>(),;]+")
_LOGIN_FAILED = re.compile(r"log[ -]?in failed|password is incorrect", re.IGNORECASE)
_CREDITS = re.compile(r"credit|points", re.IGNORECASE)
_NOTHING_LINKED = re.compile(r"\A\s*(?:configuration not found|\Z)", re.IGNORECASE)


class NothingLinkedError(PollError):
    """No account of this service is linked: an answer, and no failure."""

    def __init__(self) -> None:
        super().__init__(Reason.NOT_FOUND, "no account is linked")


@dataclass(frozen=True, slots=True, kw_only=True)
class Client:
    """The calls of one token; ``secrets`` are never shown, nor is any e-mail address."""

    url: str = field(repr=False)
    token: str = field(repr=False)
    plain_http_host: str = ""
    secrets: tuple[str, ...] = field(default=(), repr=False)

    async def get(self, http: HttpClient, path: str, *, seconds: float) -> Any:
        """The document at *path*; raises :class:`PollError`."""
        return await self._call(http, "GET", path, None, seconds)

    async def post(
        self, http: HttpClient, path: str, document: Mapping[str, Any], *, seconds: float
    ) -> Any:
        """The answer to *document*; raises :class:`PollError`."""
        return await self._call(http, "POST", path, json.dumps(document).encode(), seconds)

    async def _call(
        self, http: HttpClient, method: str, path: str, body: bytes | None, seconds: float
    ) -> Any:
        if seconds <= 0:
            raise PollError(Reason.TIMEOUT, "no time was left for this call: raise timeout")
        headers = {"Authorization": f"Bearer {self.token}", "Content-Type": "application/json"}
        request = Request(method, self.url.rstrip("/") + path, headers, body, self.plain_http_host)
        return self.judge(await http.fetch(request, timeout=seconds))

    def judge(self, answer: Answer) -> Any:
        """The document in *answer*; raises :class:`PollError`, whose text is free of secrets.

        Useapi's own statuses come before any rule about a class of them.  An error may also stand
        in the body alone, under HTTP 200.
        """
        document, unreadable = try_decode(answer.body)
        words = Words(document, (self.token, *self.secrets))
        status = _status(answer, document)
        reason = _own_meaning(status, document)
        if reason is not None:
            detail = safe(words.after(f"HTTP {status}"))
            raise PollError(reason, detail, retry_after=_wait(answer, document))
        if status == _NOT_FOUND and _NOTHING_LINKED.match(answer.body[:200].decode("latin-1")):
            raise NothingLinkedError
        _check_general(Answer(status, answer.headers, answer.body), words, document)
        if unreadable:
            raise unreadable
        return document


def safe(text: str) -> str:
    """*text* without e-mail addresses: they name people, and alerts are read by many."""
    return _EMAIL.sub("(e-mail)", text)


def _status(answer: Answer, document: Any) -> int:
    """The HTTP status, or the ``code`` of an error that comes under HTTP 200."""
    if not isinstance(document, dict) or answer.status >= _FIRST_ERROR:
        return answer.status
    code = document.get("code")
    if isinstance(code, int) and code >= _FIRST_ERROR and document.get("error"):
        return code
    return answer.status


def _own_meaning(status: int, document: Any) -> Reason | None:
    text = words_in(document)
    if status == SESSION_BROKEN:
        return Reason.SESSION_BROKEN
    if status in {_FIRST_ERROR, _SERVER_ERROR} and _LOGIN_FAILED.search(text):
        return Reason.SESSION_BROKEN
    if status == _PAYMENT:
        return Reason.OUT_OF_CREDITS if _CREDITS.search(text) else Reason.SUBSCRIPTION_INACTIVE
    return Reason.OUT_OF_CREDITS if status == _NO_CREDITS else None


def _check_general(answer: Answer, words: Words, document: Any) -> None:
    """The general rules, with useapi's own field for the wait and without e-mail addresses."""
    try:
        check_status(answer, words)
    except PollError as error:
        reason, detail = error.reason, safe(error.detail)
    else:
        return
    raise PollError(reason, detail, retry_after=_wait(answer, document))


def _wait(answer: Answer, document: Any) -> timedelta | None:
    """``Retry-After``, else the time in ``retryAfter``, counted from the answer's own ``Date``."""
    found = waiting_time(answer)
    until = document.get("retryAfter") if isinstance(document, dict) else None
    if found is not None or not isinstance(until, str):
        return found
    try:
        sent = parsedate_to_datetime(answer.headers.get("Date", ""))
        wait = datetime.fromisoformat(until) - sent
    except (ValueError, TypeError, OverflowError):  # no time, or one with and one without a zone
        return None
    return min(max(wait, timedelta(0)), LONGEST_WAIT)


def refuse(path: str, problem: str) -> NoReturn:
    """Raise that the answer has not what it should at *path*."""
    raise PollError(Reason.BAD_RESPONSE, f"{path} {problem}")


def member(document: Any, path: str) -> Any:
    """What stands at the dotted *path*; raises ``bad_response`` that names the missing part."""
    value, place = document, ""
    for step in path.split("."):
        place = f"{place}.{step}" if place else step
        if not isinstance(value, dict) or step not in value:
            refuse(place, "is missing")
        value = value[step]
    return value
