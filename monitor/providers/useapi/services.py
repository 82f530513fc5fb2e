"""The services behind useapi.net: where their linked accounts are listed, and what is left.

Sources: https://useapi.net/docs, the pages ``get-…-accounts`` of each service and those named at
the readers.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from urllib.parse import quote

from monitor.core.fields import parse_amount
from monitor.core.model import Kind, MeterReading, Reason
from monitor.core.renewals import session_meter
from monitor.providers.base import PollError
from monitor.providers.expressions import product
from monitor.providers.judge import amount
from monitor.providers.useapi.client import member, refuse

EARLIEST = datetime(2020, 1, 1, tzinfo=UTC)
"""No account is older: the documentation's examples have dummy times in 1973."""

_MILLISECONDS_FROM = 100_000_000_000
"""As seconds this is the year 5138, as milliseconds 1973."""

_DIGEST_LENGTH = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Linked:
    """One linked account as the list of its service has it.

    ``login`` is what useapi.net calls it (an e-mail address or number), ``meter`` what we do.
    """

    login: str
    meter: str
    record: Mapping[str, Any]

    @property
    def error(self) -> str:
        """What useapi.net says is wrong with the login; empty where nothing is."""
        error = self.record.get("error")
        if isinstance(error, Mapping):
            error = error.get("message")
        return error if isinstance(error, str) else ""

    @property
    def jobs_limit(self) -> int | None:
        """How many jobs may run at once."""
        return whole(self.record.get("maxJobs"))


Reader = Callable[[Any, Linked], MeterReading]


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """One service: its name, its word in the list of ``v2/account``, and its calls.

    ``path`` has ``{login}`` for the account; ``read`` gives the balance in the answer.
    ``session`` is where the list has the end of a login.
    """

    name: str
    accounts: str
    path: str
    read: Reader
    session: str = ""
    has_side_effect: bool = False

    def balance_path(self, login: str) -> str:
        """The path that answers with the balance of *login*."""
        return self.path.format(login=quote(login, safe=""))


def meter_name(service: str, login: str) -> str:
    """A stable name for a linked account that tells nobody whose it is."""
    digest = hashlib.sha256(f"{service}:{login.lower()}".encode()).hexdigest()
    return f"{service}:{digest[:_DIGEST_LENGTH]}"


def whole(value: object) -> int | None:
    """A count; None where it is missing or none."""
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else None


def moment(value: object) -> datetime | None:
    """A time from ISO text, seconds or milliseconds since 1970; None for what cannot be one.

    The documentation does not say whether Kling's numbers are seconds: their size does.
    """
    try:
        if isinstance(value, str) and not value.isdecimal():
            found = datetime.fromisoformat(value)
            found = found if found.tzinfo else found.replace(tzinfo=UTC)
        else:
            number = parse_amount(value)
            seconds = number / 1000 if number >= _MILLISECONDS_FROM else number
            found = datetime.fromtimestamp(float(seconds), UTC)
    except (ValueError, OverflowError, OSError):
        return None
    return found if found >= EARLIEST else None


def session_of(service: Service, linked: Linked) -> MeterReading | None:
    """Until when the login of *linked* lasts, where the list tells."""
    value: Any = linked.record
    for step in service.session.split(".") if service.session else ("",):
        value = value.get(step) if isinstance(value, Mapping) else None
    end = moment(value)
    if end is None:
        return None
    meter = session_meter(linked.meter)
    return MeterReading(meter=meter, unit="", balance=None, kind=Kind.SESSION, expires_at=end)


# -- balances -------------------------------------------------------------------------------


def _kling(document: Any, linked: Linked) -> MeterReading:
    """https://useapi.net/docs/api-kling-v1/get-kling-accounts-email."""
    left = amount(member(document, "balance.total"), "balance.total")
    lots = list(_lots(document["balance"].get("points"), "balance"))
    granted = [lot.get("amount") for lot in lots]
    limit = sum(map(parse_amount, granted), Decimal(0)) if _all_amounts(granted) else None
    return MeterReading(
        meter=linked.meter,
        unit="points",
        balance=left,
        limit=limit or None,
        expires_at=_earliest(lots, "endTime"),
        jobs_limit=linked.jobs_limit,
    )


def kling_tickets(document: Any, meter: str) -> MeterReading | None:
    """How many tickets the account has; their form is not documented, so only they are counted."""
    tickets = member(document, "balance").get("tickets")
    if not isinstance(tickets, list):
        return None
    count = Decimal(len(tickets))
    return MeterReading(meter=f"{meter}/tickets", unit="tickets", balance=count, kind=Kind.COUNT)


def scaled(reading: MeterReading, scale: Decimal) -> MeterReading:
    """*reading* in units of *scale*."""
    if scale == 1 or reading.balance is None:
        return reading
    limit = None if reading.limit is None else product(reading.limit, scale)
    return replace(reading, balance=product(reading.balance, scale), limit=limit)


def _runway(document: Any, linked: Linked) -> MeterReading:
    """https://useapi.net/docs/api-runwayml-v1/get-runwayml-features."""
    granted, used = "permitted.numPlanCredits", "used.numPlanCredits"
    limit = amount(member(document, granted), granted)
    return MeterReading(
        meter=linked.meter,
        unit="credits",
        balance=limit - amount(member(document, used), used),
        limit=limit,
        jobs_limit=linked.jobs_limit,
    )


