"""kie.ai: one balance in credits per account, read from ``GET /api/v1/chat/credit``.

Source: https://docs.kie.ai/common-api/get-account-credits
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from monitor.core.model import MeterReading
from monitor.providers.addressed import AddressedKey, address_field
from monitor.providers.base import ProviderInfo
from monitor.providers.bearer import Bearer
from monitor.providers.exchange import Answer, Url
from monitor.providers.judge import amount
from monitor.providers.kie_envelope import data_of

if TYPE_CHECKING:
    from monitor.providers.http import HttpClient

BASE_URL = "https://api.kie.ai"
PATH = "/api/v1/chat/credit"
UNIT = "credits"

INFO = ProviderInfo(
    name="kie",
    title="kie.ai",
    key_kind="an ordinary API key, from kie.ai/api-key",
    reads="the balance of the account, in credits (1 credit = 0.005 USD)",
    request=f"GET {BASE_URL}{PATH}",
    limits="none documented for this call",
    top_up_url="https://kie.ai/billing",
    documentation="https://docs.kie.ai/common-api/get-account-credits",
    confidence="documented",
    environment=("KIE_API_KEY",),
    notes=(
        "the call is free",
        (
            "the figure is the account's: a cap of the key does not show in it; a capped key is "
            "told as key_capped (code 433, seen in live answers but not documented)"
        ),
        "credits of failed tasks come back, so the balance rises without a top-up",
    ),
)


class KieKey(AddressedKey):
    """A key of kie.ai, or of a service of the same shape under another ``url``."""

    info: ClassVar[ProviderInfo] = INFO

    provider: Literal["kie"] = Field(default="kie", description="kie.ai")
    url: Url = address_field(BASE_URL)

    def build(self) -> KieProvider:
        """The provider that polls this key; raises ``ValueError`` without a key."""
        return self.sent_by(KieProvider)


@dataclass(frozen=True, slots=True)
class KieProvider(Bearer):
    """Reads the credits of one kie.ai account, or of a service of the same shape."""

    async def poll(self, http: HttpClient) -> tuple[MeterReading, ...]:
        """The account's balance as the one meter; raises :class:`PollError`."""
        answer = await http.fetch(self.request("GET", PATH), timeout=self.timeout)
        return (self.judge(answer),)

    def judge(self, answer: Answer) -> MeterReading:
        """The balance in *answer*; raises :class:`PollError`, whose text is free of secrets."""
        return judge(answer, self.hidden)


def judge(answer: Answer, secrets: Iterable[str]) -> MeterReading:
    """The balance in *answer*; raises :class:`PollError`, whose text is free of *secrets*."""
    return MeterReading(unit=UNIT, balance=amount(data_of(answer, secrets), "data"))
