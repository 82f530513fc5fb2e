"""Why a send failed: one sentence per row."""

from __future__ import annotations

import smtplib
from datetime import timedelta

import pytest

from monitor.delivery.base import Delivery, Outcome
from monitor.delivery.outcome import judge, scrubber
from monitor.delivery.wire import Answer

scrub = scrubber("tgram://123456:AAF-token/-100200300")

RETRY, REFUSED = Outcome.RETRY, Outcome.REFUSED


def answer(status: int, body: bytes = b"", **headers: str) -> Answer:
    return Answer(status=status, body=body, **headers)


JUDGED: dict[str, tuple[list[Answer | Exception], Outcome, str]] = {
    "nothing heard": ([], RETRY, "the send failed for a reason that Apprise does not tell"),
    "only good answers": (
        [answer(200)],
        RETRY,
        "the service answered, but not that it took the message",
    ),
    "the last failure counts": ([answer(500), answer(403), answer(200)], REFUSED, "HTTP 403"),
    "an error after an answer": ([answer(403), TimeoutError()], RETRY, "no answer in time"),
    "an error nobody expected": ([KeyError("secret")], RETRY, "unexpected KeyError"),
    "a body that is no JSON": ([answer(400, b"<html>")], REFUSED, "HTTP 400"),
    "a body that is no object": ([answer(400, b"[1]")], REFUSED, "HTTP 400"),
    "a body nested without end": ([answer(400, b"[" * 4000)], REFUSED, "HTTP 400"),
    "a description that names the chat": (
        [answer(400, b'{"description": "no chat -100200300 for AAF-token"}')],
        REFUSED,
        "HTTP 400: no chat -[hidden] for [hidden]",
    ),
    "an error that is no word": ([answer(400, b'{"error": {"a": 1}}')], REFUSED, "HTTP 400"),
    "a refusal without a word": ([answer(200, b'{"ok": false}')], REFUSED, "refused"),
    "a server with no way to log in in common": (
        [smtplib.SMTPException("No suitable authentication method found.")],
        REFUSED,
        "the mail server does not offer what the URL asks for (TLS or login)",
    ),
    "one of two recipients refused for now": (
        [smtplib.SMTPRecipientsRefused({"a@b": (550, b"no"), "c@d": (450, b"later")})],
        RETRY,
        "SMTP 550: the recipient was refused",
    ),
    "a login that failed for now": (
        [smtplib.SMTPAuthenticationError(454, b"4.7.0 later")],
        RETRY,
        "SMTP 454 4.7.0: the login was refused",
    ),
    "a connection that broke": ([smtplib.SMTPServerDisconnected()], RETRY, "connection failed"),
}


@pytest.mark.parametrize(("heard", "outcome", "detail"), JUDGED.values(), ids=JUDGED)
def test_a_failure_is_judged(
    heard: list[Answer | Exception], outcome: Outcome, detail: str
) -> None:
    assert judge(heard, scrub) == Delivery(outcome=outcome, detail=detail)


DATE = "Fri, 01 May 2026 12:00:00 GMT"

WAITS = {
    "seconds in the header": (answer(429, retry_after="17"), timedelta(seconds=17)),
    "fractions of a second in the body": (
        answer(429, b'{"retry_after": 0.5}'),
        timedelta(seconds=0.5),
    ),
    "the header goes before the body": (
        answer(429, b'{"retry_after": 5}', retry_after="7"),
        timedelta(seconds=7),
    ),
    "a date counts from the answer's own": (
        answer(503, retry_after="Fri, 01 May 2026 12:02:00 GMT", date=DATE),
        timedelta(minutes=2),
    ),
    "a date that is past": (
        answer(503, retry_after="Fri, 01 May 2026 11:00:00 GMT", date=DATE),
        timedelta(0),
    ),
    "a date without another to compare": (
        answer(503, retry_after="Fri, 01 May 2026 12:02:00 GMT"),
        None,
    ),
    "a wait beyond reason": (answer(429, retry_after="1e300"), timedelta(days=1)),
    "a wait below zero": (answer(429, retry_after="-5"), None),
    "no number at all": (answer(429, b'{"retry_after": true}', retry_after="nan"), None),
    "nothing asked": (answer(500), None),
}


@pytest.mark.parametrize(("heard", "wait"), WAITS.values(), ids=WAITS)
def test_the_wish_to_wait_is_read(heard: Answer, wait: timedelta | None) -> None:
    assert judge([heard], scrub).retry_after == wait


URLS = {
    "slack": "slack://T1JJ3T3L2/A1BRTD4JD/TIiajkdnlazkcOXrIdevi7",
    "mail with an encoded password": "mailtos://robot:p%40ss%2Fword@example.org?to=ops@example.net",
    "ntfy, whose topic is the secret": "ntfys://ntfy.example/secret-topic",
}


@pytest.mark.parametrize("url", URLS.values(), ids=URLS)
def test_no_part_of_a_url_survives_scrubbing(url: str) -> None:
    parts = ["TIiajkdnlazkcOXrIdevi7", "word", "example", "secret-topic", "robot"]
    shown = scrubber(url)(f"cannot reach {url} at all")
    assert not any(part in shown for part in parts if part in url)
    assert shown.startswith("cannot reach ")
