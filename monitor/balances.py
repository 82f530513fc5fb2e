"""Enters balances into the ledgers of their accounts, and judges them by the balance rules."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from monitor.announcer import Announcer
from monitor.core.alerts import Slot, occur
from monitor.core.ledger import LedgerState, Movement, advance, may_enter, open_ledger, reopen
from monitor.core.model import MeterReading
from monitor.core.rules import MeterView, RuleParameters
from monitor.core.rules.base import State
from monitor.store.base import Changes, StoredLedger
from monitor.world import WatchedKey, World


class Balances:
    """The part of the pipeline that knows about amounts."""

    def __init__(self, world: World, announcer: Announcer) -> None:
        self._world = world
        self._announcer = announcer
        self._speakers: dict[tuple[str, str], str] = {}  # of accounts: the key entered last

    def speaks(self, watched: WatchedKey, meter: str, at: datetime) -> bool:
        """Whether this reading counts for the account: one of its keys speaks at a time."""
        slot = (watched.balance_subject.id, meter)
        ledger = self._world.ledgers.get(slot)
        speaker = self._speakers.get(slot, watched.name)
        if ledger and not may_enter(watched.name, speaker, ledger, at, watched.interval):
            return False
        if watched.account:
            self._speakers[slot] = watched.name
        return True

    def forget_speakers(self) -> None:
        """Let go of keys that no longer speak for an account: others take over at once."""
        keys = self._world.keys
        self._speakers = {
            slot: name
            for slot, name in self._speakers.items()
            if name in keys and keys[name].watched.balance_subject.id == slot[0]
        }

    def enter(
        self,
        watched: WatchedKey,
        reading: MeterReading,
        at: datetime,
        changes: Changes,
        *,
        was_unlimited: bool,
    ) -> tuple[LedgerState | None, Movement | None]:
        """Enter the balance into the ledger of the key's account (its own where it has none).

        Without a cap there is no amount to enter: the ledger, if there is one, stays as it was.
        """
        slot = (watched.balance_subject.id, reading.meter)
        ledger, balance = self._world.ledgers.get(slot), reading.balance
        if balance is None:
            return ledger, None
        movement: Movement | None = None
        moved = True
        if ledger is None or ledger.unit != reading.unit:
            ledger = open_ledger(at, balance, reading.unit)
        elif was_unlimited:
            ledger = reopen(ledger, at, balance)
        else:
            if at < ledger.at:  # polls end in order, so the clock was set back
                ledger = replace(ledger, at=at, charges=())
            ledger, movement = advance(ledger, at, balance)
            moved = movement is not None
        self._world.ledgers[slot] = ledger
        if moved:
            changes.ledgers.append(StoredLedger(subject_id=slot[0], meter=slot[1], state=ledger))
        return ledger, movement

    def judge(
        self,
        watched: WatchedKey,
        reading: MeterReading,
        at: datetime,
        changes: Changes,
        *,
        ledger: LedgerState,
        movement: Movement | None,
    ) -> None:
        """The balance rules in the order in which they tell one story."""
        rules = watched.rules

        def slot_and_view(rule: RuleParameters) -> tuple[Slot, MeterView]:
            slot = Slot(subject=watched.balance_subject, meter=reading.meter, rule=rule.name)
            alert = self._world.alert(slot)
            view = MeterView(
                reading=reading,
                at=at,
                ledger=ledger,
                movement=movement,
                firing=alert.severity if alert else None,
                top_up_url=watched.top_up_url,
            )
            return slot, view

        if rules.topped_up is not None and movement is not None:
            slot, view = slot_and_view(rules.topped_up)
            verdict = rules.topped_up.judge(view)
            event = occur(slot, verdict, now=at, next_id=self._announcer.next_alert_id)
            if event is not None:
                self._announcer.apply(event, changes)
        exhausted = False
        if rules.exhausted is not None:
            slot, view = slot_and_view(rules.exhausted)
            verdict = rules.exhausted.judge(view)
            exhausted = verdict.state is State.BREACH
            self._announcer.step(slot, verdict, at, changes)
        # "Exhausted" already says it all: low_balance waits until there is a balance again.
        if rules.low_balance is not None and not exhausted:
            slot, view = slot_and_view(rules.low_balance)
            self._announcer.step(slot, rules.low_balance.judge(view), at, changes)
