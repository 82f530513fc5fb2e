"""The templates with their words: autoescaped, strict about names, free of logic of their own."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from monitor.core import wording
from monitor.core.advice import reason_text
from monitor.core.events import Alert, Change, Event, Why
from monitor.core.messages import decode
from monitor.core.model import Reason
from monitor.core.notifications import Notification, NotificationState
from monitor.core.projection import runs_out
from monitor.core.stories import tell
from monitor.jsonable import iso
from monitor.overviews import STATE_OK, STATE_UNKNOWN


class Templates:
    """Renders the pages in ``monitor/web/html``."""

    def __init__(self, version: str) -> None:
        self._environment = Environment(
            loader=PackageLoader("monitor.web", "html"),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self._environment.globals["version"] = version
        self._environment.filters.update(
            amount=_amount,
            holding=wording.holding,
            when=_when,
            day=_day,
            span=wording.span,
            runs_out=lambda ahead, now: runs_out(ahead, now) or "\u2013",
            state=_state,
            alert_name=_alert_name,
            change=_change,
            telling=_telling,
            title=_title,
            delivery=_delivery,
            suppression=wording.SUPPRESSIONS.__getitem__,
            rule=_rule,
        )

    def render(self, values: Mapping[str, Any]) -> str:
        """The page ``template`` of *values* with the rest of them."""
        return self._environment.get_template(values["template"]).render(values)


def _amount(value: Decimal | None, unit: str = "") -> str:
    return "no cap" if value is None else wording.amount(value, unit)


def _when(at: datetime | None, now: datetime) -> str | Markup:
    """How long ago, with the exact time to hover over and for machines."""
    if at is None:
        return "never"
    return Markup('<time datetime="{0}" title="{1}">{2}</time>').format(
        iso(at), wording.clock(at, UTC), wording.ago(at, now)
    )


def _day(at: datetime) -> Markup:
    """Date and time, for machines too."""
    return Markup('<time datetime="{0}">{1}</time>').format(iso(at), wording.clock(at, UTC))


def _state(state: str, detail: str = "") -> str:
    if state == STATE_OK:
        return "ok"
    if state == STATE_UNKNOWN:
        return "not polled yet"
    return reason_text(Reason(state), detail).short


def _title(notification: Notification) -> str:
    """The title of a notification that is a whole message: a report, or a mirror's record."""
    return decode(notification.body).title


def _rule(name: str) -> str:
    return name.replace("_", " ")


def _alert_name(alert: Alert) -> str:
    return f"{alert.label}: {_rule(alert.rule)}"


_CHANGES = {
    Change.FIRED: "raised",
    Change.ESCALATED: "worse",
    Change.EASED: "better",
    Change.RESOLVED: "over",
    Change.OCCURRED: "happened",
    Change.REMINDED: "still open",
}


def _change(event: Event) -> str:
    """What happened, and why nobody was told if so."""
    word = _CHANGES[event.change]
    if event.told:
        return word
    if event.why is Why.COVERED:
        return f"{word}; not sent, another alert tells it"
    if event.why is Why.UNWATCHED:
        return f"{word}: no longer configured; not sent"
    return f"{word}; not sent"


def _telling(event: Event) -> str:
    """The headline of a message about *event* alone."""
    return tell([event], event.at, UTC).headline


_DELIVERIES = {
    NotificationState.PENDING: "waiting",
    NotificationState.DELIVERED: "delivered",
    NotificationState.DEAD: "not delivered, given up",
    NotificationState.DROPPED: "not sent, over before its time",
}


def _delivery(state: NotificationState) -> str:
    return _DELIVERIES[state]
