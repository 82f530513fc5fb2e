"""Who is let in: users by HTTP basic authentication, requests by the name they are sent to."""

from __future__ import annotations

import asyncio
import base64
import binascii
import hashlib
import hmac
import ipaddress
import os
import socket
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from monitor.config.passwords import PasswordHash
from monitor.providers.exchange import is_loopback
from monitor.web.tls import Certificate

REMEMBERED = 64
"""Credentials that were right, remembered so that a scrape does not cost a password hash."""

WAITING = 8
"""Passwords that may wait to be checked; one takes a tenth of a second, and there is one queue."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """Who may come in: ``hosts`` are further names of this server, ``users`` hashes by name.

    Without users anybody may; without a certificate it is plain HTTP.
    """

    hosts: tuple[str, ...] = ()
    users: Mapping[str, str] = field(default_factory=dict, repr=False)
    certificate: Certificate | None = None


class Users:
    """Checks the ``Authorization`` of requests against hashes of passwords.

    https://www.rfc-editor.org/rfc/rfc7617 (basic authentication, UTF-8).
    """

    def __init__(self, hashes: Mapping[str, str]) -> None:
        """Raises ``ValueError`` for what is no hash."""
        self._hashes = {name: PasswordHash.parse(text) for name, text in hashes.items()}
        self._nobody = PasswordHash.of(os.urandom(16).hex())
        self._right: dict[bytes, None] = {}
        self._secret = os.urandom(32)
        self._turn = asyncio.Lock()
        self._waiting = 0

    async def admit(self, authorization: str | None) -> bool:
        """Whether the header names a user with the right password.

        Raises ``TimeoutError`` while too many passwords wait to be checked: guessing must not cost
        the daemon its processor.
        """
        credentials = _credentials(authorization)
        if credentials is None:
            return False
        token = hmac.digest(self._secret, "\0".join(credentials).encode(), hashlib.sha256)
        if token in self._right:
            return True
        if self._waiting >= WAITING:
            raise TimeoutError
        self._waiting += 1
        try:
            async with self._turn:
                right = await asyncio.to_thread(self._is_right, *credentials)
        finally:
            self._waiting -= 1
        if right:
            self._remember(token)
        return right

    def _is_right(self, name: str, password: str) -> bool:
        known = self._hashes.get(name)
        # A name that nobody has takes as long, or the time would tell which names there are.
        return (known or self._nobody).matches(password) and known is not None

    def _remember(self, token: bytes) -> None:
        if len(self._right) >= REMEMBERED:
            del self._right[next(iter(self._right))]
        self._right[token] = None


class Names:
    """Which names a request may be sent to, so that no other site's name leads here.

    A web page whose own name was pointed at this address (DNS rebinding) would name itself in
    ``Host``.  Addresses, and names without a dot, cannot be had by a stranger.
    """

    def __init__(self, listen: str, further: Iterable[str] = (), *, anybody: bool = False) -> None:
        """*anybody*: whoever gets in has a password, which no stranger's page can send."""
        self._only_local = is_loopback(listen)
        self._known = {listen.lower(), *(name.lower() for name in further)}
        if not self._only_local:
            self._known.add(socket.gethostname().lower())
        self._anybody = anybody

    def allow(self, hosts: Iterable[str]) -> bool:
        """Whether the values of ``Host``, of which there has to be one, name this server."""
        names = [_without_port(host) for host in hosts]
        if len(names) != 1:
            return False
        name = names[0]
        if is_loopback(name) or name in self._known:
            return True
        if self._only_local:
            return False
        return self._anybody or "." not in name or _is_address(name)


def same_origin(origin: str | None, host: str) -> bool:
    """Whether a request comes from our own pages, or from none: other sites have no business here.

    https://developer.mozilla.org/docs/Web/HTTP/Reference/Headers/Origin
    """
    return origin is None or urlsplit(origin).netloc.lower() == host.lower()


def _credentials(authorization: str | None) -> tuple[str, str] | None:
    scheme, _, encoded = (authorization or "").partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        text = base64.b64decode(encoded.strip(), validate=True).decode()
    except (binascii.Error, ValueError):
        return None
    name, colon, password = text.partition(":")
    return (name, password) if colon else None


def _without_port(host: str) -> str:
    """``localhost`` of ``localhost:9750``, ``::1`` of ``[::1]:9750``."""
    if host.startswith("["):
        return host[1:].partition("]")[0]
    return host.partition(":")[0].lower()


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True
