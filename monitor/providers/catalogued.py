"""Keys of the catalog's providers: every entry has a model, made when it is first used."""

from __future__ import annotations

from datetime import datetime
from functools import cache
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import Field, StringConstraints, create_model, model_validator

from monitor.core.model import MeterReading
from monitor.providers import catalog
from monitor.providers.addressed import PLAIN_HTTP_FIELD
from monitor.providers.base import KeySettings, Provider
from monitor.providers.by_hand import MANUAL_FIELD, Manual, ManualBalance
from monitor.providers.catalog import Entry, Setting
from monitor.providers.declarative import JsonProvider, rebased
from monitor.providers.exchange import Url, check_plain_http, host_of, site_of
from monitor.providers.placeholders import fill_url

SettingText = Annotated[
    str, StringConstraints(min_length=1, max_length=200, pattern=r"^[!-~](?:[ -~]*[!-~])?$")
]
"""What may stand in an address or a header."""


MeterName = Annotated[str, StringConstraints(min_length=1, max_length=63)]


class CatalogKey(KeySettings):
    """A key of a provider that the catalog describes; the entry's settings are further fields."""

    entry: ClassVar[Entry]

    url: Url | None = Field(
        default=None,
        repr=False,
        description="another base address of the API, in place of scheme and host of the usual one",
    )
    allow_plain_http: str = PLAIN_HTTP_FIELD

    only: tuple[MeterName, ...] = Field(
        default=(), description="names of the amounts to read, where there are several; none: all"
    )

    @model_validator(mode="after")
    def _check_tls(self) -> Self:
        if self.url is not None:
            check_plain_http(self.url, self.allow_plain_http)
        return self

    @property
    def sent_fields(self) -> frozenset[str]:
        """The settings too: they become part of addresses and headers."""
        return super().sent_fields | self.entry.settings.keys()

    @property
    def values(self) -> dict[str, str]:
        """The settings that have a value, by name."""
        given = {name: getattr(self, name) for name in self.entry.settings}
        return {name: value for name, value in given.items() if value is not None}

    @property
    def manual(self) -> tuple[MeterReading, datetime] | None:
        """The balance entered by hand, if there is one; only key checks have the field."""
        balance: ManualBalance | None = getattr(self, "balance", None)
        return (balance.reading, balance.at) if balance else None

    @property
    def secrets(self) -> tuple[str, ...]:
        """Also the parts of a credential that is sent as user and password."""
        key = self.key.get_secret_value() if self.key else ""
        return (*super().secrets, *self.entry.auth.parts(key, self.values))

    @property
    def top_up_url(self) -> str:
        """The provider's page for buying credits; unknown for another address."""
        return self.entry.top_up if self.origin == self.provider else ""

    @property
    def origin(self) -> str:
        """The provider, or the site where the address is not the provider's own."""
        if self.url is None or host_of(self.url) == host_of(self.entry.url):
            return self.provider
        return site_of(self.url)

    def build(self) -> Provider:
        """The provider that polls this key; raises ``ValueError`` without a key."""
        base = self.url or ""
        return JsonProvider(
            endpoint=self.entry,
            url=fill_url(rebased(self.entry.url, base), self.values),
            key=self.credential,
            timeout=self.timeout.total_seconds(),
            secrets=self.secrets,
            values=self.values,
            base=base,
            plain_http_host=self.allow_plain_http,
            only=self.only,
        )


@cache
def key_model(name: str) -> type[CatalogKey]:
    """The model of keys of provider *name*; raises ``KeyError`` if the catalog has none."""
    entry = catalog.entry(name)
    fields: dict[str, Any] = {each: _field(setting) for each, setting in entry.settings.items()}
    if entry.has_own_address:
        fields["url"] = (Url, Field(repr=False, description="base address, without the path"))
    if entry.key_check:
        fields["balance"] = (Manual, MANUAL_FIELD)
    provider: Any = (Literal[name], Field(description=entry.title))
    model = create_model(f"{name} key", __base__=CatalogKey, provider=provider, **fields)
    model.entry = entry
    model.takes_manual = entry.key_check
    return model


def _field(setting: Setting) -> tuple[Any, Any]:
    if setting.is_needed:
        return SettingText, Field(repr=False, description=setting.description)
    optional = Field(default=setting.default, repr=False, description=setting.description)
    return SettingText | None, optional


@cache
def any_key_model() -> type[CatalogKey]:
    """A model of keys of any provider of the catalog, for the schema: all settings, none needed."""
    settings: dict[str, Setting] = {}
    for name in catalog.names():
        settings |= catalog.entry(name).settings
    fields: dict[str, Any] = {
        name: (SettingText | None, Field(default=None, description=each.description))
        for name, each in settings.items()
    }
    fields["balance"] = (Manual, MANUAL_FIELD)
    names: Any = Literal[catalog.names()]
    provider: Any = (names, Field(description="a provider of the catalog: docs/providers.md"))
    return create_model("CatalogKey", __base__=CatalogKey, provider=provider, **fields)
