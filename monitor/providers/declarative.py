"""``json``: any endpoint that answers JSON, described in the configuration."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from monitor.providers.base import KeySettings, Provider, ProviderInfo, Secret

INFO = ProviderInfo(
    name="json",
    title="any JSON endpoint",
    key_kind="whatever the endpoint asks for",
    reads="the amount that your expression names, in your unit",
    request="GET or POST of your url",
    limits="yours to know: mind the provider's request limits when choosing interval",
    top_up_url="",
    documentation="docs/providers.md",
    confidence="yours",
)


class JsonKey(KeySettings):
    """An endpoint described in the configuration."""

    provider: Literal["json"] = Field(description="any JSON endpoint")
    url: str = Field(description="address that answers with the balance")
    method: Literal["GET", "POST"] = Field(default="GET", description="request method")
    headers: dict[str, Secret] = Field(default={}, description="further headers")
    body: dict[str, Any] | list[Any] | None = Field(default=None, description="fixed JSON body")
    auth: str = Field(default="bearer", description="how the key is sent")
    balance: str = Field(description="expression over the answer")
    unit: str = Field(description="unit of the balance")

    def build(self) -> Provider:
        """The provider that polls this key."""
        raise NotImplementedError
