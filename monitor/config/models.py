"""The configuration as values: checked, complete, immutable, silent about secrets."""

from __future__ import annotations

import ipaddress
import re
from datetime import datetime, timedelta
from typing import Annotated, Any, Self
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PrivateAttr,
    SecretStr,
    StringConstraints,
    WithJsonSchema,
    model_validator,
)

from monitor.config.telling import Escalate, Quiet, Repeat
from monitor.config.zones import ZoneName
from monitor.core.fields import STRICT, Duration
from monitor.core.model import Severity
from monitor.core.periods import Every, SendTime, parse_send_time
from monitor.core.routing import Concern, Filters
from monitor.core.rules import Rules
from monitor.providers import AnyKey
from monitor.providers.base import Name
from monitor.store.base import Retention as StoreRetention

OFF_WORDS = (False, "off", "no")
"""What switches a rule or the web page off; ``off`` is plain text to our reading of YAML."""

ANY_GROUP = "default"
"""The entry of ``limits`` for whatever has none of its own."""

Text = Annotated[str, StringConstraints(min_length=1)]

_GROUP = re.compile(r"[A-Za-z0-9_.:\[\]-]{1,253}", re.ASCII)


def _check_store(secret: SecretStr) -> SecretStr:
    url = secret.get_secret_value()
    try:
        parts = urlsplit(url)
        parts.port  # noqa: B018 - raises for a port that is none
    except ValueError:
        parts = urlsplit("")
    if parts.scheme == "sqlite" and url.startswith("sqlite:///") and parts.path.strip("/"):
        return secret
    if parts.scheme == "postgresql" and parts.hostname and parts.path.strip("/"):
        return secret
    raise ValueError("must be sqlite:///absolute/path.db or postgresql://user:password@host/name")


def _check_listen(value: str) -> str:
    host, port = split_listen(value)
    if not host:
        raise ValueError("must name the host too, such as 127.0.0.1:9750 or [::1]:9750")
    if not 0 <= port <= 65535:  # noqa: PLR2004 - ports have 16 bits
        raise ValueError("the port lies between 0 (any free one) and 65535")
    return value


def split_listen(value: str) -> tuple[str, int]:
    """Host and port of ``127.0.0.1:9750`` or ``[::1]:9750``; raises ``ValueError``."""
    match = re.fullmatch(r"(?:\[([0-9A-Fa-f:.]+)\]|([A-Za-z0-9.-]*)):(\d{1,5})", value, re.ASCII)
    if match is None:
        raise ValueError("must be host:port, such as 127.0.0.1:9750 or [::1]:9750")
    if match[1] is not None and not _is_ipv6(match[1]):
        raise ValueError("has brackets around what is no IPv6 address")
    return match[1] or match[2], int(match[3])


def _is_ipv6(text: str) -> bool:
    try:
        ipaddress.IPv6Address(text)
    except ValueError:
        return False
    return True


def _check_group(value: str) -> str:
    if not _GROUP.fullmatch(value):
        raise ValueError("must be the name of a provider, a host, or default")
    return value


StoreUrl = Annotated[SecretStr, AfterValidator(_check_store)]
"""Where the store is; it may hold a password."""

Listen = Annotated[str, AfterValidator(_check_listen)]
Group = Annotated[str, AfterValidator(_check_group)]


def _switch(value: Any) -> Any:
    """``on`` and ``off`` are plain text to our reading of YAML."""
    return {"on": True, "yes": True, "off": False, "no": False}.get(str(value), value)


Switch = Annotated[
    bool, BeforeValidator(_switch), WithJsonSchema({"enum": ["on", "off", True, False]})
]


class Defaults(BaseModel):
    """What a key does not say itself."""

    model_config = STRICT

    interval: Duration = Field(
        default=timedelta(minutes=5), ge=timedelta(seconds=1), description="time between polls"
    )
    timeout: Duration = Field(
        default=timedelta(seconds=10),
        gt=timedelta(0),
        le=timedelta(minutes=2),
        description="a poll that takes longer has failed",
    )


def _channel_schema(schema: dict[str, Any]) -> None:
    """A file gives one of the four; the loader turns the first three into ``url``."""
    forms = ("url", "url_file", "url_credential", "alertmanager")
    schema["oneOf"] = [{"required": [name]} for name in forms]


def _list_of(value: Any) -> Any:
    return (value,) if isinstance(value, str | SecretStr) else value


def _one_or_several(schema: dict[str, Any]) -> None:
    several = {name: schema.pop(name) for name in ("type", "items", "minItems")}
    schema["anyOf"] = [several["items"], several]


