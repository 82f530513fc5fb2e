"""A channel as configured: where messages go, which, in whose words, and when."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, SecretStr

from monitor.config.telling import Quiet
from monitor.config.values import Text
from monitor.core.fields import STRICT
from monitor.core.model import Severity
from monitor.core.routing import Concern, Filters
from monitor.providers.base import Name


def _channel_schema(schema: dict[str, Any]) -> None:
    """A file gives one of the four; the loader turns the first three into ``url``."""
    forms = ("url", "url_file", "url_credential", "alertmanager")
    schema["oneOf"] = [{"required": [name]} for name in forms]


def _list_of(value: Any) -> Any:
    return (value,) if isinstance(value, str | SecretStr) else value


def _one_or_several(schema: dict[str, Any]) -> None:
    several = {name: schema.pop(name) for name in ("type", "items", "minItems")}
    schema["anyOf"] = [several["items"], several]


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
