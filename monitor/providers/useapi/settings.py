"""What a key of useapi.net can be told, and what is known about the provider."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated, ClassVar, Literal, Self

from pydantic import BaseModel, BeforeValidator, Field, SecretStr, model_validator

from monitor.core.fields import STRICT, Switch, parse_amount
from monitor.providers.addressed import AddressedKey, address_field
from monitor.providers.base import Name, ProviderInfo
from monitor.providers.exchange import Url, site_of
from monitor.providers.useapi.client import BASE_URL, Client
from monitor.providers.useapi.provider import Login, UseapiProvider
from monitor.providers.useapi.services import meter_name

INFO = ProviderInfo(
    name="useapi",
    title="useapi.net",
    key_kind="the API token of the account, user:NUMBER-TEXT as a whole",
    reads="the state of the subscription, and what is left of each linked account",
    request=(
        f"GET {BASE_URL}/v2/account, then for each linked service its list of accounts and for "
        "each account one call"
    ),
    limits="none documented; a poll makes at most 4 calls at once",
    top_up_url="https://useapi.net/docs/subscription",
    documentation="https://useapi.net/docs/account-management/get-account",
    confidence="documented",
    environment=("USEAPI_TOKEN",),
    notes=(
        (
            "what is left is read of Kling, Runway, Mureka, MiniMax, PixVerse and Flow Music, "
            "of some also when it and the login end, and the jobs; other accounts are counted"
        ),
        "meters are named after the service and a short digest of the account, or by linked",
        "a linked account whose login is broken is an alert of its own; the others are read on",
        "the scale of Kling's points is not documented: 0.01 in points_scale may show credits",
        "the end of the subscription is not told, only whether it is active",
        "Dreamina's credits are read only with dreamina_daily_claim: that call claims free ones",
        "renew_sessions logs in to Kling again when a login is broken or about to end",
    ),
)


def _factor(value: object) -> Decimal:
    factor = parse_amount(value)
    if factor <= 0:
        raise ValueError("must be more than 0")
    return factor


def _check_password(value: object) -> object:
    text = value.get_secret_value() if isinstance(value, SecretStr) else value
    if isinstance(text, str) and not text:
        raise ValueError("is empty")
    return value


class LinkedAccount(BaseModel):
    """A linked account: a name for its meter, and how to log in to it again."""

    model_config = STRICT

    service: Literal[
        "kling", "runway", "mureka", "minimax", "pixverse", "flowmusic", "dreamina"
    ] = Field(default="kling", description="the service it is an account of")
    login: str = Field(
        min_length=1,
        max_length=254,
        repr=False,
        description="what useapi.net calls it: an e-mail address or number",
    )
    name: Name | None = Field(
        default=None, description="name of its meter, behind the service; default: a digest"
    )
    password: Annotated[SecretStr, BeforeValidator(_check_password)] | None = Field(
        default=None, description="password of a Kling account, as ${VARIABLE}; for renew_sessions"
    )
    password_file: str | None = Field(default=None, description="file that holds the password")
    password_credential: str | None = Field(
        default=None, description="name of a systemd credential (LoadCredential=)"
    )

    @model_validator(mode="after")
    def _only_kling_logs_in(self) -> Self:
        if self.password is not None and self.service != "kling":
            raise ValueError("password: only Kling accounts can be logged in again")
        return self

    @property
    def meter(self) -> str:
        """The name of its meter."""
        if self.name is None:
            return meter_name(self.service, self.login)
        return f"{self.service}:{self.name}"


class UseapiKey(AddressedKey):
    """A token of useapi.net with all accounts that are linked to it."""

    info: ClassVar[ProviderInfo] = INFO

    provider: Literal["useapi"] = Field(description="useapi.net")
    url: Url = address_field(BASE_URL)
    linked: tuple[LinkedAccount, ...] = Field(
        default=(), description="names for linked accounts, and how to log in to them again"
    )
    points_scale: Annotated[Decimal, BeforeValidator(_factor)] = Field(
        default=Decimal(1), description="Kling's points are multiplied by it"
    )
    renew_sessions: Switch = Field(
        default=False,
        description="log in again to linked Kling accounts whose login is broken or ends in a day",
    )
    dreamina_daily_claim: Switch = Field(
        default=False,
        description="read Dreamina's credits, which claims the free ones of the day",
    )

    @model_validator(mode="after")
    def _check_linked(self) -> Self:
        for what, values in (
            ("login", [(each.service, each.login.lower()) for each in self.linked]),
            ("name", [(each.service, each.name) for each in self.linked if each.name]),
        ):
            if len(set(values)) < len(values):
                raise ValueError(f"linked: two accounts of a service have the same {what}")
        if self.renew_sessions and not any(each.password for each in self.linked):
            raise ValueError(
                "renew_sessions needs the password of at least one account in linked: give it as"
                " ${VARIABLE}, password_file or password_credential"
            )
        return self

    @property
    def secrets(self) -> tuple[str, ...]:
        """Also the passwords of linked accounts, and their logins, which name people."""
        passwords = [each.password.get_secret_value() for each in self.linked if each.password]
        return (*super().secrets, *passwords, *(each.login for each in self.linked))

    def build(self) -> UseapiProvider:
        """The provider that polls this key; raises ``ValueError`` without a key."""
        return UseapiProvider(
            client=self.client(),
            site=site_of(self.url),
            seconds=self.timeout.total_seconds(),
            names={(each.service, each.login.lower()): each.meter for each in self.linked},
            logins=tuple(self._logins()),
            points_scale=self.points_scale,
            daily_claim=self.dreamina_daily_claim,
            renew_sessions=self.renew_sessions,
        )

    def client(self) -> Client:
        """The calls with this token; raises ``ValueError`` without a key."""
        return Client(
            url=self.url,
            token=self.credential,
            plain_http_host=self.allow_plain_http,
            secrets=self.secrets,
        )

    def _logins(self) -> list[Login]:
        return [
            Login(meter=each.meter, email=each.login, password=each.password)
            for each in self.linked
            if each.password is not None
        ]
