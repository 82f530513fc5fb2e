"""Alertmanager's API: an alert of ours in its form, and one post of several.

The form is that of ``PostableAlert`` in github.com/prometheus/alertmanager, api/v2/openapi.yaml.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta, tzinfo
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import Any

from monitor.clock import Clock
from monitor.core.events import Alert, Change, Event, Why
from monitor.core.markup import Flavour, render
from monitor.core.messages import Message, compose
from monitor.delivery.address import Address
from monitor.delivery.base import Delivery, Outcome
from monitor.providers.base import PollError
from monitor.providers.exchange import Answer
from monitor.providers.http import HttpClient

JOB = "credit-monitor"
"""The label ``job`` of every alert, for who routes by it."""

DESCRIPTION_LENGTH = 4000
"""Longest description: what receivers of Alertmanager such as Telegram take as a whole."""

TRIAL_LASTS = timedelta(minutes=2)
"""How long the alert of ``notify test`` fires: longer than the usual ``group_wait`` of 30 s."""

_MAY_PASS = {
    HTTPStatus.REQUEST_TIMEOUT,
    HTTPStatus.TOO_EARLY,
    HTTPStatus.TOO_MANY_REQUESTS,
}

Labels = tuple[tuple[str, str], ...]
"""What Alertmanager knows an alert by: names and values, in order."""

Posted = Mapping[str, Any]
"""One alert as it is posted."""

Words = Callable[[Alert, datetime], tuple[str, str]]
"""Title and text of an alert as of a moment."""


def alert_name(rule: str) -> str:
    """The label ``alertname`` of alerts of *rule*: ``low_balance`` is ``CreditLowBalance``."""
    return "Credit" + "".join(word.capitalize() for word in rule.split("_"))


def labels_of(alert: Alert) -> Labels:
    """The labels of *alert*; what does not apply is left out, as an empty label is none."""
    labels = {
        "alertname": alert_name(alert.rule),
        "job": JOB,
        "key": alert.subject.key,
        "provider": alert.subject.provider,
        "account": alert.subject.account,
        "meter": alert.meter,
        "rule": alert.rule,
        "severity": str(alert.severity),
    }
    return tuple((name, value) for name, value in labels.items() if value)


def words(alert: Alert, now: datetime, timezone: tzinfo = UTC) -> tuple[str, str]:
    """Title and text of the open *alert* as of *now*: those of a message about it alone."""
    event = Event(
        id=0,
        alert_id=alert.id,
        subject=alert.subject,
        meter=alert.meter,
        rule=alert.rule,
        change=Change.FIRED,
        why=Why.NEW,
        told=True,
        severity=alert.severity,
        at=alert.changed_at,
        opened_at=alert.opened_at,
        facts=alert.facts,
    )
    return _texts(compose([event], now=now, timezone=timezone))


def _texts(message: Message) -> tuple[str, str]:
    rendered = render(message, Flavour.TEXT, limit=DESCRIPTION_LENGTH)
    return rendered.title, rendered.body


def firing(
    alert: Alert, *, now: datetime, lasts: timedelta, texts: tuple[str, str], page: str = ""
) -> dict[str, Any]:
    """The open *alert*, to be forgotten by Alertmanager unless it is posted again within *lasts*.

    *page* is the base address of our page as others reach it; empty for none.
    """
    summary, description = texts
    posted = {
        "labels": dict(labels_of(alert)),
        "annotations": {"summary": summary, "description": description},
        "startsAt": alert.opened_at.isoformat(),
        "endsAt": (now + lasts).isoformat(),
    }
    if page:
        path = f"/keys/{alert.subject.key}" if alert.subject.key else "/alerts"
        posted["generatorURL"] = f"{page}{path}"
    return posted


def over(posted: Posted, now: datetime) -> dict[str, Any]:
    """What was *posted* as firing, ended at *now*; never before it began, which is refused."""
    began = datetime.fromisoformat(posted["startsAt"])
    return {**posted, "endsAt": max(now, began).isoformat()}


async def post(
    http: HttpClient,
    address: Address,
    alerts: Sequence[Posted],
    *,
    ends_at: datetime,
    timeout: float,  # noqa: ASYNC109 - the deadline is part of the door's error map
) -> Delivery:
    """Post *alerts* at once, within *timeout* seconds; never raises for a failed send.

    What fires among them does so until *ends_at*: an Alertmanager whose clock is past that takes
    the post without a word and lets nothing fire, which counts as refused.
    """
    body = json.dumps(alerts, ensure_ascii=False).encode()
    try:
        answer = await http.fetch(address.post(body), timeout=timeout)
    except PollError as error:
        return Delivery(outcome=Outcome.RETRY, detail=error.detail)
    if _clock(answer) > ends_at:
        return Delivery(outcome=Outcome.REFUSED, detail="its clock is ahead: set both clocks")
    return _judge(answer.status)


def _clock(answer: Answer) -> datetime:
    """What time it is where *answer* comes from; long ago if it does not say."""
    try:
        return parsedate_to_datetime(answer.headers.get("date", "")).astimezone(UTC)
    except (ValueError, TypeError):
        return datetime.min.replace(tzinfo=UTC)


def _judge(status: int) -> Delivery:
    if HTTPStatus.OK <= status < HTTPStatus.MULTIPLE_CHOICES:
        return Delivery(outcome=Outcome.DELIVERED)
    may_pass = status in _MAY_PASS or status >= HTTPStatus.INTERNAL_SERVER_ERROR
    outcome = Outcome.RETRY if may_pass else Outcome.REFUSED
    return Delivery(outcome=outcome, detail=f"HTTP {status}")


class AlertmanagerSender:
    """Shows a message as an alert of severity info for two minutes: for ``notify test``."""

    def __init__(
        self,
        name: str,
        addresses: Sequence[Address],
        *,
        http: HttpClient,
        clock: Clock,
        timeout: float,
    ) -> None:
        self._clock = clock
        self._name = name
        self._addresses = addresses
        self._http = http
        self._timeout = timeout

    async def send(self, message: Message) -> Delivery:
        """Post to every address; the first failure is the result."""
        now = self._clock.now()
        ends_at = now + TRIAL_LASTS
        summary, description = _texts(message)
        labels = {
            "alertname": "CreditMonitorTest",
            "job": JOB,
            "channel": self._name,
            "severity": "info",
        }
        alert = {
            "labels": labels,
            "annotations": {"summary": summary, "description": description},
            "startsAt": now.isoformat(),
            "endsAt": ends_at.isoformat(),
        }
        posts = (
            post(self._http, address, [alert], ends_at=ends_at, timeout=self._timeout)
            for address in self._addresses
        )
        deliveries = await asyncio.gather(*posts)
        failed = (d for d in deliveries if d.outcome is not Outcome.DELIVERED)
        return next(failed, deliveries[0])

    async def close(self) -> None:
        """Close the connections."""
        await self._http.aclose()
