"""Temporary download links for files that kie.ai has generated.

``POST /api/v1/common/download-url`` with ``{"url": ...}`` answers ``{"code": 200, "msg": "success",
"data": "<link>"}``; the link is good for 20 minutes, and files of others give code 422.
Source: https://docs.kie.ai/common-api/download-url
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import timedelta

from monitor.core.model import Reason
from monitor.providers.base import PollError
from monitor.providers.exchange import Answer, Request, check_url
from monitor.providers.http import HttpClient
from monitor.providers.kie import KieKey
from monitor.providers.kie_envelope import data_of

PATH = "/api/v1/common/download-url"

LINK_LIFETIME = timedelta(minutes=20)
"""How long a link is good, as documented."""


@dataclass(frozen=True, slots=True)
class KieLinks:
    """Makes download links with one key of kie.ai; each call is one request."""

    http: HttpClient
    url: str = field(repr=False)
    key: str = field(repr=False)
    timeout: float
    plain_http_host: str = ""
    secrets: tuple[str, ...] = field(default=(), repr=False)

    @classmethod
    def of(cls, key: KieKey, http: HttpClient) -> KieLinks:
        """With the credential of *key*; raises ``ValueError`` without one."""
        return cls(
            http,
            key.url,
            key.credential,
            timeout=key.timeout.total_seconds(),
            plain_http_host=key.allow_plain_http,
            secrets=key.sent,
        )

    async def link(self, file_url: str) -> str:
        """A temporary link for the generated file at *file_url*; raises :class:`PollError`."""
        answer = await self.http.fetch(self._request(file_url), timeout=self.timeout)
        return link_in(answer, (self.key, *self.secrets))

    def _request(self, file_url: str) -> Request:
        headers = {"Authorization": f"Bearer {self.key}", "Content-Type": "application/json"}
        return Request(
            "POST",
            self.url.rstrip("/") + PATH,
            headers,
            json.dumps({"url": file_url}).encode(),
            plain_http_host=self.plain_http_host,
        )


def link_in(answer: Answer, secrets: Iterable[str]) -> str:
    """The link in *answer*; raises :class:`PollError`, whose text is free of *secrets*."""
    data = data_of(answer, secrets)
    if not isinstance(data, str):
        raise PollError(Reason.BAD_RESPONSE, "data is not a link")
    try:
        return check_url(data)
    except ValueError:
        problem = PollError(Reason.BAD_RESPONSE, "data is not a link")
    raise problem  # outside the handler: what came instead may be anything
