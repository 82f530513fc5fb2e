"""kinovi.ai: whether a key works; no balance, because no documented call tells it.

The state of a task that does not exist is asked for: a good key is told that there is no such task,
and nothing is spent.  The one answer that states the balance is the refusal of a new task (HTTP
402), which is not provoked, because with enough credit it would be a task.
Source: https://kinovi.ai/docs/common/reference/get-task-status
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from monitor.core.model import MeterReading, Reason
from monitor.providers.addressed import AddressedKey, address_field
from monitor.providers.base import PollError, ProviderInfo
from monitor.providers.bearer import Bearer
from monitor.providers.by_hand import MANUAL_FIELD, Manual
from monitor.providers.exchange import Answer, Url
from monitor.providers.judge import Words, check_status, try_decode, words_in

if TYPE_CHECKING:
    from monitor.providers.http import HttpClient

BASE_URL = "https://kinovi.ai"
PATH = "/api/v1/jobs/recordInfo?taskId="
TASK = "task_cl00000000000000000000000"
"""Of the form of the documentation's ids, ``task_clxxxxxx``, and nobody's task; see
https://kinovi.ai/docs/common/reference/api-overview."""

INFO = ProviderInfo(
    name="kinovi",
    title="kinovi.ai",
    key_kind="an API key of an account with API access",
    reads="whether the key works; the balance may be entered by hand",
    request=f"GET {BASE_URL}{PATH}{TASK}",
    limits="none documented for this call",
    top_up_url="",
    documentation="https://kinovi.ai/docs/common/reference/get-task-status",
    confidence="documented",
    shows_balance=False,
    environment=("KINOVI_API_KEY",),
    notes=(
        "the call asks for a task that does not exist and spends nothing",
        "balance: {manual: 5000, at: 2026-11-01} shows an amount that you enter, with its age",
        "unconfirmed: which ids are well formed; a 400 is therefore taken for no good key",
    ),
)

_OK, _FORBIDDEN, _NOT_FOUND = 200, 403, 404
_NO_SUCH_TASK = "task not found"
_NOT_YOURS = "access denied"


class KinoviKey(AddressedKey):
    """A key of kinovi.ai."""

    info: ClassVar[ProviderInfo] = INFO
    takes_manual: ClassVar[bool] = True

    provider: Literal["kinovi"] = Field(description="kinovi.ai")
    url: Url = address_field(BASE_URL)
    balance: Manual = MANUAL_FIELD

    @property
    def manual(self) -> tuple[MeterReading, datetime] | None:
        """The balance entered by hand, if there is one."""
        return (self.balance.reading, self.balance.at) if self.balance else None

    def build(self) -> KinoviProvider:
        """The provider that polls this key; raises ``ValueError`` without a key."""
        return self.sent_by(KinoviProvider)


@dataclass(frozen=True, slots=True)
class KinoviProvider(Bearer):
    """Checks one key of kinovi.ai."""

    async def poll(self, http: HttpClient) -> tuple[MeterReading, ...]:
        """Nothing, where the key works; raises :class:`PollError` where it does not."""
        request = self.request("GET", PATH + TASK)
        judge(await http.fetch(request, timeout=self.timeout), self.hidden)
        return ()


def judge(answer: Answer, secrets: Iterable[str]) -> None:
    """Return where *answer* tells of a good key; else raise :class:`PollError`.

    "No such task" is good, and so is "not your task"; a bare 404 is a wrong address, and that the
    id is malformed proves nothing.
    """
    document, unreadable = try_decode(answer.body)
    text = words_in(document).lower()
    if answer.status == _NOT_FOUND and _NO_SUCH_TASK in text:
        return
    if answer.status == _FORBIDDEN and _NOT_YOURS in text:
        return
    check_status(answer, Words(document, secrets))
    if unreadable:
        raise unreadable
    if answer.status != _OK or not isinstance(document, dict) or "taskId" not in document:
        raise PollError(Reason.BAD_RESPONSE, "taskId is missing")
