"""How messages are sent, whichever the channel: times, reminders, the report."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Self
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, BaseModel, BeforeValidator, Field, model_validator

from monitor.config.telling import Escalate, Repeat
from monitor.config.values import switched_off
from monitor.config.zones import ZoneName
from monitor.core.fields import STRICT, Duration, Switch
from monitor.core.periods import Every, SendTime, parse_send_time
from monitor.providers.base import Name


def _check_send_time(value: str) -> str:
    parse_send_time(value)
    return value


class Report(BaseModel):
    """The digest of the last whole day or week, and when it is sent."""

    model_config = STRICT

    every: Every = Field(default=Every.WEEK, description="day or week: how often, and about what")
    at: Annotated[str, AfterValidator(_check_send_time)] = Field(
        default="09:00",
        description='when, such as "09:00"; weekly also "Tue 09:00", else on Monday',
    )
    channels: tuple[Name, ...] = Field(
        default=(), description="names of channels; default: all that are sent info"
    )

    @model_validator(mode="after")
    def _weekday_is_weekly(self) -> Self:
        if self.every is Every.DAY and self.send_time.weekday is not None:
            raise ValueError("at: a daily report has no weekday")
        return self

    @property
    def send_time(self) -> SendTime:
        """When it is sent, as a value."""
        return parse_send_time(self.at)


class Notify(BaseModel):
    """How messages are sent, whichever the channel."""

    model_config = STRICT

    group_wait: Duration = Field(
        default=timedelta(seconds=10),
        le=timedelta(hours=1),
        description="what happens within this time is one message per channel",
    )
    timeout: Duration = Field(
        default=timedelta(seconds=30),
        ge=timedelta(seconds=1),
        le=timedelta(minutes=10),
        description="a send that takes longer has failed and is tried again",
    )
    give_up_after: Duration = Field(
        default=timedelta(hours=24),
        ge=timedelta(minutes=1),
        description="a message not delivered by then goes to the dead letters",
    )
    resolved: bool = Field(default=True, description="whether the end of an alert is sent too")
    report: Annotated[Report | None, BeforeValidator(switched_off)] = Field(
        default=None, description="a digest of each day or week; off unless configured"
    )
    repeat: Repeat = Field(default=Repeat(), description="reminders while an alert is open")
    escalate: Escalate | None = Field(
        default=None, description="who else is told of what nobody acknowledges"
    )
    fallback_after: Duration = Field(
        default=timedelta(minutes=15),
        ge=timedelta(seconds=1),
        description="a channel that fails this long hands over to its fallback",
    )
    timezone: ZoneName = Field(
        default="UTC", description="time zone of the times in messages, such as Europe/Berlin"
    )

    charts: Switch = Field(
        default=True, description="whether charts go along where a channel takes pictures"
    )

    @property
    def zone(self) -> ZoneInfo:
        """The time zone of the times in messages."""
        return ZoneInfo(self.timezone)
