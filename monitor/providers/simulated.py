"""``simulated``: reads a simulator on loopback that speaks kie.ai's wire format."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from monitor.providers.base import KeySettings, Provider, ProviderInfo

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
    notes=("used by credit-monitor demo and by the tests; no account is needed",),
)


class SimulatedKey(KeySettings):
    """An account of the simulator at ``url``."""

    provider: Literal["simulated"] = Field(description="simulated provider")
    url: str = Field(description="base address of the simulator")

    def build(self) -> Provider:
        """The provider that polls this key."""
        raise NotImplementedError
