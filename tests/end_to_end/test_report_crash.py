"""``kill -9`` around a report that is due: it arrives, and twice only if killed while it left."""

from __future__ import annotations

import asyncio
import json
import random
import time
from datetime import UTC, datetime
from pathlib import Path

import pytest
from support.process import Hook, Process

from monitor.core.periods import Every, last_period, period_before
from monitor.store import open_store
from monitor.store.base import Changes, StoredReport

GRACE = 1.5
"""Seconds between a message's arrival and the record of it: a kill in between may repeat it."""


def configuration(hook: int, folder: Path) -> str:
    settings = {
        "keys": [{"name": "practice", "provider": "simulated", "url": "http://127.0.0.1:9"}],
        "rules": {"silent": "off"},
        "channels": [{"name": "hook", "url": f"json://127.0.0.1:{hook}/"}],
        "notify": {"report": {"every": "day", "at": "00:00"}},
        "store": f"sqlite:///{folder}/report.db",
        "web": "off",
    }
    return json.dumps(settings)  # JSON is YAML


def make_due(folder: Path) -> None:
    """As after a day without the daemon: the last report told of is the one before the last."""
    last = last_period(Every.DAY, datetime.now(UTC), UTC)
    before = period_before(last, UTC)
    store = open_store(f"sqlite:///{folder}/report.db")
    told = StoredReport(
        kind="day",
        period_start=before.since,
        period_end=before.until,
        enqueued_at=before.until,
    )
    store.write([Changes(reports=[told])])
    store.close()


@pytest.mark.timeout(300)
@pytest.mark.parametrize(
    "status",
    [
        pytest.param(200, id="while the channel takes messages"),
        pytest.param(503, id="while the channel is down, so that it waits in the outbox"),
    ],
)
async def test_a_report_that_is_due_arrives_over_kills(tmp_path: Path, status: int) -> None:
    rng = random.Random(20261121)
    config = tmp_path / "config.yaml"
    kills: list[float] = []
    make_due(tmp_path)
    async with Hook(delay=0.3, status=status) as hook:
        config.write_text(configuration(hook.port, tmp_path))
        for _ in range(4):
            process = Process("run", "--config", str(config), home=tmp_path)
            await process.start()
            await process.until("watching")
            await asyncio.sleep(rng.uniform(0.5, 1.8))
            kills.append(time.monotonic())
            await process.kill()
        hook.status = 200
        process = Process("run", "--config", str(config), home=tmp_path)
        await process.start()
        await hook.until("Daily report")
        await process.until("watching")
        await asyncio.sleep(2.5)  # real time is what the daemon looks at: nothing more may come
        assert await process.stop() == 0, process.output
    assert "Traceback" not in process.output
    reports = [at for at, body in hook.got if "Daily report" in body["title"]]
    assert len(reports) == 1 or status == 200
    for repeated in reports[:-1]:
        assert any(repeated <= kill <= repeated + GRACE for kill in kills)
    day = last_period(Every.DAY, datetime.now(UTC), UTC)
    store = open_store(f"sqlite:///{tmp_path}/report.db", readonly=True)
    told = store.last_report("day")
    store.close()
    assert told is not None
    assert told.period_end == day.until
