"""Why a send failed, judged once: may it pass by itself, or does somebody have to act?

The words of a :class:`Delivery` are made here and hold no URL, token, chat id or address: status
codes, words from closed sets, and one provider's sentence with everything from the URL taken out.
"""

from __future__ import annotations

import json
import re
import smtplib
import socket
import ssl
from collections.abc import Callable, Iterator, Sequence
from datetime import timedelta
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import Any
from urllib.parse import unquote

import requests

from monitor.core.pen import plain
from monitor.core.wording import clip
from monitor.delivery.base import Delivery, Outcome
from monitor.delivery.wire import Answer, Heard

LONGEST_WAIT = timedelta(days=1)
"""A longer Retry-After is taken as this."""

_MAY_PASS = {
    HTTPStatus.REQUEST_TIMEOUT,
    HTTPStatus.TOO_EARLY,
    HTTPStatus.TOO_MANY_REQUESTS,
}

_SLACK_MAY_PASS = {
    "fatal_error",
    "internal_error",
    "ratelimited",
    "rate_limited",
    "request_timeout",
    "rollup_error",
    "service_unavailable",
    "team_added_to_org",
}
"""Errors of docs.slack.dev/reference/methods/chat.postMessage that say: try again."""

_ERROR_WORD = re.compile(r"[a-z][a-z_]{2,39}")
_SMTP_STATUS = re.compile(r"\b([245]\.\d{1,3}\.\d{1,3})\b")
_SHORTEST_SECRET = 4

Scrub = Callable[[str], str]


def scrubber(url: str) -> Scrub:
    """What takes every part of *url* (host, user, token, chat id, topic) out of a text."""
    split = re.compile(r"[/:@?&=#,;%+<>\s]+")
    parts = {part.strip("-.") for text in (url, unquote(url)) for part in split.split(text)}
    secrets = sorted((p for p in parts if len(p) >= _SHORTEST_SECRET), key=len, reverse=True)
    pattern = re.compile("|".join(map(re.escape, secrets)) or r"(?!)", re.IGNORECASE)
    return lambda text: pattern.sub("[hidden]", text)


def judge(heard: Heard, scrub: Scrub) -> Delivery:
    """What a failed send was; of several failures the last one counts, an unknown one may pass."""
    for event in reversed(heard):
        if isinstance(event, Exception):
            return _judge_error(event)
        verdict = _judge_answer(event, scrub)
        if verdict is not None:
            return verdict
    if heard:
        return _retry("the service answered, but not that it took the message")
    return _retry("the send failed for a reason that Apprise does not tell")


def _retry(detail: str, retry_after: timedelta | None = None) -> Delivery:
    return Delivery(outcome=Outcome.RETRY, detail=detail, retry_after=retry_after)


def _refused(detail: str) -> Delivery:
    return Delivery(outcome=Outcome.REFUSED, detail=detail)


# -- HTTP -----------------------------------------------------------------------------------


def _judge_answer(answer: Answer, scrub: Scrub) -> Delivery | None:
    """None for an answer that says all is well."""
    facts = _json_object(answer.body)
    word = _error_word(answer, facts)
    if answer.status < HTTPStatus.MULTIPLE_CHOICES:
        if facts.get("ok") is not False:
            return None
        return _retry(word) if word in _SLACK_MAY_PASS else _refused(word or "refused")
    said = word or scrub(clip(plain(str(facts.get("description") or "")), 120))
    detail = f"HTTP {answer.status}: {said}" if said else f"HTTP {answer.status}"
    if answer.status in _MAY_PASS or answer.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        return _retry(detail, _retry_after(answer, facts))
    return _refused(detail)


def _json_object(body: bytes) -> dict[str, Any]:
    try:
        facts = json.loads(body)
    except (ValueError, RecursionError):
        return {}
    return facts if isinstance(facts, dict) else {}


def _error_word(answer: Answer, facts: dict[str, Any]) -> str:
    """Slack's error code: its API has it in JSON, its webhooks answer with nothing else."""
    text = facts.get("error", "") if facts else answer.body.decode("ascii", "replace")
    return text if isinstance(text, str) and _ERROR_WORD.fullmatch(text) else ""


