"""What every provider is: its parameters (a settings model) and how one poll of a key is done."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Protocol, Self, runtime_checkable

from pydantic import (
    AfterValidator,
    BaseModel,
    Field,
    PrivateAttr,
    SecretStr,
    StringConstraints,
    model_validator,
)

from monitor.core.fields import STRICT, Duration
from monitor.core.rules import Rules

if TYPE_CHECKING:
    from monitor.core.model import MeterFailure, MeterReading, Reason
    from monitor.providers.http import HttpClient

Name = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.@-]{0,62}$")]
"""A name that is safe as a label, in a glob, in a path of the web page and on a command line."""

_PRINTABLE = re.compile(r"[!-~](?:[ -~]*[!-~])?")


def _check_secret(secret: SecretStr) -> SecretStr:
    """Refuse what no HTTP header can carry: the HTTP library would print the key in its error."""
    value = secret.get_secret_value()
    if not value:
        raise ValueError("is empty")
    if value != value.strip():
        raise ValueError("has a blank or line break at its beginning or end")
    if not _PRINTABLE.fullmatch(value):
        raise ValueError("has a character that no HTTP header can carry (not printable ASCII)")
    return secret


Secret = Annotated[SecretStr, AfterValidator(_check_secret)]
"""A credential that a header can carry; never shown."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProviderInfo:
    """What ``credit-monitor providers`` tells about one provider.

    ``confidence`` is ``documented``, ``seen in client code``, ``unconfirmed`` or ``yours`` (the
    configuration describes the endpoint).  Without ``shows_balance`` it is a key check only.
    ``environment`` are the usual variables of its keys, ``interval`` the shortest sensible time
    between polls, which is the default; ``example`` has what a key needs beside its credential.
    """

    name: str
    title: str
    key_kind: str
    reads: str
    request: str
    limits: str
    top_up_url: str
    documentation: str
    confidence: str
    notes: tuple[str, ...] = ()
    group: str = "coded"
    shows_balance: bool = True
    environment: tuple[str, ...] = ()
    interval: timedelta = timedelta(minutes=5)
    example: tuple[tuple[str, str], ...] = ()


class PollError(Exception):
    """A poll that gave no reading; raised by providers and by the HTTP door, caught by the poller.

    ``detail`` is shown to people: short, without URL, header, body or key.
    """

    def __init__(
        self, reason: Reason, detail: str = "", *, retry_after: timedelta | None = None
    ) -> None:
        super().__init__(f"{reason}: {detail}" if detail else str(reason))
        self.reason = reason
        self.detail = detail
        self.retry_after = retry_after


class Provider(Protocol):
    """One configured key of one kind of API, ready to be polled."""

    @property
    def limit_group(self) -> str:
        """Keys with the same group share rate and concurrency limits (usually the host)."""
        ...

    async def poll(self, http: HttpClient) -> tuple[MeterReading | MeterFailure, ...]:
        """Read all meters of the key once; raises :class:`PollError` and nothing else.

        None at all means that the key works at a provider without a readable balance.  A failure
        among them is that of one meter, while the others could be read.
        """
        ...


_SENT_FIELDS = frozenset({"url", "headers", "body", "auth", "lookup"})


@runtime_checkable
class Renewing(Protocol):
    """A provider that can log in again to accounts behind its key."""

    @property
    def renewable(self) -> frozenset[str]:
        """The meters whose login may be renewed without asking anybody."""
        ...

    async def renew(self, http: HttpClient, meter: str) -> None:
        """Log in again to the account behind *meter*; raises :class:`PollError` only."""
        ...


class KeySettings(BaseModel):
    """What every entry of ``keys:`` has, whichever its provider; providers add their own fields.

    The configuration loader fills in ``interval``, ``timeout`` and ``rules`` from the defaults and
    turns ``key_file`` and ``key_credential`` into ``key``.
    """

    model_config = STRICT

    takes_manual: ClassVar[bool] = False
    """Whether the provider shows no balance, so that one may be entered by hand."""

    name: Name = Field(description="unique name of this key: label, file name, command-line word")
    provider: str = Field(description="adapter that reads it")
    key: Secret | None = Field(default=None, description="the credential, as ${VARIABLE}")
    key_file: str | None = Field(default=None, description="file that holds the credential")
    key_credential: str | None = Field(
        default=None, description="name of a systemd credential (LoadCredential=)"
    )
    account: Name | None = Field(
        default=None, description="keys that draw on the same balance carry the same account"
    )
    tags: tuple[str, ...] = Field(default=(), description="free labels for routing")
    interval: Duration = Field(
        default=timedelta(minutes=5), ge=timedelta(seconds=1), description="time between polls"
    )
    timeout: Duration = Field(
        default=timedelta(seconds=10),
        gt=timedelta(0),
        le=timedelta(minutes=2),
        description="a poll that takes longer has failed",
    )
    rules: Rules = Field(default=Rules(), description="over the rules below, field by field")

    _sent: tuple[str, ...] = PrivateAttr(default=())

    @property
    def credential(self) -> str:
        """The credential as text; raises ``ValueError`` where there is none."""
        if self.key is None:
            raise ValueError(f"key {self.name} has no credential")
        return self.key.get_secret_value()

    @property
    def sent(self) -> tuple[str, ...]:
        """What variables stood for in the url, headers and body: as secret as the credential."""
        return self._sent

    @property
    def sent_fields(self) -> frozenset[str]:
        """The fields that are sent to the provider beside the credential."""
        return _SENT_FIELDS

    @property
    def secrets(self) -> tuple[str, ...]:
        """All that is never shown, of whatever is told about this key."""
        key = (self.key.get_secret_value(),) if self.key else ()
        return (*key, *self.sent)

    def with_secrets(self, sent: tuple[str, ...]) -> Self:
        """The same key, knowing what its url, headers and body hold from variables."""
        if not sent:
            return self
        copy = self.model_copy()
        copy._sent = sent  # noqa: SLF001 - our own private attribute
        return copy

    @model_validator(mode="before")
    @classmethod
    def _check_manual(cls, value: Any) -> Any:
        """An amount entered by hand stands only where none is read: two would be mixed up."""
        balance = value.get("balance") if isinstance(value, dict) else None
        if isinstance(balance, dict) and "manual" in balance and not cls.takes_manual:
            raise ValueError(
                "balance: the balance of this provider is read; one that is entered by hand is"
                " only for those that show none"
            )
        return value

    @property
    def manual(self) -> tuple[MeterReading, datetime] | None:
        """A balance that was entered by hand, and when it was; None where there is none."""
        return None

    @property
    def top_up_url(self) -> str:
        """Where a person buys credit for this key; empty where nobody documents a page."""
        return ""

    @property
    def origin(self) -> str:
        """What fails together with this key, and has one alert then: the provider, or a site."""
        return self.provider

    def build(self) -> Provider:
        """The provider that polls this key."""
        raise TypeError(f"provider {self.provider} cannot be built")
