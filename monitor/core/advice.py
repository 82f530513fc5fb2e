"""What each failure reason means for a person, and who can do something about it."""

from __future__ import annotations

from dataclasses import dataclass

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
        "The owner of the linked account should delete it at the provider and add it again.",
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
