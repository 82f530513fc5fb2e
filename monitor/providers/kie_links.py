"""Temporary download links for files that kie.ai has generated.

``POST /api/v1/common/download-url`` with ``{"url": ...}`` answers ``{"code": 200, "msg": "success",
"data": "<link>"}``; the link is good for 20 minutes, and files of others give code 422.
Source: https://docs.kie.ai/common-api/download-url
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta

from monitor.core.model import Reason
from monitor.providers.base import PollError
from monitor.providers.bearer import Bearer
from monitor.providers.exchange import Answer, check_url
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
    site: Bearer

    @classmethod
    def of(cls, key: KieKey, http: HttpClient) -> KieLinks:
        """With the credential of *key*; raises ``ValueError`` without one."""
        return cls(http, key.sent_by(Bearer))

    async def link(self, file_url: str) -> str:
        """A temporary link for the generated file at *file_url*; raises :class:`PollError`."""
        request = self.site.request("POST", PATH, json.dumps({"url": file_url}).encode())
        answer = await self.http.fetch(request, timeout=self.site.timeout)
        return link_in(answer, self.site.hidden)


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