def _heartbeat_schema(schema: dict[str, Any]) -> None:
    """A file gives one of the three; the loader turns it into ``url``."""
    del schema["required"]
    schema["oneOf"] = [{"required": [name]} for name in ("url", "url_file", "url_credential")]


class TemplateSettings(BaseModel):
    """A channel's own words, as Jinja2 templates over what a message says."""

    model_config = STRICT

    title: Text | None = Field(default=None, description="template of the title")
    body: Text | None = Field(default=None, description="template of the body, plain text")


class ChannelSettings(BaseModel):
    """One way to people, and what is sent along it."""

    model_config = ConfigDict(**STRICT, json_schema_extra=_channel_schema)

    name: Name = Field(description="unique name of this channel")
    url: SecretStr | None = Field(
        default=None, description="Apprise URL, as ${VARIABLE}; console: prints"
    )
    url_file: Text | None = Field(default=None, description="file that holds the URL")
    url_credential: Text | None = Field(
        default=None, description="name of a systemd credential (LoadCredential=)"
    )
    alertmanager: Annotated[tuple[SecretStr, ...], BeforeValidator(_list_of)] = Field(
        default=(),
        min_length=1,
        description="instead of a URL: base address of an Alertmanager, or of each of a cluster",
        json_schema_extra=_one_or_several,
    )
    severities: tuple[Severity, ...] = Field(
        default=tuple(Severity), min_length=1, description="which severities are sent"
    )
    keys: tuple[Text, ...] = Field(
        default=("*",), min_length=1, description="names of keys, * and ? as in file names"
    )
    tags: tuple[Text, ...] = Field(
        default=(), description="only keys with at least one of these tags; none: all keys"
    )
    template: TemplateSettings | None = Field(
        default=None, description="own words for title and body; none: the built-in ones"
    )

    @property
    def words(self) -> dict[str, str]:
        """The templates by what they are for, ``title`` or ``body``."""
        return self.template.model_dump(exclude_none=True) if self.template else {}

    @property
    def messages_to(self) -> str:
        """The URL that messages go to; empty for an Alertmanager, which is shown states instead."""
        return self.url.get_secret_value() if self.url is not None else ""

    accounts: tuple[Text, ...] = Field(
        default=("*",), min_length=1, description="names of accounts, likewise"
    )
    providers: tuple[Text, ...] = Field(
        default=("*",), min_length=1, description="names of providers, likewise"
    )
    rules: tuple[Text, ...] = Field(
        default=("*",), min_length=1, description="names of rules, likewise"
    )
    quiet: Quiet | None = Field(
        default=None, description="hours in which messages are held until they are over"
    )
    limit: int | None = Field(
        default=30, ge=1, le=10_000, description="messages an hour; critical ones may be twice that"
    )
    fallback: Name | None = Field(
        default=None, description="channel that is told what this one does not take"
    )

    @property
    def filters(self) -> Filters:
        """What this channel wants to hear."""
        return Filters(
            severities=self.severities,
            keys=self.keys,
            accounts=self.accounts,
            providers=self.providers,
            rules=self.rules,
            tags=self.tags,
        )

    def why_not(self, severity: Severity, concern: Concern) -> str:
        """The reason why an event is not told here, in words; empty when it is."""
        return self.filters.why_not(severity, concern)

    def held_until(self, severity: Severity, now: datetime) -> datetime | None:
        """The end of the quiet hours that hold an event of *severity* back; None: tell at once."""
        return self.quiet.hours.until(severity, now) if self.quiet else None


