"""kie.ai: one balance in credits per account, read from ``GET /api/v1/chat/credit``."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from monitor.providers.base import KeySettings, Provider, ProviderInfo

BASE_URL = "https://api.kie.ai"

INFO = ProviderInfo(
    name="kie",
    title="kie.ai",
    key_kind="an ordinary API key, from kie.ai/api-key",
    reads="the balance of the account, in credits (1 credit = 0.005 USD)",
    request="GET https://api.kie.ai/api/v1/chat/credit",
    limits="none documented for this call",
    top_up_url="https://kie.ai/billing",
    documentation="https://docs.kie.ai/common-api/get-account-credits",
    confidence="documented",
    notes=(
        "the call is free",
        (
            "the figure is the account's: an hourly, daily or total cap of the key does not show in "
            "it; a capped key is told as key_capped (code 433, seen in live answers only)"
        ),
        "credits of failed tasks come back, so the balance rises without a top-up",
    ),
)


class KieKey(KeySettings):
    """A key of kie.ai, or of a service of the same shape under another ``url``."""

    provider: Literal["kie"] = Field(default="kie", description="kie.ai")
    url: str = Field(default=BASE_URL, description="base address of the API")

    @property
    def top_up_url(self) -> str:
        """kie.ai's page for buying credits."""
        return INFO.top_up_url

    def build(self) -> Provider:
        """The provider that polls this key."""
        raise NotImplementedError
