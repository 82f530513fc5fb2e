"""The envelope of every kie.ai answer: ``{"code": 200, "msg": "success", "data": ...}``.

kie reports most errors in the member ``code`` of the body under HTTP 200, but real HTTP statuses
occur as well, so both are judged: the code first, then the status, then whether ``data`` is there.
Source: https://docs.kie.ai/common-api/get-account-credits
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import timedelta
from typing import Any, NoReturn

from monitor.core.advice import Cause
from monitor.core.model import Reason
from monitor.providers.base import PollError
from monitor.providers.exchange import Answer
from monitor.providers.judge import (
    LONGEST_WAIT,
    Words,
    check_status,
    reason_of_status,
    try_decode,
    waiting_time,
)

_SUCCESS = 200
_BY_CODE = {
    400: Reason.BAD_RESPONSE,
    401: Reason.UNAUTHORIZED,
    402: Reason.OUT_OF_CREDITS,
    403: Reason.FORBIDDEN,
    404: Reason.NOT_FOUND,
    422: Reason.BAD_RESPONSE,
    429: Reason.RATE_LIMITED,
    433: Reason.KEY_CAPPED,  # not in the documented list; seen in live answers of capped keys
    455: Reason.MAINTENANCE,
    500: Reason.SERVER_ERROR,
    501: Reason.SERVER_ERROR,
    505: Reason.UNSUPPORTED,
}

_CAPS = (
    (re.compile("hourly", re.IGNORECASE), Cause.HOURLY_CAP),
    (re.compile("daily", re.IGNORECASE), Cause.DAILY_CAP),
    (re.compile("total", re.IGNORECASE), Cause.TOTAL_CAP),
)
"""The word that tells which cap is reached; the rest of the text has varied already."""

_REFUSALS = (
    (re.compile(r"white.?list|allow.?list|\bips?\b|白名单", re.IGNORECASE), Cause.IP_NOT_ALLOWED),
    (
        re.compile(
            r"\baccount\b.{0,40}\b(disabled|suspended|banned|blocked|frozen|restricted)\b",
            re.IGNORECASE,
        ),
        Cause.ACCOUNT_BLOCKED,
    ),
    (re.compile(r"\bexpired\b|过期", re.IGNORECASE), Cause.KEY_EXPIRED),
    (
        re.compile(
            r"\b(disabled|deactivated|inactive|not active|suspended|revoked|deleted)\b|禁用|停用",
            re.IGNORECASE,
        ),
        Cause.KEY_DISABLED,
    ),
)
"""What tells a key that is known from one that is wrong.  kie documents no text of either, so what
is not recognised stays what the code alone says."""

_REFUSED_AS = {
    Cause.IP_NOT_ALLOWED: Reason.FORBIDDEN,
    Cause.ACCOUNT_BLOCKED: Reason.FORBIDDEN,
    Cause.KEY_EXPIRED: Reason.UNAUTHORIZED,
    Cause.KEY_DISABLED: Reason.UNAUTHORIZED,
}

_WAIT = re.compile(
    r"(?<![\w.,])(\d{1,3}(?:,\d{3})+|\d{1,7})(?P<part>\.\d{1,9})? ?"
    r"(?:(?P<s>s|secs?|seconds?)|(?P<m>m|mins?|minutes?)|(?P<h>h|hours?))\b",
    re.IGNORECASE | re.ASCII,
)
_UNITS = {"s": timedelta(seconds=1), "m": timedelta(minutes=1), "h": timedelta(hours=1)}


def data_of(answer: Answer, secrets: Iterable[str]) -> object:
    """The member ``data`` of a successful *answer*; raises :class:`PollError`.

    The text of the error is free of *secrets*; it names the cause where the answer tells one.
    """
    document, unreadable = try_decode(answer.body)
    try:
        members = _checked(answer, document, Words(document, secrets), unreadable)
    except PollError as error:
        failure = _explained(error)
    else:
        return members["data"]
    raise failure


def _checked(
    answer: Answer, document: object, words: Words, unreadable: PollError | None
) -> dict[str, Any]:
    members = document if isinstance(document, dict) else {}
    code = _number(members.get("code"))
    if code is not None and code != _SUCCESS:
        _refuse(code, answer, words)
    check_status(answer, words)
    if unreadable:
        raise unreadable
    if code is None:
        _refuse_without_code(members, words)
    if "data" not in members:
        raise PollError(Reason.BAD_RESPONSE, "data is missing")
    return members


def _refuse(code: int, answer: Answer, words: Words) -> NoReturn:
    """Raise what *code* means; an unknown one says less than an HTTP status that is an error."""
    if code not in _BY_CODE:
        check_status(answer, words)
    reason = _BY_CODE.get(code, Reason.BAD_RESPONSE)
    raise PollError(reason, words.after(f"code {code}"), retry_after=waiting_time(answer))


def _refuse_without_code(members: dict[str, Any], words: Words) -> NoReturn:
    """Raise for an answer under HTTP 200 that is no envelope of kie's, perhaps Spring's own."""
    status = _number(members.get("status"))
    reason = reason_of_status(status) if status is not None else None
    if reason is None:
        raise PollError(Reason.BAD_RESPONSE, "code is missing")
    raise PollError(reason, words.after(f"status {status}"))


def _number(value: object) -> int | None:
    """A code as a number, also when it comes as text."""
    if isinstance(value, str) and re.fullmatch(r"\d{1,5}", value, re.ASCII):
        return int(value)
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _explained(error: PollError) -> PollError:
    """*error* with its cause in front, and the waiting time that its words name."""
    wait = error.retry_after
    texts: tuple[tuple[re.Pattern[str], Cause], ...] = _REFUSALS
    match error.reason:
        case Reason.KEY_CAPPED:
            texts, wait = _CAPS, wait or _named_wait(error.detail)
        case Reason.RATE_LIMITED:
            return PollError(
                error.reason, error.detail, retry_after=wait or _named_wait(error.detail)
            )
        case Reason.UNAUTHORIZED | Reason.FORBIDDEN:
            pass
        case _:
            return error
    cause = next((cause for pattern, cause in texts if pattern.search(error.detail)), None)
    if cause is None:
        return PollError(error.reason, error.detail, retry_after=wait)
    reason = _REFUSED_AS.get(cause, error.reason)
    return PollError(reason, f"{cause} ({error.detail})", retry_after=wait)


def _named_wait(detail: str) -> timedelta | None:
    """The waiting time in words such as ``Try again in 300 seconds``, rounded up, at most a day."""
    found = _WAIT.search(detail)
    if found is None:
        return None
    unit = next(name for name in _UNITS if found[name])
    number = int(found[1].replace(",", "")) + (found["part"] is not None)
    return min(number * _UNITS[unit], LONGEST_WAIT)
