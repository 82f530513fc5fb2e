"""Enters balances into the ledgers of their accounts, and judges them by the balance rules."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Self

from monitor.announcer import Announcer
from monitor.core.alerts import Slot, occur
from monitor.core.ledger import LedgerState, Movement, advance, may_enter, open_ledger, reopen
from monitor.core.model import Kind, MeterReading, Subject
from monitor.core.rules import MeterView, OverdueTopUp, ToppedUp
from monitor.core.rules.base import MeterRule, State
from monitor.foresight import Foresight
from monitor.store.base import Changes, StoredLedger
from monitor.world import WatchedKey, World


class Balances:
    """The part of the pipeline that knows about amounts."""

    def __init__(self, world: World, announcer: Announcer) -> None:
        self._world = world
        self._announcer = announcer
        self._foresight = Foresight(world)
        self._restored_at = {slot: ledger.at for slot, ledger in world.ledgers.items()}
        self._low_since: dict[tuple[str, str], datetime] = {}  # of a top-up that is due
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
        moved, before = True, None
        if ledger is None or ledger.unit != reading.unit:
            self._foresight.forget(slot)
            ledger = open_ledger(at, balance, reading.unit)
        elif was_unlimited:
            ledger = reopen(ledger, at, balance)
        else:
            if at < ledger.at:  # polls end in order, so the clock was set back
                ledger = replace(ledger, at=at, charges=())
            before = ledger
            ledger, movement = advance(ledger, at, balance)
            moved = movement is not None
        self._world.ledgers[slot] = ledger
        self._foresight.enter(slot, before, ledger, changes)
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
        beside: Iterable[MeterReading] = (),
    ) -> None:
        """The balance rules in the order in which they tell one story.

        *beside* are all meters of the key: one that never held anything, such as a currency that
        nobody pays in, is no news while another holds something.
        """
        if _is_unused(reading, ledger) and any(_holds_something(each) for each in beside):
            return
        rules = watched.rules
        view = self._view(watched, reading, at, ledger=ledger, movement=movement)
        about = _About.of(watched, reading.meter, changes)
        if rules.topped_up is not None and movement is not None:
            self._occur(rules.topped_up, view, about)
        # "Exhausted" already says it all: what is low or runs out waits until something is there.
        if self._step(rules.exhausted, view, about) is not State.BREACH:
            if view.usual is not None:
                self._step(rules.spike, view, about)
            # Of these two one is enough: both tell when it runs out.
            if self._step(rules.runway, view, about) is not State.BREACH:
                self._step(rules.before_top_up, view, about)
            self._step(rules.low_balance, view, about)
        self._step(rules.expiring, view, about)
        self._judge_overdue(rules.overdue_top_up, view, about)

    def judge_expiry(
        self, watched: WatchedKey, reading: MeterReading, at: datetime, changes: Changes
    ) -> None:
        """The one rule that is also about what is no balance: sessions, and things one has."""
        if watched.rules.expiring is not None:
            view = MeterView(reading=reading, at=at, ledger=None, movement=None, firing=None)
            about = _About.of(watched, reading.meter, changes)
            self._step(watched.rules.expiring, view, about)

    def finish(self, changes: Changes) -> None:
        """The last unit of work: what was learned of consumption."""
        self._foresight.finish(changes)

    def _view(
        self,
        watched: WatchedKey,
        reading: MeterReading,
        at: datetime,
        *,
        ledger: LedgerState,
        movement: Movement | None,
    ) -> MeterView:
        projection, usual = None, None
        if reading.balance is not None:
            slot = (watched.balance_subject.id, reading.meter)
            projection = self._foresight.project(slot, at, float(reading.balance))
            usual = self._foresight.usual(slot, at) if watched.rules.spike else None
        return MeterView(
            reading=reading,
            at=at,
            ledger=ledger,
            movement=movement,
            firing=None,
            top_up_url=watched.top_up_url,
            projection=projection,
            usual=usual,
        )

    def _occur(self, rule: ToppedUp, view: MeterView, about: _About) -> None:
        event = occur(
            about.slot(rule), rule.judge(view), now=view.at, next_id=self._announcer.next_alert_id
        )
        if event is not None:
            self._announcer.apply(event, about.changes)

    def _step(self, rule: MeterRule | None, view: MeterView, about: _About) -> State | None:
        """Let *rule* judge and move its alert; None where it is switched off."""
        if rule is None:
            return None
        alert = self._world.alerts.get((*about.balance, rule.name))
        if alert is not None:
            view = replace(view, firing=alert.severity)
        verdict = rule.judge(view)
        if alert is not None or verdict.state is State.BREACH:
            self._announcer.step(about.slot(rule), verdict, view.at, about.changes)
        return verdict.state

    def _judge_overdue(self, rule: OverdueTopUp | None, view: MeterView, about: _About) -> None:
        """Since when a top-up is due is remembered here; a restart counts from the last movement
        before it, as the balance has been what it is since then.
        """
        if rule is None:
            return
        alert = self._world.alert(about.slot(rule))
        if rule.is_low(view, firing=alert is not None):
            began = view.at if view.movement else self._restored_at.get(about.balance, view.at)
            since = self._low_since.setdefault(about.balance, began)
            view = replace(view, low_since=since)
        else:
            self._low_since.pop(about.balance, None)
        self._step(rule, view, about)


def _is_unused(reading: MeterReading, ledger: LedgerState) -> bool:
    return reading.balance == 0 and not ledger.consumed_total


def _holds_something(reading: MeterReading) -> bool:
    """Whether there is credit in it: an amount, or no cap at all."""
    return reading.kind is Kind.BALANCE and (reading.balance is None or reading.balance > 0)


@dataclass(frozen=True, slots=True)
class _About:
    """Which balance is judged, and the unit of work it belongs to."""

    subject: Subject
    balance: tuple[str, str]  # (subject id, meter)
    changes: Changes

    @classmethod
    def of(cls, watched: WatchedKey, meter: str, changes: Changes) -> Self:
        """The balance of a key's *meter*."""
        subject = watched.balance_subject
        return cls(subject, (subject.id, meter), changes)

    def slot(self, rule: MeterRule) -> Slot:
        """Where an alert of *rule* belongs."""
        return Slot(subject=self.subject, meter=self.balance[1], rule=rule.name)
