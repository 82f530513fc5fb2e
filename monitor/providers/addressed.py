"""Keys of a provider at one usual address, which another may take the place of."""

from __future__ import annotations

from typing import Any, ClassVar, Self, TypeVar

from pydantic import Field, model_validator

from monitor.providers.base import KeySettings, ProviderInfo
from monitor.providers.bearer import Bearer
from monitor.providers.exchange import Url, check_plain_http, host_of, site_of

Sender = TypeVar("Sender", bound=Bearer)

PLAIN_HTTP_FIELD: Any = Field(
    default="", description="host of url that may be asked without TLS, repeated by name"
)


def address_field(usual: str) -> Any:
    """The field ``url`` of a provider whose *usual* address this is."""
    return Field(default=usual, repr=False, description="base address of the API")


class AddressedKey(KeySettings):
    """A key of a provider whose ``url`` has a default: :func:`address_field`."""

    info: ClassVar[ProviderInfo]

    url: Url
    allow_plain_http: str = PLAIN_HTTP_FIELD

    @model_validator(mode="after")
    def _check_tls(self) -> Self:
        check_plain_http(self.url, self.allow_plain_http)
        return self

    def sent_by(self, kind: type[Sender]) -> Sender:
        """What sends the credential to the address; raises ``ValueError`` without one."""
        return kind(
            self.url,
            self.credential,
            timeout=self.timeout.total_seconds(),
            plain_http_host=self.allow_plain_http,
            secrets=self.sent,
        )

    @property
    def is_usual(self) -> bool:
        """Whether it asks the provider itself, not a service of the same shape or a copy."""
        return host_of(self.url) == host_of(type(self).model_fields["url"].default)

    @property
    def top_up_url(self) -> str:
        """The provider's page for buying credits; unknown for another address."""
        return self.info.top_up_url if self.is_usual else ""

    @property
    def origin(self) -> str:
        """The provider, or the site of another address, which is down by itself."""
        return self.provider if self.is_usual else site_of(self.url)
