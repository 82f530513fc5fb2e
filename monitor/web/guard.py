"""What every request passes: its Host is checked, its time bounded, its answer locked down."""

from __future__ import annotations

import asyncio
import ipaddress
from collections.abc import Iterable

from starlette.applications import Starlette
from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import PlainTextResponse
from starlette.types import Message, Receive, Scope, Send

REQUEST_TIMEOUT = 60.0
"""Real seconds for one request with its answer; a client that does not read is let go."""

SECURITY_HEADERS = {
    # Nothing but our own style sheet and icon: no script, no form, no frame, no other host.
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'self'; img-src 'self'; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}


def is_loopback(host: str) -> bool:
    """Whether *host*, a name or an address without brackets, is this machine only."""
    if host.lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


class Guard:
    """An ASGI layer around everything else.

    Bound to loopback, it answers only requests that name this machine in ``Host``: a web page whose
    own name was pointed at 127.0.0.1 (DNS rebinding) would name itself.
    """

    def __init__(self, app: Starlette, host: str) -> None:
        self.app = app
        self._listen_host = host.lower()
        self._only_local = is_loopback(host)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request; nothing but HTTP is spoken here."""
        if scope["type"] != "http":
            return
        locked = _Locked(send)
        if not self._allows(Headers(scope=scope).getlist("host")):
            refusal = PlainTextResponse(
                "This address serves only requests for localhost; "
                "set web.listen to another address to serve other names.\n",
                status_code=421,
            )
            await refusal(scope, receive, locked.send)
            return
        try:
            async with asyncio.timeout(REQUEST_TIMEOUT):
                await self.app(scope, receive, locked.send)
        except TimeoutError:
            if not locked.started:
                late = PlainTextResponse("The answer took too long.\n", status_code=503)
                await late(scope, receive, locked.send)
            # else: the server sees an answer without its end, and closes the connection.

    def _allows(self, hosts: Iterable[str]) -> bool:
        if not self._only_local:
            return True
        names = [_without_port(host) for host in hosts]
        return len(names) == 1 and (is_loopback(names[0]) or names[0] == self._listen_host)


def _without_port(host: str) -> str:
    """``localhost`` of ``localhost:9750``, ``::1`` of ``[::1]:9750``."""
    if host.startswith("["):
        return host[1:].partition("]")[0]
    return host.partition(":")[0].lower()


class _Locked:
    """A ``send`` that adds the security headers, and remembers that an answer began."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self.started = False

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.started = True
            headers = MutableHeaders(scope=message)
            for name, value in SECURITY_HEADERS.items():
                headers[name] = value
            headers.setdefault("Cache-Control", "no-store")
        await self._send(message)
