"""``simulated``: reads a simulator on loopback that speaks kie.ai's wire format."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator

from monitor.providers.base import KeySettings, ProviderInfo
from monitor.providers.exchange import Url, check_plain_http
from monitor.providers.kie import KieProvider

INFO = ProviderInfo(
    name="simulated",
    title="simulated provider",
    key_kind="the name of a simulated account (default: the name of the key)",
    reads="the balance of a scripted account, in credits",
    request="GET <url>/api/v1/chat/credit",
    limits="none",
    top_up_url="",
    documentation="docs/providers.md",
    confidence="documented",
    example=(("url", '"http://127.0.0.1:9751"'),),
    notes=("used by credit-monitor demo and by the tests; no account is needed",),
)


class SimulatedKey(KeySettings):
    """An account of the simulator at ``url``."""

    provider: Literal["simulated"] = Field(description="simulated provider")
    url: Url = Field(repr=False, description="base address of the simulator, on loopback")

    @model_validator(mode="after")
    def _check_tls(self) -> Self:
        check_plain_http(self.url, "")
        return self

    def build(self) -> KieProvider:
        """The provider that polls this key: kie.ai's, at the simulator's address."""
        token = self.key.get_secret_value() if self.key else self.name
        seconds = self.timeout.total_seconds()
        return KieProvider(self.url, token, secrets=self.sent, timeout=seconds)
