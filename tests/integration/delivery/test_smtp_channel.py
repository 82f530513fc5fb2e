"""E-mail through real SMTP servers: plain, login, STARTTLS, TLS; refusals at every stage."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import email.policy
import logging
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from email.utils import parseaddr, parsedate_to_datetime
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
import trustme
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session
from support.charts import PNG, chart
from support.patience import HANGS

from monitor.core.messages import Message, Story
from monitor.core.model import Severity
from monitor.delivery.base import Delivery, Outcome
from monitor.delivery.senders import make_sender

PASSWORD = "p@ss/w:rd#s3cr3t"
USER = "robot"

MESSAGE = Message(
    title="CRITICAL: studio_1 has 0.90 € left & <nothing> else — soon empty",
    severity=Severity.CRITICAL,
    stories=(
        Story(
            headline="studio_1 has 0.90 € left",
            severity=Severity.CRITICAL,
            name="studio_1",
            facts=(("Balance", "0.90 €"), ("Provider says", "a & b <script>alert(1)</script>")),
            advice="Top up before it runs out.",
            link="https://kie.ai/billing?a=1&b=2",
        ),
    ),
)

ILLUSTRATED = replace(MESSAGE, charts=(chart(),))


@dataclass
class Mailbox:
    """An aiosmtpd handler that accepts mail, or refuses with the reply of a stage."""

    refuse: dict[str, str] = field(default_factory=dict)
    received: list[Envelope] = field(default_factory=list)

    async def handle_EHLO(  # noqa: N802 - the name aiosmtpd calls
        self,
        server: SMTP,
        session: Session,
        envelope: Envelope,
        hostname: str,
        responses: list[str],
    ) -> list[str]:
        session.host_name = hostname
        return [self.refuse["EHLO"]] if "EHLO" in self.refuse else responses

    async def handle_HELO(  # noqa: N802
        self, server: SMTP, session: Session, envelope: Envelope, hostname: str
    ) -> str:
        session.host_name = hostname
        return self.refuse.get("EHLO", "250 ok")

    async def handle_MAIL(  # noqa: N802
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        envelope.mail_from = address
        return self.refuse.get("MAIL", "250 ok")

    async def handle_RCPT(  # noqa: N802
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        if "RCPT" in self.refuse:
            return self.refuse["RCPT"].format(address=address)
        envelope.rcpt_tos.append(address)
        return "250 ok"

    async def handle_DATA(  # noqa: N802
        self, server: SMTP, session: Session, envelope: Envelope
    ) -> str:
        if "DATA" in self.refuse:
            return self.refuse["DATA"]
        self.received.append(envelope)
        return "250 ok"

    def mail(self) -> EmailMessage:
        [envelope] = self.received
        assert isinstance(envelope.content, bytes)
        parsed = email.message_from_bytes(envelope.content, policy=email.policy.default)
        assert isinstance(parsed, EmailMessage)
        return parsed


class Slight(Mailbox):
    """A mailbox that takes no pictures."""

    async def handle_DATA(  # noqa: N802
        self, server: SMTP, session: Session, envelope: Envelope
    ) -> str:
        if b"image/png" in (envelope.original_content or b""):
            return "552 message too large"
        return await super().handle_DATA(server, session, envelope)


class TlsController(Controller):
    """aiosmtpd's controller knocks with the certificate checks of the outside; ours is private."""

    def _trigger_server(self) -> None:
        with socket.create_connection((self.hostname, self.port), 5):
            pass


def check_login(
    server: SMTP, session: Session, envelope: Envelope, mechanism: str, data: Any
) -> AuthResult:
    assert isinstance(data, LoginPassword)
    success = (data.login, data.password) == (USER.encode(), PASSWORD.encode())
    return AuthResult(success=success, handled=False)  # not handled: the server replies 535