def _switched_off(value: Any) -> Any:
    return None if value in OFF_WORDS else value


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
    report: Annotated[Report | None, BeforeValidator(_switched_off)] = Field(
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


class Retention(BaseModel):
    """How long what was recorded is kept."""

    model_config = STRICT

    samples: Duration = Field(
        default=timedelta(days=14), ge=timedelta(hours=1), description="every change of a balance"
    )
    thinned: Duration = Field(
        default=timedelta(days=400),
        ge=timedelta(hours=1),
        description="balances after that, thinned out",
    )
    records: Duration = Field(
        default=timedelta(days=400),
        ge=timedelta(hours=1),
        description="closed alerts, messages and failed polls",
    )

    @model_validator(mode="after")
    def _thinned_is_longer(self) -> Self:
        if self.thinned < self.samples:
            raise ValueError("thinned must not be shorter than samples: it continues them")
        return self

    @property
    def kept(self) -> StoreRetention:
        """The same, in the words of the store."""
        return StoreRetention(samples=self.samples, thinned=self.thinned, records=self.records)


class Limit(BaseModel):
    """How hard one provider or host may be asked."""

    model_config = STRICT

    rate: float | None = Field(
        default=None,
        gt=0,
        le=100_000,
        allow_inf_nan=False,
        description="polls started per second; none: twice what the schedule asks, at least 20",
    )
    concurrency: int = Field(default=100, ge=1, le=10_000, description="polls in flight at once")


class Http(BaseModel):
    """How providers are reached; proxies come from HTTPS_PROXY, HTTP_PROXY and NO_PROXY."""

    model_config = STRICT

    ca_file: Text | None = Field(
        default=None, description="PEM file with the certificates to trust instead of the usual"
    )


class Heartbeat(BaseModel):
    """A dead man's switch outside that is pinged while all is well here."""

    model_config = ConfigDict(**STRICT, json_schema_extra=_heartbeat_schema)

    url: SecretStr = Field(description="what is asked with GET, as ${VARIABLE}")
    url_file: Text | None = Field(default=None, description="file that holds the URL")
    url_credential: Text | None = Field(
        default=None, description="name of a systemd credential (LoadCredential=)"
    )
    every: Duration = Field(
        default=timedelta(minutes=5), ge=timedelta(seconds=10), description="time between pings"
    )


class Web(BaseModel):
    """Where page, metrics and health checks are served."""

    model_config = STRICT

    listen: Listen = Field(
        default="127.0.0.1:9750", description="host:port; port 0 takes any free one"
    )

    @property
    def host(self) -> str:
        """The address to bind, without brackets."""
        return split_listen(self.listen)[0]

    @property
    def port(self) -> int:
        """The port to bind; 0 for any free one."""
        return split_listen(self.listen)[1]


class Settings(BaseModel):
    """The whole configuration, with everything that was left out filled in.

    In ``keys`` the interval, timeout and rules are those in effect, and the credential is in
    ``key`` wherever it came from; likewise the ``url`` of channels and of the heartbeat.
    """

    model_config = STRICT

    defaults: Defaults = Field(default=Defaults(), description="what a key does not say itself")
    keys: tuple[AnyKey, ...] = Field(min_length=1, description="the credentials to watch")
    rules: Rules = Field(default=Rules(), description="what is told; off switches a rule off")
    channels: tuple[ChannelSettings, ...] = Field(default=(), description="who is told")
    notify: Notify = Field(default=Notify(), description="how messages are sent")
    store: StoreUrl = Field(description="where everything recorded lives")
    retention: Retention = Field(default=Retention(), description="how long records are kept")
    limits: dict[Group, Limit] = Field(
        default={}, description="by provider or host; default is for all others"
    )
    http: Http = Field(default=Http(), description="how providers are reached")
    heartbeat: Heartbeat | None = Field(
        default=None, description="a switch outside that is pinged while all is well; default: none"
    )
    web: Annotated[Web | None, BeforeValidator(_switched_off)] = Field(
        default=Web(), description="page, metrics and health checks; off: none"
    )

    _source: str = PrivateAttr(default="")
    _from_environment: frozenset[tuple[str | int, ...]] = PrivateAttr(default=frozenset())

    @property
    def source(self) -> str:
        """Where this came from, for messages: the file's path, or ``environment``."""
        return self._source

    @property
    def from_environment(self) -> frozenset[tuple[str | int, ...]]:
        """Paths of texts that hold what a variable stood for, and so are not shown."""
        return self._from_environment

    def with_origin(self, source: str, from_environment: frozenset[tuple[str | int, ...]]) -> Self:
        """The same settings, knowing where they came from."""
        copy = self.model_copy()
        copy._source = source  # noqa: SLF001 - our own private attribute
        copy._from_environment = from_environment  # noqa: SLF001 - our own private attribute
        return copy

    def without_keys(self) -> Self:
        """The settings of everything but the keys, which take most of the memory."""
        return self.model_copy(update={"keys": ()}).with_origin(self.source, frozenset())

    def sends_report(self, channel: ChannelSettings) -> bool:
        """Whether reports go to *channel*: it is named for them, or else is sent info.

        Never to an Alertmanager, which is shown states and takes no messages.
        """
        if channel.alertmanager:
            return False
        named = self.notify.report.channels if self.notify.report else ()
        return channel.name in named if named else Severity.INFO in channel.severities

    def limit(self, provider: str, group: str) -> Limit:
        """The limits of keys of *provider* in limit group *group* (host, or host:port).

        The entry of the group comes before those of its host and of the provider; what it leaves
        out is taken from ``default``.
        """
        common = self.limits.get(ANY_GROUP, Limit())
        host = urlsplit(f"//{group}").hostname or group
        own = self.limits.get(group) or self.limits.get(host) or self.limits.get(provider)
        if own is None:
            return common
        given = {name: getattr(own, name) for name in own.model_fields_set}
        written = {name: value for name, value in given.items() if value is not None}
        return common.model_copy(update=written)
