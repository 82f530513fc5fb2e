"""How ``check`` judges one poll: by the configured rules, without the memory a daemon has.

Hysteresis needs an open alert and the share of a threshold needs a reference level; the store
gives the second where it has one, so a key that was never watched is judged by amounts only.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal

from monitor.cli import output
from monitor.cli.exits import CheckExit
from monitor.core import wording
from monitor.core.advice import reason_text
from monitor.core.events import Facts
from monitor.core.fields import Threshold
from monitor.core.ledger import LedgerState, advance, open_ledger
from monitor.core.model import (
    DEFAULT_METER,
    Failure,
    KeyState,
    Kind,
    MeterFailure,
    MeterReading,
    Reading,
    Severity,
)
from monitor.core.rules import KeyView, MeterView, Rules, Verdict
from monitor.overviews import STATE_OK
from monitor.world import WatchedKey

Ledgers = Mapping[tuple[str, str], LedgerState]
"""The stored ledgers by (subject id, meter)."""

_RANKS = (CheckExit.OK, CheckExit.UNKNOWN, CheckExit.WARNING, CheckExit.CRITICAL)
"""From best to worst: what is known to be bad outweighs what is not known, and a key that could
not be read never hides behind one that is fine.  That of max_state_alt in lib/states.h of
https://github.com/monitoring-plugins/monitoring-plugins."""

NOTHING_LEFT = "nothing is left"
NO_REFERENCE = "limits in percent are not judged: no recorded history"
NO_BALANCE = "the key works; its provider shows no balance"
NOT_REQUIRABLE = "the required balance is not known: the provider shows none"