def _mureka(document: Any, linked: Linked) -> MeterReading:
    """https://useapi.net/docs/api-mureka-v1/get-mureka-profile."""
    user = document.get("user") if isinstance(document, dict) else None
    return MeterReading(
        meter=linked.meter,
        unit="credits",
        balance=amount(member(document, "credits"), "credits"),
        expires_at=moment(user.get("vip_end_UTC")) if isinstance(user, dict) else None,
    )


def _minimax(document: Any, linked: Linked) -> MeterReading:
    """https://useapi.net/docs/api-minimax-v1/get-minimax-features."""
    left = amount(member(document, "totalCredits"), "totalCredits")
    lots = list(_lots(document.get("creditExpireText"), "credit"))
    return MeterReading(
        meter=linked.meter,
        unit="credits",
        balance=left,
        expires_at=_earliest(lots, "endTime"),
        jobs_limit=linked.jobs_limit,
    )


def _pixverse(document: Any, linked: Linked) -> MeterReading:
    """https://useapi.net/docs/api-pixverse-v2/get-pixverse-features.

    ``credit_monthly`` is what is left of ``credit_monthly_gift``; of the day and of packages alike.
    The names tell it, no sentence does.
    """
    parts = ("credit_daily", "credit_monthly", "credit_package")
    return MeterReading(
        meter=linked.meter,
        unit="credits",
        balance=sum((amount(member(document, part), part) for part in parts), Decimal(0)),
        jobs_limit=linked.jobs_limit,
    )


def _flowmusic(document: Any, linked: Linked) -> MeterReading:
    """https://useapi.net/docs/api-flowmusic-v1/get-flowmusic-accounts-email."""
    left = amount(member(document, "credits_remaining"), "credits_remaining")
    return MeterReading(
        meter=linked.meter, unit="credits", balance=left, jobs_limit=linked.jobs_limit
    )


def _dreamina(document: Any, linked: Linked) -> MeterReading:
    """https://useapi.net/docs/api-dreamina-v1/get-dreamina-accounts-account.

    The credits are absent when useapi.net could not ask Dreamina, which passes by itself.
    """
    if isinstance(document, dict) and "credits" not in document and "account" in document:
        raise PollError(Reason.SERVER_ERROR, "credits is missing: Dreamina could not be asked")
    left = amount(member(document, "credits.total"), "credits.total")
    return MeterReading(
        meter=linked.meter, unit="credits", balance=left, jobs_limit=linked.jobs_limit
    )


def _lots(value: Any, left: str) -> Iterator[Mapping[str, Any]]:
    """The lots of credit in which something is *left*."""
    for lot in value if isinstance(value, list) else ():
        try:
            if isinstance(lot, dict) and parse_amount(lot.get(left)) > 0:
                yield lot
        except ValueError:
            continue


def _all_amounts(values: list[Any]) -> bool:
    try:
        return all(parse_amount(value) >= 0 for value in values)
    except ValueError:
        return False


def _earliest(lots: list[Mapping[str, Any]], name: str) -> datetime | None:
    return min((end for lot in lots if (end := moment(lot.get(name)))), default=None)


def linked_accounts(document: Any, name: Callable[[str], str]) -> list[Linked]:
    """The accounts in a list, which is an object by login; *name* gives each its meter."""
    if not isinstance(document, dict):
        refuse("the list of accounts", "is not an object")
    found = []
    for login, record in document.items():
        if not isinstance(record, dict):
            refuse("an account in the list", "is not an object")
        found.append(Linked(login=login, meter=name(login), record=record))
    return found


KLING = Service(
    name="kling",
    accounts="/v1/kling/accounts",
    path="/v1/kling/accounts/{login}",
    read=_kling,
    session="session.ExpireTimeUTC",
)
SERVICES = (
    KLING,
    Service(
        name="runway",
        accounts="/v1/runwayml/accounts",
        path="/v1/runwayml/features/?email={login}",
        read=_runway,
    ),
    Service(
        name="mureka",
        accounts="/v1/mureka/accounts",
        path="/v1/mureka/profile/?account={login}",
        read=_mureka,
    ),
    Service(
        name="minimax",
        accounts="/v1/minimax/accounts",
        path="/v1/minimax/features/?account={login}",
        read=_minimax,
    ),
    Service(
        name="pixverse",
        accounts="/v2/pixverse/accounts",
        path="/v2/pixverse/features/?email={login}",
        read=_pixverse,
    ),
    Service(
        name="flowmusic",
        accounts="/v1/flowmusic/accounts",
        path="/v1/flowmusic/accounts/{login}",
        read=_flowmusic,
    ),
    Service(
        name="dreamina",
        accounts="/v1/dreamina/accounts",
        path="/v1/dreamina/accounts/{login}",
        read=_dreamina,
        session="sessionExpires",
        has_side_effect=True,  # it claims the free credits of the day
    ),
)
"""What is read besides the subscription; Kling also without being in the list of ``v2/account``."""
