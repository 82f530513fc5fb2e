"""When people are told: quiet hours, reminders, escalation."""

from __future__ import annotations

import re
from datetime import time, timedelta
from typing import Annotated, Any, Self
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from monitor.config.zones import ZoneName
from monitor.core.fields import STRICT, Duration
from monitor.core.model import Severity
from monitor.core.routing import QuietHours
from monitor.providers.base import Name


def _time(text: str) -> time:
    if not re.fullmatch(r"(?:[01]\d|2[0-3]):[0-5]\d", text, re.ASCII):
        raise ValueError("must be a time of day between 00:00 and 23:59, such as 07:30")
    return time.fromisoformat(text)


def _check_time(text: str) -> str:
    _time(text)
    return text


def _one_or_more(value: Any) -> Any:
    return [value] if isinstance(value, str) else value


TimeOfDay = Annotated[str, AfterValidator(_check_time)]


class Quiet(BaseModel):
    """Hours in which a channel is not disturbed."""

    model_config = ConfigDict(**STRICT, populate_by_name=True)

    begin: TimeOfDay = Field(alias="from", description="when it begins, as 22:00")
    end: TimeOfDay = Field(alias="to", description="when it ends, as 07:00")
    timezone: ZoneName = Field(default="UTC", description="IANA name, such as Europe/Berlin")
    excepted: Annotated[tuple[Severity, ...], BeforeValidator(_one_or_more)] = Field(
        default=(Severity.CRITICAL,), alias="except", description="severities told all the same"
    )

    @model_validator(mode="after")
    def _takes_time(self) -> Self:
        if self.begin == self.end:
            raise ValueError("from and to are the same time: give hours, or leave quiet out")
        return self

    @property
    def hours(self) -> QuietHours:
        """The same as the core judges it."""
        return QuietHours(
            begin=_time(self.begin),
            end=_time(self.end),
            zone=ZoneInfo(self.timezone),
            excepted=self.excepted,
        )


class Repeat(BaseModel):
    """How often an open alert is told again."""

    model_config = STRICT

    info: Duration | None = Field(default=None, description="reminders of info alerts; null: none")
    warning: Duration | None = Field(
        default=timedelta(hours=24), ge=timedelta(minutes=1), description="of warnings"
    )
    critical: Duration | None = Field(
        default=timedelta(hours=4), ge=timedelta(minutes=1), description="of critical alerts"
    )

    @property
    def by_severity(self) -> dict[Severity, timedelta]:
        """The time between reminders, without those that are off."""
        pairs = ((s, getattr(self, s.value)) for s in Severity)
        return {severity: span for severity, span in pairs if span is not None}


class Escalate(BaseModel):
    """Who else is told of a critical alert that nobody acknowledges."""

    model_config = STRICT

    after: Duration = Field(ge=timedelta(minutes=1), description="told after this long")
    to: Name = Field(description="name of a channel")
