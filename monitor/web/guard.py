"""What every request passes: it is let in or not, its time bounded, its answer locked down."""

from __future__ import annotations

import asyncio

from starlette.applications import Starlette
from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import PlainTextResponse, Response
from starlette.types import Message, Receive, Scope, Send

from monitor.web.entry import Names, Users, same_origin

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


OPEN_PATHS = frozenset({"/healthz", "/readyz"})
"""What anybody may ask: probes of a service manager carry no password, and learn yes or no."""


class Guard:
    """An ASGI layer around everything else.

    Refused are requests that name another server, come from another site's page, or, where users
    are configured, name none of them.
    """

    def __init__(self, app: Starlette, names: Names, users: Users | None = None) -> None:
        self.app = app
        self._names = names
        self._users = users

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request; nothing but HTTP is spoken here."""
        if scope["type"] != "http":
            return
        locked = _Locked(send)
        try:
            async with asyncio.timeout(REQUEST_TIMEOUT):
                answer = await self._refusal(scope) or self.app
                await answer(scope, receive, locked.send)
        except TimeoutError:
            if not locked.started:
                late = PlainTextResponse("The answer took too long.\n", status_code=503)
                await late(scope, receive, locked.send)
            # else: the server sees an answer without its end, and closes the connection.

    async def _refusal(self, scope: Scope) -> Response | None:
        headers = Headers(scope=scope)
        hosts = headers.getlist("host")
        if not self._names.allow(hosts):
            return PlainTextResponse(_WRONG_NAME, status_code=421)
        if not same_origin(headers.get("origin"), hosts[0]):
            return PlainTextResponse("Requests of other sites are refused.\n", status_code=403)
        if self._users is None or scope["path"] in OPEN_PATHS:
            return None
        try:
            if await self._users.admit(headers.get("authorization")):
                return None
        except TimeoutError:
            busy = "Too many passwords are being checked.\n"
            return PlainTextResponse(busy, status_code=503, headers={"Retry-After": "2"})
        ask = {"WWW-Authenticate": 'Basic realm="credit-monitor", charset="UTF-8"'}
        return PlainTextResponse("A name and a password are needed.\n", 401, headers=ask)


_WRONG_NAME = (
    "This server does not go by that name. Bound to loopback it serves only requests for localhost:"
    " set web.listen to another address to serve others, and web.hosts to the names they use.\n"
)


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
