"""One map from answers to failures: HTTP status, waiting time, strict JSON, safe texts, amounts."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterable
from datetime import timedelta
from decimal import Decimal
from email.utils import parsedate_to_datetime
from typing import Any, NoReturn
from urllib.parse import quote, quote_plus

from monitor.core.fields import parse_amount
from monitor.core.model import Reason
from monitor.providers.base import PollError
from monitor.providers.exchange import Answer

TEXT_LIMIT = 200
"""Characters of a provider's own words that are shown and stored."""

LONGEST_WAIT = timedelta(days=1)
"""However long a provider asks us to wait, a key is tried once a day."""

_BY_STATUS = {
    401: Reason.UNAUTHORIZED,
    402: Reason.OUT_OF_CREDITS,
    403: Reason.FORBIDDEN,
    404: Reason.NOT_FOUND,
    407: Reason.CONNECTION,  # sent by a proxy
    408: Reason.TIMEOUT,
    410: Reason.NOT_FOUND,
    429: Reason.RATE_LIMITED,
    451: Reason.FORBIDDEN,
}


def reason_of_status(status: int) -> Reason | None:
    """What an HTTP status alone means; None for a success that may carry an amount."""
    if 200 <= status < 300 and status != 204:  # noqa: PLR2004 - the numbers of the standard
        return None
    if status >= 500:  # noqa: PLR2004 - the 5xx class and what servers invent above it
        return Reason.SERVER_ERROR
    return _BY_STATUS.get(status, Reason.BAD_RESPONSE)


class Words:
    """What the provider says in its own words; made safe to show, and only when it is needed."""

    __slots__ = ("_document", "_secrets")

    def __init__(self, document: object, secrets: Iterable[str]) -> None:
        self._document = document
        self._secrets = secrets

    def after(self, label: str) -> str:
        """*label* with the words behind it, or alone where the provider says nothing."""
        text = presentable(words_in(self._document), self._secrets)
        return f"{label}: {text}" if text else label


def check_status(answer: Answer, words: Words) -> None:
    """Raise the failure that the status of *answer* means, if it means one."""
    reason = reason_of_status(answer.status)
    if reason is None:
        return
    if answer.status == 503 and _speaks_of_maintenance(answer):  # noqa: PLR2004 - the number of the standard
        reason = Reason.MAINTENANCE
    detail = words.after(f"HTTP {answer.status}")
    raise PollError(reason, detail, retry_after=waiting_time(answer))


def _speaks_of_maintenance(answer: Answer) -> bool:
    words = answer.body[:65536].lower()
    return b"maintenance" in words or any(
        "maintenance" in v.lower() for v in answer.headers.values()
    )


def waiting_time(answer: Answer) -> timedelta | None:
    """``Retry-After`` of *answer*, at most a day; None where it is missing or makes no sense.

    A date is counted from the answer's own ``Date``, so that a wrong clock here does not matter.
    Source: RFC 9110 section 10.2.3.
    """
    value = answer.headers.get("Retry-After", "").strip()
    if re.fullmatch(r"\d{1,9}", value, re.ASCII):
        return min(timedelta(seconds=int(value)), LONGEST_WAIT)
    try:
        wait = parsedate_to_datetime(value) - parsedate_to_datetime(answer.headers.get("Date", ""))
    except (ValueError, TypeError, OverflowError):  # no date, or one with and one without a zone
        return None
    return min(max(wait, timedelta(0)), LONGEST_WAIT)


def decode(body: bytes) -> Any:
    """The JSON document in *body* with exact decimals; raises ``bad_response`` for anything else.

    Refused are ``NaN`` and ``Infinity`` (not JSON, but Python's parser takes them), a name that
    appears twice in one object, and nesting too deep to parse.
    """
    if not body.strip():
        raise PollError(Reason.BAD_RESPONSE, "the answer is empty")
    try:
        return _DECODER.decode(body.decode("utf-8-sig"))
    except UnicodeDecodeError:
        detail = "the answer is not UTF-8"
    except _UnclearError as error:
        detail = str(error)
    except (ValueError, ArithmeticError, RecursionError):
        detail = "the answer is not JSON"
    raise PollError(Reason.BAD_RESPONSE, detail)


def try_decode(body: bytes) -> tuple[Any, PollError | None]:
    """The document, or None and what is wrong: an error status says more than its body."""
    try:
        return decode(body), None
    except PollError as error:
        return None, error


class _UnclearError(ValueError):
    """JSON that two parsers would read differently."""


def _refuse_constant(name: str) -> NoReturn:
    raise _UnclearError(f"the answer holds {name}, which is not JSON")


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise _UnclearError("the answer names a member twice")
    return members


_DECODER = json.JSONDecoder(
    parse_float=Decimal, parse_constant=_refuse_constant, object_pairs_hook=_object
)


def exact(value: object) -> Decimal:
    """The exact amount in *value*, a JSON number or decimal text; raises ``ValueError``.

    The text of the error goes on after a name ("is null") and never repeats the value.
    """
    if value is None:
        raise ValueError("is null")
    if isinstance(value, dict | list):
        raise ValueError("is a list or object, not a number")  # noqa: TRY004 - bad data, not a bug
    return parse_amount(value)


def amount(value: object, path: str) -> Decimal:
    """The exact amount in *value*; raises ``bad_response`` that names *path*."""
    try:
        return exact(value)
    except ValueError as error:
        problem = f"{path} {error}"
    raise PollError(Reason.BAD_RESPONSE, problem)


def words_in(document: object) -> str:
    """What the provider says in its own words, empty if nothing; not yet safe to show."""
    if not isinstance(document, dict):
        return ""
    errors = document.get("errors")
    first = errors[0] if isinstance(errors, list) and errors else errors
    for found in (*map(document.get, _WORDS), first):
        text = found.get("message", found.get("error")) if isinstance(found, dict) else found
        if isinstance(text, str) and text.strip():
            return text
    return ""


_WORDS = ("msg", "message", "error", "detail", "err_msg", "code_msg")
"""Members that hold a provider's words, as text or as an object with a ``message``."""


def presentable(text: str, secrets: Iterable[str]) -> str:
    """*text* on one line, without control characters and *secrets*, cut to a readable length."""
    visible = (" " if c.isspace() else c for c in text[:10_000] if c.isspace() or c.isprintable())
    line = " ".join("".join(visible).split())
    for secret in secrets:
        for form in _forms(secret):
            line = re.sub(re.escape(form), "***", line, flags=re.IGNORECASE)
    return line if len(line) <= TEXT_LIMIT else line[: TEXT_LIMIT - 1] + "…"


def _forms(secret: str) -> Iterable[str]:
    """*secret* as it may come back: bare, in a URL, in base64 (alone, as user, as password)."""
    yield secret
    yield quote(secret)
    yield quote(secret, safe="")
    yield quote_plus(secret)
    for text in (secret, f"{secret}:", f":{secret}"):
        encoded = text.encode()
        yield base64.b64encode(encoded).decode().rstrip("=")
        yield base64.urlsafe_b64encode(encoded).decode().rstrip("=")