@pytest.fixture
def certificate(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ssl.SSLContext:
    """A server certificate for 127.0.0.1 that this process trusts."""
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.pem"))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    return context


@contextlib.contextmanager
def serving(
    mailbox: Mailbox, *, tls: ssl.SSLContext | None = None, **options: Any
) -> Iterator[int]:
    """A mail server on a free port of loopback; *tls* is spoken from the first byte."""
    kind = TlsController if tls else Controller
    controller = kind(mailbox, hostname="127.0.0.1", port=free_port(), ssl_context=tls, **options)
    controller.start()
    try:
        yield controller.port
    finally:
        controller.stop()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextlib.contextmanager
def speaking(behave: Callable[[socket.socket], None]) -> Iterator[int]:
    """A server that does to its one client what *behave* says."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            with contextlib.suppress(OSError):
                connection, _ = server.accept()
                with connection:
                    behave(connection)

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield server.getsockname()[1]
        finally:
            with contextlib.suppress(OSError):
                server.shutdown(socket.SHUT_RDWR)
            thread.join()


def url(port: int, *, scheme: str = "mailto", login: bool = False, mode: str = "") -> str:
    user = f"{USER}:{quote(PASSWORD, safe='')}@" if login else ""
    return (
        f"{scheme}://{user}127.0.0.1:{port}/?smtp=127.0.0.1&from=robot@example.org"
        f"&to=ops@example.net{f'&mode={mode}' if mode else ''}"
    )


async def send(address: str, seconds: float = 20, message: Message = MESSAGE) -> Delivery:
    return await make_sender(address, name="mail", timeout=seconds).send(message)


DELIVERED = Delivery(outcome=Outcome.DELIVERED)


# -- what arrives ---------------------------------------------------------------------------


async def test_a_mail_says_who_to_whom_what_and_when() -> None:
    mailbox = Mailbox()
    with serving(mailbox) as port:
        assert await send(url(port)) == DELIVERED
    mail = mailbox.mail()
    assert mailbox.received[0].rcpt_tos == ["ops@example.net"]
    assert mail["Subject"] == MESSAGE.title
    assert parseaddr(mail["From"])[1] == "robot@example.org"
    assert parseaddr(mail["To"])[1] == "ops@example.net"
    assert mail["Message-ID"].startswith("<")
    assert abs(parsedate_to_datetime(mail["Date"]) - datetime.now(UTC)) < timedelta(minutes=2)
    assert mail["Auto-Submitted"] == "auto-generated"


async def test_a_chart_is_shown_within_the_mail() -> None:
    mailbox = Mailbox()
    with serving(mailbox) as port:
        assert await send(url(port), message=ILLUSTRATED) == DELIVERED
    mail = mailbox.mail()
    assert mail.get_content_type() == "multipart/related"
    [picture] = [part for part in mail.walk() if part.get_content_type() == "image/png"]
    assert picture["Content-ID"] == "<chart-1.png>"
    assert picture.get_content_disposition() == "inline"
    assert bytes(picture).partition(b"\n\n")[2].startswith(base64.b64encode(PNG)[:8])
    page = mail.get_body(("html",))
    assert page is not None
    assert page.get_content().count('<img src="cid:chart-1.png" alt="Balance of studio"') == 1


async def test_a_plain_mail_has_the_chart_as_a_file() -> None:
    mailbox = Mailbox()
    with serving(mailbox) as port:
        assert await send(f"{url(port)}&format=text", message=ILLUSTRATED) == DELIVERED
    [picture] = list(mailbox.mail().iter_attachments())
    assert (picture.get_filename(), picture.get_content_type()) == ("chart-1.png", "image/png")


async def test_a_mail_refused_for_its_chart_is_sent_without() -> None:
    mailbox = Slight()
    with serving(mailbox) as port:
        assert await send(url(port), message=ILLUSTRATED) == DELIVERED
    mail = mailbox.mail()
    assert "image/png" not in [part.get_content_type() for part in mail.walk()]
    page = mail.get_body(("html",))
    assert page is not None
    assert "<img" not in page.get_content()


async def test_a_mail_refused_with_and_without_its_chart_is_refused() -> None:
    with serving(Mailbox(refuse={"DATA": "554 no thanks"})) as port:
        assert (await send(url(port), message=ILLUSTRATED)).outcome is Outcome.REFUSED


class _TextOf(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)

    def handle_data(self, data: str) -> None:
        self.text += data


async def test_a_mail_has_html_and_the_same_as_plain_text() -> None:
    mailbox = Mailbox()
    with serving(mailbox) as port:
        await send(url(port))
    html = mailbox.mail().get_body(("html",))
    text = mailbox.mail().get_body(("plain",))
    assert html is not None
    assert text is not None
    parser = _TextOf()
    parser.feed(html.get_content())
    assert "script" not in parser.tags
    assert "a & b <script>alert(1)</script>" in parser.text
    lines = text.get_content().splitlines()
    assert lines[0] == MESSAGE.title
    assert "Balance: 0.90 €" in lines
    assert "Provider says: a & b <script>alert(1)</script>" in lines
    assert "https://kie.ai/billing?a=1&b=2" in lines


async def test_the_format_of_the_url_can_ask_for_plain_text_only() -> None:
    mailbox = Mailbox()
    with serving(mailbox) as port:
        await send(f"{url(port)}&format=text")
    assert mailbox.mail().get_content_type() == "text/plain"
    assert "Balance: 0.90 €" in mailbox.mail().get_content().splitlines()


@pytest.mark.filterwarnings("ignore:Requiring AUTH while not requiring TLS:UserWarning")
async def test_login_works_without_tls() -> None:
    mailbox = Mailbox()
    options: dict[str, Any] = {
        "authenticator": check_login,
        "auth_required": True,
        "auth_require_tls": False,
    }
    with serving(mailbox, **options) as port:
        assert await send(url(port, login=True)) == DELIVERED
    assert mailbox.mail()["Subject"] == MESSAGE.title


async def test_login_works_after_starttls(certificate: ssl.SSLContext) -> None:
    mailbox = Mailbox()
    options: dict[str, Any] = {
        "authenticator": check_login,
        "auth_required": True,
        "tls_context": certificate,
        "require_starttls": True,
    }
    with serving(mailbox, **options) as port:
        assert await send(url(port, scheme="mailtos", login=True)) == DELIVERED
    assert mailbox.mail()["Subject"] == MESSAGE.title


@pytest.mark.filterwarnings("ignore:Requiring AUTH while not requiring TLS:UserWarning")
async def test_login_works_within_tls(certificate: ssl.SSLContext) -> None:
    mailbox = Mailbox()
    options: dict[str, Any] = {
        "authenticator": check_login,
        "auth_required": True,
        "auth_require_tls": False,
    }
    with serving(mailbox, tls=certificate, **options) as port:
        assert await send(url(port, scheme="mailtos", login=True, mode="ssl")) == DELIVERED
    assert mailbox.mail()["Subject"] == MESSAGE.title


async def test_messages_in_quick_succession_do_not_wait_for_each_other() -> None:
    mailbox = Mailbox()
    with serving(mailbox) as port:
        sender = make_sender(url(port), name="mail", timeout=4)
        for _ in range(3):
            assert await sender.send(MESSAGE) == DELIVERED
    assert len(mailbox.received) == 3


# -- what fails -----------------------------------------------------------------------------

REFUSALS = {
    "a sender refused for good": (
        {"MAIL": "550 5.7.1 robot@example.org may not"},
        Delivery(outcome=Outcome.REFUSED, detail="SMTP 550 5.7.1: the sender was refused"),
    ),
    "a sender refused for now": (
        {"MAIL": "451 4.3.0 later"},
        Delivery(outcome=Outcome.RETRY, detail="SMTP 451 4.3.0: the sender was refused"),
    ),
    "an unknown recipient": (
        {"RCPT": "550 5.1.1 <{address}>: user unknown"},
        Delivery(outcome=Outcome.REFUSED, detail="SMTP 550 5.1.1: the recipient was refused"),
    ),
    "a grey-listed recipient": (
        {"RCPT": "450 4.2.0 <{address}>: greylisted"},
        Delivery(outcome=Outcome.RETRY, detail="SMTP 450 4.2.0: the recipient was refused"),
    ),
    "a message refused for now": (
        {"DATA": "451 4.3.0 disk full"},
        Delivery(outcome=Outcome.RETRY, detail="SMTP 451 4.3.0: the message was refused"),
    ),
    "a message refused for good": (
        {"DATA": "554 5.7.1 spam"},
        Delivery(outcome=Outcome.REFUSED, detail="SMTP 554 5.7.1: the message was refused"),
    ),
    "a greeting refused for good": (
        {"EHLO": "550 go away"},
        Delivery(outcome=Outcome.REFUSED, detail="SMTP 550: the mail server refused the greeting"),
    ),
}


@pytest.fixture
def all_logs(caplog: pytest.LogCaptureFixture) -> Iterator[pytest.LogCaptureFixture]:
    caplog.set_level(logging.DEBUG)
    caplog.set_level(logging.DEBUG, logger="apprise")
    caplog.set_level(logging.INFO, logger="mail.log")  # aiosmtpd's own side of the conversation
    yield caplog
    logging.getLogger("apprise").setLevel(logging.INFO)


def assert_no_secret(delivery: Delivery, logs: pytest.LogCaptureFixture) -> None:
    ours = [r for r in logs.records if r.name != "mail.log"]
    shown = "\n".join([delivery.detail, *(repr(vars(r)) + r.getMessage() for r in ours)])
    for secret in (PASSWORD, quote(PASSWORD, safe=""), USER, "example.org", "example.net"):
        assert secret not in shown


@pytest.mark.parametrize(("refuse", "expected"), REFUSALS.values(), ids=REFUSALS)
async def test_a_refusal_at_each_stage_is_judged_by_its_code(
    refuse: dict[str, str], expected: Delivery, all_logs: pytest.LogCaptureFixture
) -> None:
    mailbox = Mailbox(refuse=refuse)
    with serving(mailbox) as port:
        delivery = await send(url(port))
    assert delivery == expected
    assert not mailbox.received
    assert_no_secret(delivery, all_logs)


async def test_a_wrong_password_is_refused(
    certificate: ssl.SSLContext, all_logs: pytest.LogCaptureFixture
) -> None:
    options: dict[str, Any] = {"authenticator": check_login, "tls_context": certificate}
    with serving(Mailbox(), **options) as port:
        address = url(port, scheme="mailtos", login=True).replace("%23s3cr3t", "%23wr0ng")
        delivery = await send(address)
    assert delivery.outcome is Outcome.REFUSED
    assert delivery.detail == "SMTP 535 5.7.8: the login was refused"
    assert_no_secret(delivery, all_logs)


async def test_a_server_without_starttls_gets_no_password(
    all_logs: pytest.LogCaptureFixture,
) -> None:
    mailbox = Mailbox()
    with serving(mailbox) as port:
        delivery = await send(url(port, scheme="mailtos", login=True))
    assert delivery.outcome is Outcome.REFUSED
    assert "does not offer" in delivery.detail
    assert not mailbox.received
    assert_no_secret(delivery, all_logs)


async def test_a_certificate_nobody_trusts_is_named(
    certificate: ssl.SSLContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SSL_CERT_FILE")
    with serving(Mailbox(), tls_context=certificate) as port:
        delivery = await send(url(port, scheme="mailtos"))
    assert delivery == Delivery(outcome=Outcome.RETRY, detail="the certificate is not trusted")


async def test_a_closed_port_may_pass(all_logs: pytest.LogCaptureFixture) -> None:
    delivery = await send(url(free_port()))
    assert delivery == Delivery(outcome=Outcome.RETRY, detail="connection refused")
    assert_no_secret(delivery, all_logs)


async def test_an_unknown_host_may_pass() -> None:
    address = url(25).replace("smtp=127.0.0.1", "smtp=mail.invalid")
    delivery = await send(address)
    assert delivery.outcome is Outcome.RETRY
    assert delivery.detail == "the host name cannot be resolved"


TALK: dict[str, tuple[Callable[[socket.socket], object], Outcome, str]] = {
    "no service at all is refused": (
        lambda c: c.sendall(b"554 5.3.2 no service here\r\n"),
        Outcome.REFUSED,
        "SMTP 554 5.3.2: the mail server refused the connection",
    ),
    "a busy server may pass": (
        lambda c: c.sendall(b"421 4.3.2 too many connections\r\n"),
        Outcome.RETRY,
        "SMTP 421 4.3.2: the mail server refused the connection",
    ),
    "a server that hangs up may pass": (
        lambda c: None,
        Outcome.RETRY,
        "connection failed",
    ),
    "a server that says nothing is given up": (
        lambda c: c.recv(1),
        Outcome.RETRY,
        "no answer in time",
    ),
}


@pytest.mark.parametrize(("behave", "outcome", "detail"), TALK.values(), ids=TALK)
async def test_a_bad_start_is_judged(
    behave: Callable[[socket.socket], None],
    outcome: Outcome,
    detail: str,
    all_logs: pytest.LogCaptureFixture,
) -> None:
    with speaking(behave) as port:
        delivery = await asyncio.wait_for(send(url(port), seconds=4), HANGS)
    assert (delivery.outcome, delivery.detail) == (outcome, detail)
    assert_no_secret(delivery, all_logs)


# -- every stage fails in every way -----------------------------------------------------------

STAGES = ("connect", "EHLO", "STARTTLS", "AUTH", "MAIL", "RCPT", "DATA", "after DATA")
GREETING = "250-mail.test\r\n250-STARTTLS\r\n250 AUTH PLAIN LOGIN"
USUAL = {"connect": "220 mail.test", "EHLO": GREETING, "DATA": "354 go on", "QUIT": "221 bye"}
WAYS = {
    "refuses for now": ("451 4.3.0 not now", Outcome.RETRY, "SMTP 451"),
    "refuses for good": ("550 5.7.1 not here", Outcome.REFUSED, "SMTP 550"),
    "hangs": ("hangs", Outcome.RETRY, ""),
    "hangs up": ("hangs up", Outcome.RETRY, "connection"),
    "talks nonsense": ("HTTP/1.1 400 Bad Request", Outcome.RETRY, ""),
}
MATRIX = {f"{stage} {way}": (stage, *rest) for stage in STAGES for way, rest in WAYS.items()}


def failing_at(stage: str, answer: str) -> Callable[[socket.socket], None]:
    """A mail server that is well until *stage*, where it gives *answer* instead."""
    replies = USUAL | {stage: answer}
    replies["HELO"] = replies["EHLO"]

    def reply(connection: socket.socket, word: str) -> bool:
        said = replies.get(word, "250 2.0.0 ok")
        if said == "hangs":
            while connection.recv(1024):
                pass
        if said in ("hangs", "hangs up"):
            return False
        connection.sendall(f"{said}\r\n".encode())
        return not said.startswith(("221", "HTTP"))

    def behave(connection: socket.socket) -> None:
        lines = connection.makefile("rb")
        goes_on = reply(connection, "connect")
        while goes_on and (line := lines.readline()):
            word = line.decode().split()[0].upper()
            goes_on = reply(connection, word)
            if goes_on and word == "DATA" and replies["DATA"].startswith("354"):
                while lines.readline() != b".\r\n":
                    pass
                goes_on = reply(connection, "after DATA")

    return behave


@pytest.mark.parametrize(("stage", "answer", "outcome", "detail"), MATRIX.values(), ids=MATRIX)
async def test_a_server_that_at(
    stage: str, answer: str, outcome: Outcome, detail: str, all_logs: pytest.LogCaptureFixture
) -> None:
    address = (
        url(0, scheme="mailtos", login=True)
        if stage == "STARTTLS"
        else url(0, login=stage == "AUTH")
    )
    with speaking(failing_at(stage, answer)) as port:
        began = asyncio.get_running_loop().time()
        seconds = 0.5 if answer == "hangs" else HANGS
        delivery = await send(address.replace(":0/", f":{port}/"), seconds=seconds)
        took = asyncio.get_running_loop().time() - began
    assert delivery.outcome is outcome, delivery
    assert detail in delivery.detail
    assert took < HANGS / 2, "it is the answer that ends it, or the 0.5 s"
    assert_no_secret(delivery, all_logs)
