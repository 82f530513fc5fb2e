"""What each failure reason means for a person, and who can do something about it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from monitor.core.model import Reason


@dataclass(frozen=True, slots=True)
class ReasonText:
    """A reason in words: ``short`` for a title, ``meaning`` in a clause, ``action`` to take."""

    short: str
    meaning: str
    action: str


WAIT = "Nothing to do at first; it usually passes by itself."

REASON_TEXTS: dict[Reason, ReasonText] = {
    Reason.UNAUTHORIZED: ReasonText(
        "key refused",
        "the key is missing, wrong, expired or switched off",
        "The owner of the key should check it at the provider and replace it.",
    ),
    Reason.FORBIDDEN: ReasonText(
        "access forbidden",
        "the key is known but may not do this here (IP whitelist, access not enabled, account "
        "restricted)",
        "The owner of the account should check its restrictions at the provider.",
    ),
    Reason.WRONG_KEY_KIND: ReasonText(
        "wrong kind of key",
        "reading the balance needs a management or admin key, or another permission",
        "Configure a key that may read the balance.",
    ),
    Reason.KEY_CAPPED: ReasonText(
        "cap of the key reached",
        "the cap of this key is reached; the account itself may still have credit",
        "The owner of the key should raise its cap; an hourly or daily cap renews by itself.",
    ),
    Reason.OUT_OF_CREDITS: ReasonText(
        "refused for lack of credit",
        "the provider refuses for lack of credit",
        "Top up now.",
    ),
    Reason.RATE_LIMITED: ReasonText(
        "rate limited",
        "the provider gets too many requests",
        "Nothing to do at first; if it stays, poll less often (interval).",
    ),
    Reason.MAINTENANCE: ReasonText(
        "provider in maintenance",
        "the provider says it is closed for a while",
        "Nothing to do but wait.",
    ),
    Reason.SESSION_BROKEN: ReasonText(
        "login session broken",
        "the login of a linked account has failed",
        "Log in to the linked account again (Kling: credit-monitor kling renew); if that does not "
        "help, its owner should delete it at the provider and add it again.",
    ),
    Reason.SUBSCRIPTION_INACTIVE: ReasonText(
        "subscription ended",
        "the subscription of the service has ended",
        "Whoever pays should renew the subscription.",
    ),
    Reason.NOT_FOUND: ReasonText(
        "not found",
        "the path, base URL, team, project or linked account does not exist",
        "Correct the configuration of this key.",
    ),
    Reason.BAD_RESPONSE: ReasonText(
        "answer not understood",
        "the provider's answer cannot be understood",
        "If it stays, the provider has changed its interface: look for a newer credit-monitor.",
    ),
    Reason.UNSUPPORTED: ReasonText(
        "balance cannot be read",
        "this provider or this kind of account has no readable balance",
        "Take the key out of the configuration, or configure another way to read it.",
    ),
    Reason.TIMEOUT: ReasonText("no answer in time", "the provider does not answer in time", WAIT),
    Reason.CONNECTION: ReasonText(
        "no connection",
        "the provider cannot be reached, or breaks off its answer",
        "If it stays, check the network of this host; otherwise it passes by itself.",
    ),
    Reason.TLS: ReasonText(
        "no secure connection",
        "the certificate or the TLS negotiation failed",
        "Check the clock, the CA certificates and the proxy of this host.",
    ),
    Reason.SERVER_ERROR: ReasonText("provider failing", "the provider itself fails", WAIT),
}
"""Every reason has its words; a test holds the table complete."""


class Cause(StrEnum):
    """What lies behind a reason, where a provider's answer tells: the words a detail begins with.

    One reason asks for different things: a refused key is replaced, a whitelist is corrected.
    """

    IP_NOT_ALLOWED = "the IP whitelist of this key does not name the address of this host"
    KEY_DISABLED = "this key is switched off"
    KEY_EXPIRED = "this key has expired"
    ACCOUNT_BLOCKED = "the account of this key is blocked"
    HOURLY_CAP = "the hourly cap of this key is reached"
    DAILY_CAP = "the daily cap of this key is reached"
    TOTAL_CAP = "the total cap of this key is reached"


_CAP_RENEWS = "the account itself may still have credit"
_CAUSE_TEXTS: dict[Cause, ReasonText] = {
    Cause.IP_NOT_ALLOWED: ReasonText(
        "address not whitelisted",
        "the key itself may be good, but its IP whitelist does not name the address of this host",
        "The owner of the key should add this host's public address to the key's IP whitelist.",
    ),
    Cause.KEY_DISABLED: ReasonText(
        "key switched off",
        "the key is known, but somebody or the provider has switched it off",
        "The owner of the key should switch it on again at the provider, or replace it.",
    ),
    Cause.KEY_EXPIRED: ReasonText(
        "key expired",
        "the key was good until it expired",
        "The owner of the key should make a new one at the provider.",
    ),
    Cause.ACCOUNT_BLOCKED: ReasonText(
        "account blocked",
        "the provider has blocked the account, whichever key is used",
        "The owner of the account should ask the provider's support.",
    ),
    Cause.HOURLY_CAP: ReasonText(
        "hourly cap of the key reached",
        f"this key has used what it may in an hour; {_CAP_RENEWS}",
        "Wait for the next hour, or let the owner of the key raise its hourly cap.",
    ),
    Cause.DAILY_CAP: ReasonText(
        "daily cap of the key reached",
        f"this key has used what it may in a day; {_CAP_RENEWS}",
        "Wait for the next day, or let the owner of the key raise its daily cap.",
    ),
    Cause.TOTAL_CAP: ReasonText(
        "total cap of the key reached",
        f"this key has used all it ever may; {_CAP_RENEWS}",
        "The owner of the key should raise its total cap or use another key: it does not renew.",
    ),
}


def cause_of(detail: str) -> Cause | None:
    """The cause that *detail*, a failure's, begins with."""
    return next((cause for cause in Cause if detail.startswith(cause)), None)


def reason_text(reason: Reason, detail: str = "") -> ReasonText:
    """*reason* in words, in those of its cause where *detail* names one."""
    cause = cause_of(detail)
    return REASON_TEXTS[reason] if cause is None else _CAUSE_TEXTS[cause]
