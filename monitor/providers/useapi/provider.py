"""One poll of useapi.net: the subscription, then every linked account, within one timeout.

What can be read is read: the failure of one account is that of its own meter.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import TYPE_CHECKING, Any, TypeVar

from pydantic import SecretStr

from monitor.core.model import Kind, MeterFailure, MeterReading, Reason
from monitor.providers.base import PollError
from monitor.providers.judge import presentable
from monitor.providers.useapi import kling
from monitor.providers.useapi.client import Client, NothingLinkedError, member, refuse, safe
from monitor.providers.useapi.services import (
    KLING,
    SERVICES,
    Linked,
    Service,
    kling_tickets,
    linked_accounts,
    meter_name,
    scaled,
    session_of,
    whole,
)

if TYPE_CHECKING:
    from monitor.providers.http import HttpClient

SUBSCRIPTION = "subscription"
"""The meter that stands for the subscription: no number, but a state."""

AT_ONCE = 4
"""Calls of one poll that run at the same time."""

SHARE_OF_TIMEOUT = 0.9
"""Within this share of the timeout all calls have ended, so that a poll tells what it has."""

Found = MeterReading | MeterFailure

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Login:
    """How to log in to the linked Kling account behind a meter."""

    meter: str
    email: str = field(repr=False)
    password: SecretStr


@dataclass(frozen=True, slots=True, kw_only=True)
class UseapiProvider:
    """Reads the subscription and the linked accounts of one token.

    ``names`` are the meters of accounts by service and login.
    """

    client: Client
    site: str
    seconds: float
    names: Mapping[tuple[str, str], str] = field(repr=False)
    logins: tuple[Login, ...]
    points_scale: Decimal
    daily_claim: bool
    renew_sessions: bool

    @property
    def limit_group(self) -> str:
        """The site."""
        return self.site

    async def poll(self, http: HttpClient) -> tuple[Found, ...]:
        """Every meter of the token; raises :class:`PollError` where nothing at all can be read."""
        return await _Poll(self, http).run()

    async def kling_accounts(self, http: HttpClient) -> list[tuple[Linked, list[Found]]]:
        """Every linked Kling account with what is known of it; raises :class:`PollError`."""
        return await _Poll(self, http).accounts(KLING)

    @property
    def renewable(self) -> frozenset[str]:
        """The meters of accounts that may be logged in to again by themselves."""
        return frozenset(each.meter for each in self.logins) if self.renew_sessions else frozenset()

    async def renew(self, http: HttpClient, meter: str) -> None:
        """Log in again to the account behind *meter*; raises :class:`PollError`."""
        login = next(each for each in self.logins if each.meter == meter)
        await kling.renew(self.client, http, login.email, login.password.get_secret_value())

    def meter_of(self, service: str, login: str) -> str:
        """The meter of a linked account: named in the configuration, else by a digest."""
        return self.names.get((service, login.lower())) or meter_name(service, login)


class _Poll:
    """One poll: its deadline, and at most so many calls at once."""

    def __init__(self, provider: UseapiProvider, http: HttpClient) -> None:
        self._provider = provider
        self._http = http
        self._turns = asyncio.Semaphore(AT_ONCE)
        self._ends = asyncio.get_running_loop().time() + provider.seconds * SHARE_OF_TIMEOUT

    async def run(self) -> tuple[Found, ...]:
        account, accounts = await asyncio.gather(
            self._try(self._subscription()), self._try(self._service(KLING))
        )
        if isinstance(account, PollError):
            return self._without_account(account, accounts)
        per_service = {KLING.name: accounts} | await self._others(account)
        # When the subscription ends is not told: "sub" is the day of its last renewal.
        return _each_once([_state(SUBSCRIPTION), *_told(account, per_service)])

    def _without_account(
        self, error: PollError, accounts: list[Found] | PollError
    ) -> tuple[Found, ...]:
        """What is left to say when the account itself could not be read."""
        found = [] if isinstance(accounts, PollError) else accounts
        if error.reason.needs_person or not any(isinstance(f, MeterReading) for f in found):
            raise error
        return _each_once([_failure(SUBSCRIPTION, error), *found])

    async def _subscription(self) -> Any:
        """The account with an active subscription; raises :class:`PollError` for any other."""
        account = await self._get("/v2/account")
        _require_subscription(account)
        return account

    async def _others(self, account: Any) -> dict[str, list[Found] | PollError]:
        """The linked services besides Kling that can be read."""
        linked = [_word(name) for name, states in _states(account) if whole(states.get("total"))]
        wanted = [
            service
            for service in SERVICES
            if service is not KLING and any(service.name in name for name in linked)
        ]
        found = await asyncio.gather(*(self._try(self._service(s)) for s in wanted))
        return {service.name: each for service, each in zip(wanted, found, strict=True)}

    async def _service(self, service: Service) -> list[Found]:
        """All accounts of *service*; raises :class:`PollError` if they cannot be listed."""
        return [meter for _, found in await self.accounts(service) for meter in found]

    async def accounts(self, service: Service) -> list[tuple[Linked, list[Found]]]:
        """Each account of *service* with its meters; raises :class:`PollError` as above."""
        try:
            document = await self._get(service.accounts)
        except NothingLinkedError:
            return []
        accounts = linked_accounts(
            document, lambda login: self._provider.meter_of(service.name, login)
        )
        running = await self._running_jobs(accounts) if service is KLING and accounts else {}
        found = await asyncio.gather(*(self._account(service, a, running) for a in accounts))
        return list(zip(accounts, found, strict=True))

    async def _account(
        self, service: Service, linked: Linked, running: Mapping[str, int]
    ) -> list[Found]:
        session = session_of(service, linked)
        meters: list[Found] = [session] if session else []
        if linked.error:
            return [*meters, self._broken(linked)]
        if service.has_side_effect and not self._provider.daily_claim:
            return [replace(session or _state(linked.meter), meter=linked.meter)]
        try:
            document = await self._get(service.balance_path(linked.login))
            reading = service.read(document, linked)
            tickets = kling_tickets(document, linked.meter) if service is KLING else None
        except PollError as error:
            return [*meters, _failure(linked.meter, error)]
        if service is KLING:
            reading = scaled(reading, self._provider.points_scale)
            reading = replace(reading, jobs_running=running.get(linked.login.lower()))
        return [reading, *([tickets] if tickets else []), *meters]

    def _broken(self, linked: Linked) -> MeterFailure:
        """A login that the list itself calls broken: asking again would not clear it."""
        client = self._provider.client
        text = presentable(linked.error, (client.token, *client.secrets))
        return MeterFailure(meter=linked.meter, reason=Reason.SESSION_BROKEN, detail=safe(text))

    async def _running_jobs(self, accounts: Iterable[Linked]) -> dict[str, int]:
        """Running jobs by login, lower case; unknown where the scheduler does not tell.

        Source: https://useapi.net/docs/api-kling-v1/get-kling-scheduler-available
        """
        document = await self._try(self._get("/v1/kling/scheduler/available"))
        states = document.get("available") if isinstance(document, dict) else None
        known = {linked.login.lower() for linked in accounts}
        found: dict[str, int] = {}
        for state in states if isinstance(states, list) else ():
            email = state.get("email") if isinstance(state, dict) else None
            executing = whole(state.get("executing")) if isinstance(state, dict) else None
            if isinstance(email, str) and email.lower() in known and executing is not None:
                found[email.lower()] = executing
        return found

    async def _get(self, path: str) -> Any:
        async with self._turns:
            seconds = self._ends - asyncio.get_running_loop().time()
            return await self._provider.client.get(self._http, path, seconds=seconds)

    @staticmethod
    async def _try(call: Awaitable[T]) -> T | PollError:
        """What *call* gives, or the :class:`PollError` that it raises."""
        try:
            return await call
        except PollError as error:
            return error


def _failure(meter: str, error: PollError) -> MeterFailure:
    return MeterFailure(
        meter=meter, reason=error.reason, detail=error.detail, retry_after=error.retry_after
    )


def _each_once(found: Iterable[Found]) -> tuple[Found, ...]:
    """The first of those of one meter: logins may differ in the case of their letters alone."""
    return tuple({each.meter: each for each in reversed([*found])}.values())[::-1]


def _require_subscription(account: Any) -> None:
    active = member(account, "subscriptionIsActive")
    if active is False:
        raise PollError(Reason.SUBSCRIPTION_INACTIVE, "subscriptionIsActive is false")
    if active is not True:
        refuse("subscriptionIsActive", "is neither true nor false")


def _state(meter: str) -> MeterReading:
    """That something is active, without an end that is told."""
    return MeterReading(meter=meter, unit="", balance=None, kind=Kind.SESSION)


def _states(account: Any) -> list[tuple[str, Mapping[str, Any]]]:
    """The numbers of accounts by service, as useapi.net names it."""
    states = account.get("accounts") if isinstance(account, dict) else None
    pairs = states.items() if isinstance(states, dict) else ()
    return [(name, numbers) for name, numbers in pairs if isinstance(numbers, dict)]


def _told(account: Any, per_service: Mapping[str, list[Found] | PollError]) -> list[Found]:
    """What was found, and of each service how many of its accounts work."""
    found: list[Found] = []
    for name, each in per_service.items():
        if isinstance(each, PollError):
            found.append(_failure(name, each))
        else:
            found += each
    failing = {each.meter for each in found if isinstance(each, MeterFailure)}
    for name, numbers in _states(account):
        meter = _meter_of_service(name, per_service)
        if meter not in failing:
            explained = any(each.startswith(f"{meter}:") for each in failing)
            found += _works(meter, numbers, explained=explained)
    return found


def _works(meter: str, numbers: Mapping[str, Any], *, explained: bool) -> list[Found]:
    """How many accounts of a service are active; a broken one that no account tells of itself."""
    total, active, broken = (whole(numbers.get(n)) for n in ("total", "active", "error"))
    if broken and not explained:
        detail = f"{broken} of {total or broken} linked accounts in error state"
        return [MeterFailure(meter=meter, reason=Reason.SESSION_BROKEN, detail=detail)]
    if active is None or not total:
        return []
    limit = Decimal(total)
    return [
        MeterReading(
            meter=meter, unit="accounts", balance=Decimal(active), limit=limit, kind=Kind.COUNT
        )
    ]


def _meter_of_service(name: str, services: Iterable[str]) -> str:
    """``kling`` for ``Kling API``; of others a word from the name that useapi.net gives them."""
    known = next((service for service in services if service in _word(name)), None)
    lower = name.lower().removesuffix(" api")
    return known or re.sub(r"[^a-z0-9]+", "-", lower).strip("-") or "other"


def _word(name: str) -> str:
    """``flowmusic`` within ``Flow Music API``: how names are spaced is not documented."""
    return name.lower().replace(" ", "")
