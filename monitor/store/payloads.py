"""Values that stand in one column as JSON: ledgers, and the facts of alerts and events."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any

from monitor.core.events import Facts
from monitor.core.ledger import LedgerState
from monitor.core.model import Reason
from monitor.store.columns import MICROSECOND, from_micros, to_micros


def _json(value: Mapping[str, object]) -> str:
    return json.dumps(value, separators=(",", ":"))


def encode_ledger(state: LedgerState) -> str:
    """A ledger as JSON: times in microseconds, amounts as text.

    Charges stand in one text, ``age:amount`` with the age in microseconds before ``at``: they are
    most of it, and written with every step of the balance.
    """
    at = state.at
    charges = [f"{(at - when) // MICROSECOND}:{amount!s}" for when, amount in state.charges]
    return _json(
        {
            "at": to_micros(at),
            "balance": str(state.balance),
            "unit": state.unit,
            "reference": str(state.reference),
            "topped_up_at": None if state.topped_up_at is None else to_micros(state.topped_up_at),
            "consumed_total": str(state.consumed_total),
            "topped_up_total": str(state.topped_up_total),
            "refunded_total": str(state.refunded_total),
            "charges": " ".join(charges),
            "last_payment": None if state.last_payment is None else str(state.last_payment),
            "top_ups": " ".join(str(to_micros(when)) for when in state.top_ups),
        }
    )


def decode_ledger(text: str) -> LedgerState:
    """The ledger that :func:`encode_ledger` wrote."""
    found = json.loads(text)
    at = found["at"]
    topped_up_at = found["topped_up_at"]
    charges = [charge.split(":") for charge in found["charges"].split()]
    payment = found.get("last_payment")  # older versions did not keep it
    return LedgerState(
        at=from_micros(at),
        balance=Decimal(found["balance"]),
        unit=found["unit"],
        reference=Decimal(found["reference"]),
        topped_up_at=None if topped_up_at is None else from_micros(topped_up_at),
        consumed_total=Decimal(found["consumed_total"]),
        topped_up_total=Decimal(found["topped_up_total"]),
        refunded_total=Decimal(found["refunded_total"]),
        charges=tuple((from_micros(at - int(age)), Decimal(amount)) for age, amount in charges),
        last_payment=None if payment is None else Decimal(payment),
        top_ups=tuple(from_micros(int(when)) for when in found.get("top_ups", "").split()),
    )


_FACTS: dict[str, tuple[Callable[[Any], Any], Callable[[Any], Any]]] = {
    "balance": (str, Decimal),
    "unit": (str, str),
    "threshold": (str, Decimal),
    "share": (str, Decimal),
    "reference": (str, Decimal),
    "amount": (str, Decimal),
    "reason": (str, Reason),
    "detail": (str, str),
    "last_reading_at": (to_micros, from_micros),
    "since": (to_micros, from_micros),
    "keys": (list, tuple),
    "top_up_url": (str, str),
    "fired": (int, int),
    "only_site": (bool, bool),
    "burn": (str, Decimal),
    "usual": (str, Decimal),
    "factor": (str, Decimal),
    "runs_out_at": (to_micros, from_micros),
    "earliest": (to_micros, from_micros),
    "latest": (to_micros, from_micros),
    "expires_at": (to_micros, from_micros),
    "unused": (str, Decimal),
    "top_up_at": (to_micros, from_micros),
}
"""How each field of :class:`Facts` enters JSON and comes back; a test keeps it complete."""


_NO_FACTS = Facts()


def encode_facts(facts: Facts) -> str:
    """Facts as JSON; what is empty (as it is where it does not apply) is left out."""
    found = {name: getattr(facts, name) for name in _FACTS}
    return _json(
        {
            name: _FACTS[name][0](value)
            for name, value in found.items()
            if value != getattr(_NO_FACTS, name)
        }
    )


def decode_facts(text: str) -> Facts:
    """The facts that :func:`encode_facts` wrote."""
    return Facts(**{name: _FACTS[name][1](value) for name, value in json.loads(text).items()})
