"""From one observation to everything that follows from it, as one unit of work.

``observe`` and ``sweep`` are the whole flow on one screen: enter the reading, judge the rules, step
the alerts, enqueue what is to be told.  Nothing here awaits or writes; the returned ``Changes``
are one transaction for the recorder.  Daemon, demo, replay and tests run this same class.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from datetime import datetime, timedelta

from monitor import runs
from monitor.announcer import Announcer
from monitor.balances import Balances
from monitor.core.alerts import Slot, close, occur
from monitor.core.events import Why
from monitor.core.model import (
    HOST,
    Kind,
    MeterReading,
    Observation,
    Reading,
    Unasked,
)
from monitor.core.renewals import Renewal
from monitor.keywatch import KeyWatch
from monitor.outages import ProviderWatch
from monitor.runs import SAVE_EVERY, within
from monitor.store.base import Changes, StoredKey
from monitor.storewatch import FAILING, StoreWatch
from monitor.troubles import MeterWatch
from monitor.world import LiveKey, LiveMeter, Succession, World

JUDGE_EVERY = timedelta(minutes=15)
"""A balance that stays as it is runs out later and expires sooner: it is judged so often."""

METER_KEPT = timedelta(days=1)
"""A meter that a provider stops showing is forgotten, with its alert, after this time."""


class Pipeline:
    """Turns observations into changes; the only one that moves the :class:`World` on."""

    def __init__(
        self,
        world: World,
        announcer: Announcer,
        now: datetime,
    ) -> None:
        self.world = world
        self._announcer = announcer
        self._providers = ProviderWatch(world)
        self._keys = KeyWatch(world, announcer, self._providers, now)
        self._balances = Balances(world, announcer)
        self.store = StoreWatch(announcer)
        self._meters = MeterWatch(world, announcer)

    # -- units of work ---------------------------------------------------------------------

    def start(self, now: datetime) -> Changes:
        """The first unit of work: end the alerts of what is no longer configured."""
        changes = Changes()
        self._announcer.clock_set(now, changes)
        self._end_unwatched(now, changes)
        for live in self.world.keys.values():
            self._enter_manual(live, changes)
            self._save_key(live, changes, now)
        return changes

    def reconfigure(self, after: Succession, now: datetime) -> Changes:
        """Go on with the keys and rules that the world holds now; see :func:`~.world.adopt`.

        Those that other rules apply to are then to be judged again.
        """
        changes = Changes()
        self._providers.regroup()
        self._keys.log.regroup()
        self._balances.forget_speakers()
        self._end_unwatched(now, changes)
        for live in (*after.added, *after.reentered):
            self._enter_manual(live, changes)
            self._save_key(live, changes, now)
        return changes

    def judge_again(self, keys: Iterable[LiveKey], now: datetime) -> Changes:
        """Judge *keys* by their present rules on their last readings, while those may count as
        current, and else on the next ones: until then their alerts stay as they are.
        """
        changes = Changes()
        for live in keys:
            self._judge_again(live, now, changes)
        return changes

    def _enter_manual(self, live: LiveKey, changes: Changes) -> None:
        """Take over the balance that the configuration has, or had and has no more.

        It is a sample of its own time, so a history of what was entered comes about.
        """
        old = [n for n, m in live.meters.items() if m.reading.kind is Kind.MANUAL]
        for name in old:
            del live.meters[name]
            changes.forgotten.append((live.watched.name, name))
        if live.watched.manual is not None:
            reading, at = live.watched.manual
            run = runs.sample(live.watched.name, reading, at, at)
            live.meters[reading.meter] = LiveMeter(reading=reading, at=at, run=run)
            changes.samples.append(run)

    def observe(self, observation: Observation) -> Changes:
        """Everything that follows from one poll; unknown keys (just removed) are ignored."""
        changes = Changes()
        live = self.world.keys.get(observation.key)
        if live is None:
            return changes
        if isinstance(observation, Reading):
            self._observe_reading(live, observation, changes)
        elif isinstance(observation, Unasked):
            if self._keys.left_out(live, observation):
                self._save_key(live, changes, observation.at)
        elif self._keys.fails(live, observation, changes):
            self._save_key(live, changes, observation.at)
        return changes

    def sweep(self, now: datetime) -> Changes:
        """What time alone brings about: keys and providers that have fallen silent."""
        changes = Changes()
        self._keys.log.tell(now)
        self._keys.sweep_providers(now, changes)
        self._announcer.remind(now, changes)
        for live in self.world.keys.values():
            self._keys.sweep(live, now, changes)
            if live.troubles:
                self._meters.sweep(live, self._keys.watched_since(live), now, changes)
        return changes

    def renewal(self, renewal: Renewal) -> Changes:
        """A login is about to be renewed, or what became of it; the end is told."""
        changes = Changes(renewals=[renewal])
        self.world.renewals[renewal.key, renewal.meter] = renewal
        live = self.world.keys.get(renewal.key)
        rule = live.watched.rules.renewal if live else None
        if live is not None and rule is not None:
            slot = Slot(subject=live.watched.subject, meter=renewal.meter, rule=rule.name)
            next_id = self._announcer.next_alert_id
            event = occur(slot, rule.judge(renewal), now=renewal.at, next_id=next_id)
            if event is not None:
                self._announcer.apply(event, changes)
        return changes

    def finish(self) -> Changes:
        """The last unit of work: times that were held back (see ``SAVE_EVERY``)."""
        changes = Changes()
        self._keys.log.tell_rest()
        for live in self.world.keys.values():
            saved, last = live.saved_at, live.state.last_poll_at
            if last is not None and (saved is None or last > saved):
                changes.samples.extend(m.run for m in live.meters.values() if m.run)
                self._save_key(live, changes, last)
        self._balances.finish(changes)
        return changes

    def clock_stepped(self, by: timedelta, now: datetime) -> Changes:
        """The wall clock was set by *by*: what was measured before must not count as silence."""
        changes = Changes()
        self._announcer.clock_set(now, changes)
        self._keys.clock_stepped(by, now)
        for live in self.world.keys.values():
            if live.state.failing_since is not None:
                self._save_key(live, changes, now)
        return changes

    # -- one reading ------------------------------------------------------------------------

    def _observe_reading(self, live: LiveKey, reading: Reading, changes: Changes) -> None:
        answered_before = self._keys.answers(live, reading.at)
        changed = not answered_before
        for meter in reading.meters:
            changed |= self._observe_meter(live, meter, reading, changes, unbroken=answered_before)
        if reading.failures or live.troubles:
            changed |= self._meters.observe(live, reading, changes)
        if len(live.meters) > len(reading.meters) or live.troubles:
            changed |= self._forget_meters(live, reading, changes)
        if not answered_before or self._keys.is_silent(live):
            self._keys.judge(live, reading.at, changes)
        if changed or not within(live.saved_at, reading.at, SAVE_EVERY):
            self._save_key(live, changes, reading.at)

    def _observe_meter(
        self,
        live: LiveKey,
        reading: MeterReading,
        poll: Reading,
        changes: Changes,
        *,
        unbroken: bool,
    ) -> bool:
        at, meter = poll.at, live.meters.get(reading.meter)
        same = meter is not None and meter.reading == reading
        was_unlimited = meter is not None and meter.reading.balance is None
        if meter is None:
            meter = live.meters[reading.meter] = LiveMeter(reading=reading, at=at)
        if reading.kind is not Kind.SESSION:
            runs.extend(live, meter, reading, at, changes, unbroken=unbroken)
        was_judged = meter.reading.kind is Kind.BALANCE
        meter.reading, meter.at = reading, at
        if reading.kind is not Kind.BALANCE:
            if was_judged:  # it has become part of another
                self._end_alerts(live, [reading.meter], at, changes)
                self.world.projections.pop((live.watched.balance_subject.id, reading.meter), None)
            if not same or not within(meter.judged_at, at, JUDGE_EVERY):
                self._balances.judge_expiry(live.watched, reading, at, changes)
                meter.judged_at = at
            return not same
        if not self._balances.speaks(live.watched, reading.meter, at):
            meter.judged_at = None
            return not same
        ledger, movement = self._balances.enter(
            live.watched, reading, at, changes, was_unlimited=was_unlimited
        )
        # What was judged and did not move need not be judged again, until time has told.
        is_known = same and movement is None and within(meter.judged_at, at, JUDGE_EVERY)
        if ledger is not None and not is_known:
            self._balances.judge(
                live.watched,
                reading,
                at,
                changes,
                ledger=ledger,
                movement=movement,
                beside=_beside(live, poll),
            )
            meter.judged_at = at
        return not same

    def _forget_meters(self, live: LiveKey, reading: Reading, changes: Changes) -> bool:
        """Let go of meters that the provider has not shown for a day, and of their alerts."""
        shown = set(reading.names)
        seen = {name: m.at for name, m in live.meters.items() if m.reading.kind is not Kind.MANUAL}
        for name, trouble in live.troubles.items():
            seen[name] = max(trouble.at, seen.get(name, trouble.at))
        gone = [n for n, at in seen.items() if n not in shown and reading.at - at > METER_KEPT]
        for name in gone:
            live.meters.pop(name, None)
            live.troubles.pop(name, None)
            changes.forgotten.append((live.watched.name, name))
        others = list(self.world.keys_of_account(live.watched.balance_subject))
        unseen = [name for name in gone if not any(name in k.meters for k in others)]
        self._end_alerts(live, unseen, reading.at, changes)
        return bool(gone)

    def _end_alerts(
        self, live: LiveKey, meters: Collection[str], at: datetime, changes: Changes
    ) -> None:
        """Nobody judges these *meters* of a key any more."""
        mine = {live.watched.subject.id, live.watched.balance_subject.id}
        for alert in list(self.world.alerts.values()):
            if alert.meter in meters and alert.subject.id in mine:
                ended = close(alert, alert.facts, Why.UNWATCHED, at)
                self._announcer.apply(ended, changes)

    def _judge_again(self, live: LiveKey, now: datetime, changes: Changes) -> None:
        """Other rules apply to *live* than at its last reading."""
        for name, meter in live.meters.items():
            judged, meter.judged_at = meter.judged_at, None
            current = live.state.reason is None and live.is_fresh(meter, now)
            if judged is None or not current or name in live.troubles:
                continue
            ledger = self.world.ledger(live.watched, name)
            if meter.reading.kind is not Kind.BALANCE:
                self._balances.judge_expiry(live.watched, meter.reading, now, changes)
            elif ledger is not None:
                self._balances.judge(
                    live.watched,
                    meter.reading,
                    now,
                    changes,
                    ledger=ledger,
                    movement=None,
                    beside=[m.reading for m in live.meters.values()],
                )
            meter.judged_at = now

    # -- shared ------------------------------------------------------------------------------

    def _end_unwatched(self, now: datetime, changes: Changes) -> None:
        """End the alerts of what is no longer configured; nobody is told."""
        alerts = [*self.world.alerts.values()]
        watched = self._watched_slots({alert.subject.id for alert in alerts})
        for alert in alerts:
            if (alert.subject.id, alert.rule) not in watched:
                self._announcer.apply(close(alert, alert.facts, Why.UNWATCHED, now), changes)

    def _watched_slots(self, subject_ids: Collection[str]) -> set[tuple[str, str]]:
        """(subject id, rule) of what the configuration asks to judge about these subjects."""
        slots = {*self._providers.slots(), (HOST.id, FAILING.rule)}
        for live in self.world.keys.values() if subject_ids else ():
            for subject in (live.watched.subject, live.watched.balance_subject):
                if subject.id in subject_ids:
                    rules = live.watched.rules
                    slots.update((subject.id, name) for name, rule in rules if rule is not None)
        return slots

    def _save_key(self, live: LiveKey, changes: Changes, now: datetime) -> None:
        live.saved_at = now
        watched = live.watched
        changes.keys.append(
            StoredKey(
                name=watched.name,
                provider=watched.provider,
                account=watched.account,
                state=live.state,
                meters=tuple((m.reading, m.at) for m in live.meters.values()),
                troubles=tuple(live.troubles.values()),
            )
        )


def _beside(live: LiveKey, poll: Reading) -> Sequence[MeterReading]:
    """All meters of the key: those that this poll has not read, as they were last."""
    if len(live.meters) <= len(poll.meters):
        return poll.meters
    shown = {meter.meter for meter in poll.meters}
    others = (meter.reading for name, meter in live.meters.items() if name not in shown)
    return [*poll.meters, *others]
