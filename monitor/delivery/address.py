"""Where our own requests go: an address from the configuration, taken apart once.

Apart from what sends, so that reading a configuration does not load the HTTP libraries.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import unquote, urlunsplit

from monitor.providers.exchange import Request, parts_of

ALERTS_PATH = "/api/v2/alerts"
"""Where an Alertmanager takes alerts, below its base address; see its api/v2/openapi.yaml."""

_API = ("/api/v1", "/api/v2", "/api/v1/alerts", ALERTS_PATH)


@dataclass(frozen=True, slots=True)
class Address:
    """A URL without user and password, which are a header here; never shows either."""

    url: str = field(repr=False)
    host: str
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)

    def get(self) -> Request:
        """A request that only asks."""
        return Request("GET", self.url, self.headers, plain_http_host=self.host)

    def post(self, body: bytes) -> Request:
        """A request that brings JSON."""
        headers = {**self.headers, "Content-Type": "application/json"}
        return Request("POST", self.url, headers, body, self.host)


def heartbeat_address(url: str) -> Address:
    """The address that *url* names; raises ``ValueError`` without repeating it."""
    parts = parts_of(url, example="https://example.com/path")
    host = parts.netloc.rpartition("@")[2]
    plain = urlunsplit((parts.scheme, host, parts.path, parts.query, ""))
    return Address(plain, parts.hostname or "", _authorization(parts.username, parts.password))


def alertmanager_address(url: str) -> Address:
    """Where the Alertmanager at the base address *url* takes alerts; raises ``ValueError``."""
    base = heartbeat_address(url)
    if "?" in base.url:
        raise ValueError("has a ?query, which the API of Alertmanager does not take")
    root = base.url.rstrip("/")
    if root.endswith(_API):
        raise ValueError("is the base address, without /api/..., such as http://127.0.0.1:9093")
    return Address(f"{root}{ALERTS_PATH}", base.host, base.headers)


def _authorization(user: str | None, password: str | None) -> dict[str, str]:
    if user is None and password is None:
        return {}
    pair = f"{unquote(user or '')}:{unquote(password or '')}"
    return {"Authorization": f"Basic {base64.b64encode(pair.encode()).decode()}"}
