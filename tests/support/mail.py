"""A real SMTP server on loopback that keeps what it gets."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from email import message_from_bytes, policy
from email.message import EmailMessage
from typing import Any

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session


class Mailbox:
    """Every mail, and its subject and plain text with the time of its arrival."""

    def __init__(self) -> None:
        self.needs_login = False
        self.got: list[tuple[float, str]] = []
        self.mails: list[EmailMessage] = []

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802 - aiosmtpd's name
        if self.needs_login and not session.authenticated:
            return "530 5.7.0 Authentication required"
        assert isinstance(envelope.content, bytes)
        mail = message_from_bytes(envelope.content, policy=policy.default)
        assert isinstance(mail, EmailMessage)
        body = mail.get_body(("plain",))
        assert body is not None
        self.mails.append(mail)
        self.got.append((time.monotonic(), f"{mail['subject']}\n{body.get_content()}"))
        return "250 OK"


@contextmanager
def smtp_server(mailbox: Mailbox, *, auth: tuple[str, str] | None = None) -> Iterator[int]:
    """Serve *mailbox* and yield the port; with *auth* only to this user and password."""

    def authenticate(
        server: Any, session: Any, envelope: Any, mechanism: str, data: Any
    ) -> AuthResult:
        given = isinstance(data, LoginPassword) and (data.login.decode(), data.password.decode())
        return AuthResult(success=given == auth)

    with socket.create_server(("127.0.0.1", 0)) as free:
        port = int(free.getsockname()[1])
    options: dict[str, Any] = {}
    if auth is not None:
        mailbox.needs_login = True
        options = {"authenticator": authenticate, "auth_require_tls": False}
    controller = Controller(mailbox, hostname="127.0.0.1", port=port, **options)
    controller.start()
    try:
        yield port
    finally:
        controller.stop()
