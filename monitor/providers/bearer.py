"""A key that is sent as ``Authorization: Bearer`` to one site, as most providers want it."""

from __future__ import annotations

from dataclasses import dataclass, field

from monitor.providers.exchange import Request, site_of


@dataclass(frozen=True, slots=True)
class Bearer:
    """Asks the site at ``url`` with ``key``; ``secrets`` are never shown either.

    Requests are made anew for every poll: kept, those of 10,000 keys would hold 5 MB.
    """

    url: str = field(repr=False)
    key: str = field(repr=False)
    timeout: float
    plain_http_host: str = ""
    secrets: tuple[str, ...] = field(default=(), repr=False)

    @property
    def limit_group(self) -> str:
        """The site: limits per account cannot be told apart by key."""
        return site_of(self.url)

    @property
    def hidden(self) -> tuple[str, ...]:
        """All that no text about an answer may hold."""
        return (self.key, *self.secrets)

    def request(self, method: str, path: str, body: bytes | None = None) -> Request:
        """The request for *path*, which begins with a slash."""
        headers = {"Authorization": f"Bearer {self.key}", "Content-Type": "application/json"}
        url = self.url.rstrip("/") + path
        return Request(method, url, headers, body, plain_http_host=self.plain_http_host)
