"""Logging in to Kling through useapi.net: linking an account, or renewing its session.

useapi.net keeps e-mail address and password and logs in at once.  Source:
https://useapi.net/docs/api-kling-v1/post-kling-accounts
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING, Any

from monitor.core.model import Reason
from monitor.providers.base import PollError
from monitor.providers.useapi.client import Client, NothingLinkedError
from monitor.providers.useapi.services import KLING, Linked, linked_accounts, session_of, whole

if TYPE_CHECKING:
    from monitor.providers.http import HttpClient

LOGIN_SECONDS = 60.0
"""A login takes longer than a poll: useapi.net goes through Kling's own."""

MOST_JOBS = 50
"""The most jobs that useapi.net lets an account run at once."""

USUAL_JOBS = 5
"""What an account is linked with where nobody says otherwise; the documentation's example."""


async def log_in(
    client: Client, http: HttpClient, email: str, password: str, max_jobs: int | None = None
) -> datetime | None:
    """Link the account *email*, or log in to it again, and look whether it works afterwards.

    Without *max_jobs* an account that is linked keeps what it has.  Returns when the new session
    ends, where that is told; raises :class:`PollError`.
    """
    client = replace(client, secrets=(*client.secrets, password, email))
    record = await linked_record(client, http, email)
    if max_jobs is None:
        max_jobs = whole(record.get("maxJobs")) if record else None
    wanted = {"email": email, "password": password, "maxJobs": max_jobs or USUAL_JOBS}
    answer = await client.post(http, KLING.accounts, wanted, seconds=LOGIN_SECONDS)
    # An account can be in error state also after a login that was taken: only asking tells.
    await client.get(http, KLING.balance_path(email), seconds=LOGIN_SECONDS)
    linked = Linked(login=email, meter="", record=answer if isinstance(answer, dict) else {})
    session = session_of(KLING, linked)
    return session.expires_at if session else None


async def renew(client: Client, http: HttpClient, email: str, password: str) -> datetime | None:
    """As :func:`log_in`, for an account that is linked already: a renewal never links one."""
    if await linked_record(client, http, email) is None:
        raise PollError(Reason.NOT_FOUND, "the account is not linked to this token any more")
    return await log_in(client, http, email, password)


async def linked_record(client: Client, http: HttpClient, email: str) -> dict[str, Any] | None:
    """What useapi.net has of the account; None where it is not linked."""
    try:
        document = await client.get(http, KLING.accounts, seconds=LOGIN_SECONDS)
    except NothingLinkedError:
        return None
    for linked in linked_accounts(document, lambda login: login):
        if linked.login.lower() == email.lower():
            return dict(linked.record)
    return None
