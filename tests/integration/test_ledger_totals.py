"""The counters and the recorded history, over random lives of a daemon that is killed now and then.

Everything is real but the provider: pipeline, recorder and a store on disk.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from decimal import Context, Decimal, localcontext
from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support.bench import watched

from monitor.announcer import Announcer
from monitor.core.ledger import LedgerState
from monitor.core.model import Failure, MeterReading, Observation, Reading, Reason
from monitor.pipeline import Pipeline
from monitor.store import open_store
from monitor.store.base import Changes, Store
from monitor.teller import TellingPolicy
from monitor.world import restore

START = datetime(2026, 5, 1, 12, tzinfo=UTC)
KEYS = [watched("a", account="main"), watched("b", account="main")]
SLOT = ("account:kie/main", "balance")

amounts = st.one_of(
    st.decimals(min_value=-50, max_value=10_000, places=2),
    st.decimals(min_value=0, max_value=10**25, places=20),
    st.integers(min_value=0, max_value=20).map(Decimal),
)
polls = st.tuples(
    st.sampled_from(["a", "a", "a", "b"]),
    st.integers(min_value=1, max_value=2_000),  # seconds since the one before
    st.one_of(amounts, amounts, amounts, st.none()),  # None: it failed
)
lives = st.lists(st.lists(polls, min_size=1, max_size=12), min_size=1, max_size=4)


@contextmanager
def opened(path: Path) -> Iterator[Store]:
    store = open_store(f"sqlite:///{path}", lock=True)
    try:
        yield store
    finally:
        store.close()


def observation(key: str, at: datetime, balance: Decimal | None) -> Observation:
    if balance is None:
        return Failure(key=key, at=at, reason=Reason.TIMEOUT)
    reading = MeterReading(unit="credits", balance=balance)
    return Reading(key=key, at=at, meters=(reading,))


def live(
    store: Store, life: list[tuple[str, int, Decimal | None]], now: datetime, lost: int
) -> datetime:
    """One run of the daemon; it is killed before its *lost* last units of work are written."""
    snapshot = store.load()
    world = restore(KEYS, snapshot)
    announcer = Announcer(world, (), TellingPolicy(group_wait=timedelta(0)), snapshot)
    pipeline = Pipeline(world, announcer, now)
    done: list[Changes] = [pipeline.start(now)]
    for key, seconds, balance in life:
        now += timedelta(seconds=seconds)
        done.append(pipeline.observe(observation(key, now, balance)))
    store.write(done[: len(done) - lost])
    return now


def ledger(store: Store) -> LedgerState | None:
    return next((x.state for x in store.ledgers() if (x.subject_id, x.meter) == SLOT), None)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(lives, st.lists(st.integers(min_value=0, max_value=3), min_size=4, max_size=4))
def test_totals_never_fall_and_agree_with_the_first_and_last_recorded_balance(
    story: list[list[tuple[str, int, Decimal | None]]], lost: list[int]
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        now, before = START, None
        for life, cut in zip(story, lost, strict=False):
            with opened(Path(folder) / "store.db") as store:
                now = live(store, life, now, min(cut, len(life)))
                found = ledger(store)
            if before is not None:
                assert found is not None
                assert found.consumed_total >= before.consumed_total
                assert found.topped_up_total >= before.topped_up_total
                assert found.refunded_total >= before.refunded_total
            before = found or before
        with opened(Path(folder) / "store.db") as store:
            _agrees(store)


def _agrees(store: Store) -> None:
    """The ledger's balance is the first one recorded, plus what came, less what went."""
    found = ledger(store)
    samples = sorted(
        (
            sample
            for key in ("a", "b")
            for sample in store.samples(key, "balance", START, datetime.max.replace(tzinfo=UTC))
        ),
        key=lambda sample: sample.at,
    )
    if found is None:
        assert not samples
        return
    with localcontext(Context(prec=200)):
        came = found.topped_up_total + found.refunded_total
        assert samples[0].balance is not None
        assert found.balance == samples[0].balance + came - found.consumed_total
    assert found.balance in [sample.balance for sample in samples]
