"""A request to a provider and its answer as values, and which addresses may be asked.

Apart from ``http.py``, so that reading a configuration does not load the HTTP libraries.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Annotated
from urllib.parse import SplitResult, urlsplit

from pydantic import AfterValidator


@dataclass(frozen=True, slots=True)
class Request:
    """One request to a provider; never shows what may hold the key.

    ``plain_http_host`` is the host the user allowed to be reached without TLS, by its name.
    """

    method: str
    url: str = field(repr=False)
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    body: bytes | None = field(default=None, repr=False)
    plain_http_host: str = ""


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back, whichever its status; ``headers`` are looked up in any letter case."""

    status: int
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)


@lru_cache(maxsize=256)
def is_loopback(host: str) -> bool:
    """Whether *host* is this machine by name or address; never asks the resolver."""
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def plain_http_allowed(host: str, allowed: str) -> bool:
    """Whether *host* may be asked without TLS: loopback, or *allowed* by its very name."""
    return is_loopback(host) or (allowed != "" and host == allowed.lower())


def host_of(url: str) -> str:
    """The host of *url* in lower case, empty if there is none."""
    return urlsplit(url).hostname or ""


def site_of(url: str) -> str:
    """Host and, where it is given, port of *url* in lower case: what is up or down as one."""
    return urlsplit(url).netloc.rpartition("@")[2].lower()


def check_url(url: str) -> str:
    """Refuse what cannot be an endpoint; raises ``ValueError`` without repeating the value."""
    parts = parts_of(url, example="https://api.example.com/balance")
    if parts.username is not None or parts.password is not None:
        raise ValueError("holds a user or password: use key and auth instead")
    return url


def parts_of(url: str, *, example: str) -> SplitResult:
    """The parts of an http or https address; raises ``ValueError``, which names *example*, without
    repeating the value.
    """
    if not url.isascii() or not url.isprintable() or " " in url:
        raise ValueError("has a blank or a character that no address can carry")
    try:
        parts = urlsplit(url)
        parts.port  # noqa: B018 - raises for a port that is none
    except ValueError:
        parts = urlsplit("")
    if parts.scheme not in {"https", "http"} or not parts.hostname:
        raise ValueError(f"is not an http or https address, such as {example}")
    if parts.fragment:
        raise ValueError("has a #fragment, which is never sent")
    return parts


def check_plain_http(url: str, allowed: str) -> None:
    """Raise ``ValueError`` for a *url* without TLS that is neither loopback nor *allowed*."""
    host = host_of(url)
    if urlsplit(url).scheme == "http" and not plain_http_allowed(host, allowed):
        raise ValueError(
            "the key would travel readable: use https, or allow this host by name with "
            f"allow_plain_http: {host}"
        )


Url = Annotated[str, AfterValidator(check_url)]
"""The address of an endpoint, http or https, without credentials in it."""
