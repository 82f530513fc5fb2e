"""A day with a thousand keys and a provider outage: as many messages as a person would accept."""

from __future__ import annotations

import random
from datetime import timedelta

from support.bench import Bench, Channel, watched

from monitor.core.model import Reason, Severity
from monitor.teller import TellingPolicy

KEYS = 1000
INTERVAL = timedelta(minutes=5)
POLICY = TellingPolicy(
    group_wait=timedelta(seconds=10),
    repeat={Severity.WARNING: timedelta(hours=24), Severity.CRITICAL: timedelta(hours=4)},
)
OUTAGE = range(12 * 12, 14 * 12)
"""Rounds of polls in which the provider does not answer: two hours at noon."""

ACCEPTABLE = 50
"""Messages a day to one channel that a person on duty would put up with on a bad day: what
happened is 20 keys running low, 10 of them out, 6 refused, and the outage of everything."""


def test_a_bad_day_with_a_thousand_keys_is_a_bearable_number_of_messages() -> None:
    rng = random.Random(3)
    names = [f"key{number:04}" for number in range(KEYS)]
    bench = Bench([watched(n) for n in names], channels=[Channel("ops")], policy=POLICY)
    balances = dict.fromkeys(names, 5000.0)
    drained = dict(
        zip(rng.sample(names, 20), (rng.randrange(10, 250) for _ in range(20)), strict=True)
    )
    refused = set(rng.sample(sorted(set(names) - set(drained)), 6))
    blips = 0
    for number in range(24 * 12):
        for name in names:
            start = drained.get(name)
            if start is not None and number >= start:
                balances[name] = max(0.0, balances[name] - 400)
            if number in OUTAGE or rng.random() < 0.003:
                blips += number not in OUTAGE
                bench.fail(name, Reason.SERVER_ERROR)
            elif name in refused and 100 < number < 120:
                bench.fail(name, Reason.UNAUTHORIZED)
            else:
                bench.read(name, f"{balances[name]:.0f}")
        for notification in list(bench.notifications):
            bench.announcer.close_group(notification)
        bench.pass_time(INTERVAL)
    subjects = {event.subject.label for event in bench.events if event.told}
    assert len(drained) + len(refused) + 1 <= len(subjects) <= len(drained) + len(refused) + 4
    assert blips > 500, "single failed polls were there, and nobody was told of them"
    assert 20 <= len(bench.notifications) <= ACCEPTABLE