_EXITS = {
    None: CheckExit.OK,
    Severity.INFO: CheckExit.OK,
    Severity.WARNING: CheckExit.WARNING,
    Severity.CRITICAL: CheckExit.CRITICAL,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """What one poll says about one meter of a key (about the key itself where it failed).

    ``state`` is ``ok`` or the reason of the failure, ``warning`` and ``critical`` are the limits in
    ``unit`` below which the verdict is worse, ``because`` says in words why the verdict is not ok.
    """

    key: str
    provider: str
    account: str
    meter: str
    state: str
    detail: str = ""
    kind: Kind = Kind.BALANCE
    balance: Decimal | None = None
    unit: str = ""
    expires_at: datetime | None = None
    warning: Decimal | None = None
    critical: Decimal | None = None
    verdict: CheckExit
    because: str = ""

    @property
    def shown_balance(self) -> str:
        """The balance in words; without a meter there is none to show."""
        if not self.meter:
            return output.UNSUPPORTED if self.state == STATE_OK else output.NOTHING
        return wording.holding(self) if self.state == STATE_OK else output.NOTHING

    @property
    def has_amount(self) -> bool:
        """Whether it tells a measured amount, as performance data does."""
        return self.balance is not None and self.kind is not Kind.MANUAL

    @property
    def label(self) -> str:
        """The key, with the meter where it is not the only one."""
        return self.key if self.meter in {"", DEFAULT_METER} else f"{self.key}_{self.meter}"


def worst(findings: Iterable[Finding]) -> CheckExit:
    """The worst verdict, in the order OK, UNKNOWN, WARNING, CRITICAL."""
    return max((f.verdict for f in findings), key=_RANKS.index, default=CheckExit.UNKNOWN)


def worst_first(findings: Iterable[Finding]) -> list[Finding]:
    """The findings in the order CRITICAL, WARNING, UNKNOWN, OK, else as they were."""
    return sorted(findings, key=lambda f: -_RANKS.index(f.verdict))


def judge(
    key: WatchedKey, poll: Reading | Failure, ledgers: Ledgers, require: Decimal | None
) -> Sequence[Finding]:
    """The findings of one poll of *key*.

    With *require* a balance below it is critical, and it takes the place of the configured limits.
    A key whose provider shows no balance is ok while it works, and unknown with *require*.
    """
    if isinstance(poll, Failure):
        return [_failed(key, poll, poll.at)]
    failed = [_failed(key, each, poll.at, each.meter) for each in poll.failures]
    read = [_read(key, meter, poll.at, ledgers, require) for meter in poll.meters]
    has_balance = any(meter.kind is Kind.BALANCE for meter in poll.meters)
    if not has_balance and (require is not None or not read) and not failed:
        return [_checked(key, require), *read]
    return [*read, *failed]


def by_hand(key: WatchedKey, now: datetime) -> Sequence[Finding]:
    """The balance that was entered by hand, as a finding that is never bad: nobody has read it."""
    if key.manual is None:
        return []
    reading, at = key.manual
    because = f"entered by hand, {wording.ago(at, now)}; not judged"
    return [replace(_amount(key, reading), verdict=CheckExit.OK, because=because)]


def _amount(key: WatchedKey, reading: MeterReading) -> Finding:
    """What was read, not judged yet."""
    return Finding(
        key=key.name,
        provider=key.provider,
        account=key.account,
        meter=reading.meter,
        state=STATE_OK,
        kind=reading.kind,
        balance=reading.balance,
        unit=reading.unit,
        expires_at=reading.expires_at,
        verdict=CheckExit.UNKNOWN,
        because="",
    )


def _failed(
    key: WatchedKey, failure: Failure | MeterFailure, at: datetime, meter: str = ""
) -> Finding:
    verdict = Verdict.unknown()
    if key.rules.rejected is not None:
        refused = at if failure.reason.needs_person else None
        verdict = key.rules.rejected.judge(
            KeyView(
                state=KeyState(
                    key=key.name,
                    last_poll_at=at,
                    failing_since=at,
                    failures=1,
                    reason=failure.reason,
                    refused_since=refused,
                ),
                now=at,
                watching_since=at,
                interval_seconds=key.interval.total_seconds(),
                firing=None,
            )
        )
    return Finding(
        key=key.name,
        provider=key.provider,
        account=key.account,
        meter=meter,
        state=failure.reason,
        detail=failure.detail,
        verdict=_EXITS[verdict.severity] if verdict.severity else CheckExit.UNKNOWN,
        because=failure.detail or reason_text(failure.reason).meaning,
    )


def _checked(key: WatchedKey, require: Decimal | None) -> Finding:
    return Finding(
        key=key.name,
        provider=key.provider,
        account=key.account,
        meter="",
        state=STATE_OK,
        verdict=CheckExit.OK if require is None else CheckExit.UNKNOWN,
        because=NO_BALANCE if require is None else NOT_REQUIRABLE,
    )


def _read(
    key: WatchedKey,
    reading: MeterReading,
    at: datetime,
    ledgers: Ledgers,
    require: Decimal | None,
) -> Finding:
    judged = _judge_balance(key, reading, at, ledgers, require)
    return replace(
        _amount(key, reading),
        warning=judged.warning,
        critical=judged.critical,
        verdict=_EXITS[judged.severity],
        because=judged.because,
    )


@dataclass(frozen=True, slots=True)
class _Judged:
    severity: Severity | None = None
    because: str = ""
    warning: Decimal | None = None
    critical: Decimal | None = None


def _judge_balance(
    key: WatchedKey,
    reading: MeterReading,
    at: datetime,
    ledgers: Ledgers,
    require: Decimal | None,
) -> _Judged:
    if reading.balance is None or reading.kind is not Kind.BALANCE:
        return _Judged()
    if require is not None:
        return _against(require, reading.balance, reading.unit)
    known = ledgers.get((key.balance_subject.id, reading.meter))
    return _by_rules(key.rules, reading, reading.balance, at, known)


def _against(require: Decimal, balance: Decimal, unit: str) -> _Judged:
    if balance < require:
        because = f"below the required {output.amount(require, unit)}"
        return _Judged(Severity.CRITICAL, because, critical=require)
    return _Judged(critical=require)


def _by_rules(
    rules: Rules, reading: MeterReading, balance: Decimal, at: datetime, known: LedgerState | None
) -> _Judged:
    # A top-up since the daemon's last poll moves the reference level, so the ledger goes on here.
    ledger = advance(known, at, balance)[0] if known else open_ledger(at, balance, reading.unit)
    view = MeterView(reading=reading, at=at, ledger=ledger, movement=None, firing=None)
    exhausted = rules.exhausted.judge(view).severity if rules.exhausted else None
    low = rules.low_balance
    if low is None:
        return _Judged(exhausted, NOTHING_LEFT if exhausted else "")
    reference = ledger.reference if known else None
    limits = (_as_amount(low.warning, reference), _as_amount(low.critical, reference))
    if exhausted:
        return _Judged(exhausted, NOTHING_LEFT, *limits)
    verdict = low.judge(view)
    if verdict.severity:
        return _Judged(verdict.severity, _below(verdict.facts, reading.unit), *limits)
    unjudged = reference is None and has_shares(rules)
    return _Judged(None, NO_REFERENCE if unjudged else "", *limits)


def has_shares(rules: Rules) -> bool:
    """Whether a limit is a share of the recorded level, so that the store is needed to judge."""
    low = rules.low_balance
    return low is not None and any(t and t.share for t in (low.warning, low.critical))


def _as_amount(limit: Threshold | None, reference: Decimal | None) -> Decimal | None:
    """The limit as an amount; a share has none while no reference level is known."""
    if limit is None or (limit.amount is None and reference is None):
        return None
    return limit.of(reference or Decimal(0))


def _below(facts: Facts, unit: str) -> str:
    text = f"below {output.amount(facts.threshold, unit)}"
    if facts.share is None or facts.reference is None:
        return text
    return f"{text} ({wording.percentage(facts.share)} of {wording.amount(facts.reference)})"
