"""The configuration as values: checked, complete, immutable, silent about secrets."""

from __future__ import annotations

from datetime import timedelta
from enum import StrEnum
from typing import Annotated, Any, Self
from urllib.parse import urlsplit

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PrivateAttr,
    SecretStr,
    model_validator,
)

from monitor.config.channels import ChannelSettings
from monitor.config.notify import Notify
from monitor.config.values import (
    Group,
    HostName,
    Listen,
    Password,
    StoreUrl,
    Text,
    UserName,
    split_listen,
    switched_off,
)
from monitor.core.fields import STRICT, Duration
from monitor.core.model import Severity
from monitor.core.rules import Rules
from monitor.providers import AnyKey
from monitor.store.base import Retention as StoreRetention

ANY_GROUP = "default"
"""The entry of ``limits`` for whatever has none of its own."""


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


def _heartbeat_schema(schema: dict[str, Any]) -> None:
    """A file gives one of the three; the loader turns it into ``url``."""
    del schema["required"]
    schema["oneOf"] = [{"required": [name]} for name in ("url", "url_file", "url_credential")]


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


class WebTls(BaseModel):
    """Certificate and key of the page; renewed files are taken up while it runs."""

    model_config = STRICT

    certificate: Text = Field(description="PEM file with the certificate and its chain")
    key: Text = Field(description="PEM file with its key, without a password")


class Web(BaseModel):
    """Where page, metrics and health checks are served."""

    model_config = STRICT

    listen: Listen = Field(
        default="127.0.0.1:9750", description="host:port; port 0 takes any free one"
    )
    hosts: tuple[HostName, ...] = Field(
        default=(), description="further names by which browsers and Prometheus reach it"
    )
    users: dict[UserName, Password] = Field(
        default={}, description="hashes of passwords by user; none: anybody may read"
    )
    tls: WebTls | None = Field(default=None, description="serves https; default: http")

    @property
    def host(self) -> str:
        """The address to bind, without brackets."""
        return split_listen(self.listen)[0]

    @property
    def port(self) -> int:
        """The port to bind; 0 for any free one."""
        return split_listen(self.listen)[1]


class CorruptStore(StrEnum):
    """What a start does about a store that is corrupt."""

    STOP = "stop"  # told to the channels, and nothing runs until a person has acted
    REPLACE = "replace"  # set aside, told to the channels, and a new one is begun


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
    corrupt_store: CorruptStore = Field(
        default=CorruptStore.STOP,
        description="what to do about a store that is corrupt: stop, or replace it by a new one",
    )
    retention: Retention = Field(default=Retention(), description="how long records are kept")
    limits: dict[Group, Limit] = Field(
        default={}, description="by provider or host; default is for all others"
    )
    http: Http = Field(default=Http(), description="how providers are reached")
    heartbeat: Heartbeat | None = Field(
        default=None, description="a switch outside that is pinged while all is well; default: none"
    )
    web: Annotated[Web | None, BeforeValidator(switched_off)] = Field(
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