def _retry_after(answer: Answer, facts: dict[str, Any]) -> timedelta | None:
    """What the service asked to wait: in the header, or in the body (Telegram, Discord)."""
    parameters = facts.get("parameters")
    nested = parameters.get("retry_after") if isinstance(parameters, dict) else None
    for wish in (answer.retry_after, nested, facts.get("retry_after")):
        seconds = _seconds(wish)
        if seconds is not None:
            return min(timedelta(seconds=min(seconds, 1e6)), LONGEST_WAIT)
    return _until(answer)


def _seconds(wish: object) -> float | None:
    if isinstance(wish, bool) or not isinstance(wish, int | float | str):
        return None
    try:
        seconds = float(wish)
    except (ValueError, OverflowError):
        return None
    return seconds if seconds >= 0 else None


def _until(answer: Answer) -> timedelta | None:
    """A Retry-After that is a date counts from the answer's own Date: clocks may differ."""
    try:
        wait = parsedate_to_datetime(answer.retry_after) - parsedate_to_datetime(answer.date)
    except (ValueError, TypeError):
        return None
    return min(max(wait, timedelta(0)), LONGEST_WAIT)


# -- errors ---------------------------------------------------------------------------------


def _judge_error(error: Exception) -> Delivery:
    if isinstance(error, smtplib.SMTPException):
        verdict = _judge_smtp(error)
        if verdict is not None:
            return verdict
    chain = list(_chain(error))
    for kinds, detail in _TRANSPORT:
        if any(isinstance(link, kinds) for link in chain):
            return _retry(detail)
    return _retry(f"unexpected {type(error).__name__}")


_TRANSPORT: tuple[tuple[tuple[type[BaseException], ...], str], ...] = (
    ((requests.exceptions.Timeout, TimeoutError), "no answer in time"),
    ((ssl.SSLCertVerificationError,), "the certificate is not trusted"),
    ((ssl.SSLError, requests.exceptions.SSLError), "TLS failed"),
    ((socket.gaierror,), "the host name cannot be resolved"),
    ((requests.exceptions.ProxyError,), "the proxy failed"),
    ((ConnectionRefusedError,), "connection refused"),
    ((requests.exceptions.ConnectionError, OSError), "connection failed"),
)
"""Every trouble on the way may pass; the first row that fits names it."""


def _chain(error: BaseException) -> Iterator[BaseException]:
    """*error* and all it was raised from; urllib3 hides some of it in the arguments."""
    waiting, seen = [error], set[int]()
    while waiting:
        link = waiting.pop()
        if id(link) not in seen:
            seen.add(id(link))
            yield link
            origins = (link.__cause__, link.__context__, *link.args)
            waiting.extend(o for o in origins if isinstance(o, BaseException))


def _judge_smtp(error: smtplib.SMTPException) -> Delivery | None:
    """RFC 5321: a reply of 5xx is final, one of 4xx may pass; None for a connection that broke."""
    if isinstance(error, smtplib.SMTPNotSupportedError) or type(error) is smtplib.SMTPException:
        return _refused("the mail server does not offer what the URL asks for (TLS or login)")
    if isinstance(error, smtplib.SMTPRecipientsRefused):
        replies = [(int(code), text) for code, text in error.recipients.values()]
        return _judge_reply("the recipient was refused", replies)
    if isinstance(error, smtplib.SMTPResponseException):
        what = next((w for kind, w in _SMTP_STAGES if isinstance(error, kind)), "refused")
        return _judge_reply(what, [(error.smtp_code, error.smtp_error)])
    return None


_SMTP_STAGES: tuple[tuple[type[smtplib.SMTPException], str], ...] = (
    (smtplib.SMTPAuthenticationError, "the login was refused"),
    (smtplib.SMTPSenderRefused, "the sender was refused"),
    (smtplib.SMTPDataError, "the message was refused"),
    (smtplib.SMTPConnectError, "the mail server refused the connection"),
    (smtplib.SMTPHeloError, "the mail server refused the greeting"),
)


def _judge_reply(what: str, replies: Sequence[tuple[int, bytes | str]]) -> Delivery:
    code, text = replies[0]
    words = text.decode("ascii", "replace") if isinstance(text, bytes) else text
    status = _SMTP_STATUS.search(words)
    detail = f"SMTP {code}{f' {status[1]}' if status else ''}: {what}"
    if all(code >= HTTPStatus.INTERNAL_SERVER_ERROR for code, _ in replies):
        return _refused(detail)
    return _retry(detail)
