"""A scrape of a world in memory, read back with the parsers of prometheus_client."""

from __future__ import annotations

import asyncio
import shutil
import subprocess
from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from prometheus_client.metrics_core import Metric
from prometheus_client.openmetrics.parser import (
    text_string_to_metric_families as parse_openmetrics,
)
from prometheus_client.parser import text_string_to_metric_families as parse_text
from support.scene import NOW, FixedClock

from monitor.core.events import Alert, Facts
from monitor.core.ledger import LedgerState
from monitor.core.model import KeyState, Kind, MeterReading, Reason, Severity, Subject
from monitor.core.rules import Rules
from monitor.metrics import POLL_OUTCOMES, Format, Metrics, Scrape
from monitor.world import LiveKey, LiveMeter, WatchedKey, World

Series = dict[tuple[str, tuple[tuple[str, str], ...]], float]

BALANCE_LABELS = {
    "key": "studio",
    "provider": "kie",
    "account": "studio-main",
    "meter": "balance",
    "unit": "credits",
}
KEY_LABELS = {name: BALANCE_LABELS[name] for name in ("key", "provider", "account")}


def live_key(
    *readings: MeterReading,
    name: str = "studio",
    account: str = "studio-main",
    age: timedelta = timedelta(0),
    reason: Reason | None = None,
    rules: Rules | None = None,
) -> LiveKey:
    state = KeyState(
        key=name,
        last_poll_at=NOW - age if readings or reason else None,
        last_success_at=NOW - age if readings else None,
        reason=reason,
    )
    watched = WatchedKey(
        name=name,
        provider="kie",
        account=account,
        interval=timedelta(minutes=5),
        rules=rules or Rules(),
    )
    meters = {r.meter: LiveMeter(reading=r, at=NOW - age) for r in readings}
    return LiveKey(watched=watched, state=state, meters=meters)


def world_of(*keys: LiveKey) -> World:
    return World(keys={key.watched.name: key for key in keys})


def reading(balance: str | None = "4210.5", meter: str = "balance") -> MeterReading:
    amount = None if balance is None else Decimal(balance)
    return MeterReading(meter=meter, unit="credits", balance=amount)


async def scrape(
    world: World, metrics: Metrics | None = None, output: Format = Format.OPENMETRICS
) -> str:
    pieces = Scrape(metrics or Metrics("1.2.3"), world, FixedClock()).stream(output)
    return b"".join([piece async for piece in pieces]).decode()


def series(text: str) -> Series:
    families: Iterable[Metric] = parse_openmetrics(text)  # type: ignore[no-untyped-call]  # there
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in families
        for sample in family.samples
    }


async def value(
    world: World, name: str, labels: dict[str, str] | None = None, metrics: Metrics | None = None
) -> float | None:
    found = series(await scrape(world, metrics))
    return found.get((name, tuple(sorted((labels or {}).items()))))


def ledger(consumed: str = "0", topped_up: str = "0", refunded: str = "0") -> LedgerState:
    return LedgerState(
        at=NOW,
        balance=Decimal(4210),
        unit="credits",
        reference=Decimal(10000),
        consumed_total=Decimal(consumed),
        topped_up_total=Decimal(topped_up),
        refunded_total=Decimal(refunded),
    )


# -- the series of keys ---------------------------------------------------------------------------


async def test_a_fresh_balance_is_exported_with_its_labels() -> None:
    assert await value(world_of(live_key(reading())), "credit_balance", BALANCE_LABELS) == 4210.5


async def test_amounts_go_out_with_all_their_digits() -> None:
    balance = "1234567890123456789.123456789"
    assert f" {balance}\n" in await scrape(world_of(live_key(reading(balance))))


@pytest.mark.parametrize("balance", ["0", "-12.5", "0.00000001", "1E+3", "0.90"])
async def test_any_decimal_can_be_read_back(balance: str) -> None:
    world = world_of(live_key(reading(balance)))
    assert await value(world, "credit_balance", BALANCE_LABELS) == float(balance)


async def test_a_balance_is_exported_for_three_intervals_and_then_no_longer() -> None:
    still = world_of(live_key(reading(), age=timedelta(minutes=15)))
    past = world_of(live_key(reading(), age=timedelta(minutes=15, seconds=1)))
    assert await value(still, "credit_balance", BALANCE_LABELS) == 4210.5
    assert "credit_balance{" not in await scrape(past)


async def test_an_unlimited_balance_is_no_number() -> None:
    assert "credit_balance{" not in await scrape(world_of(live_key(reading(None))))


async def test_every_meter_of_a_key_has_its_own_series() -> None:
    world = world_of(live_key(reading("1", "a"), reading("2", "b")))
    assert await value(world, "credit_balance", BALANCE_LABELS | {"meter": "a"}) == 1
    assert await value(world, "credit_balance", BALANCE_LABELS | {"meter": "b"}) == 2


async def test_what_a_reading_tells_besides_the_balance_is_exported() -> None:
    expiry = datetime(2026, 6, 1, tzinfo=UTC)
    full = replace(reading(), limit=Decimal(9000), expires_at=expiry, jobs_limit=20, jobs_running=3)
    found = series(await scrape(world_of(live_key(full))))
    labels = tuple(sorted(BALANCE_LABELS.items()))
    assert found["credit_limit", labels] == 9000
    assert found["credit_expiry_timestamp_seconds", labels] == expiry.timestamp()
    assert found["credit_jobs_limit", labels] == 20
    assert found["credit_jobs_running", labels] == 3


async def test_no_jobs_running_is_a_number_too() -> None:
    world = world_of(live_key(replace(reading(), jobs_running=0)))
    assert await value(world, "credit_jobs_running", BALANCE_LABELS) == 0


async def test_the_counters_of_an_account_are_shown_for_each_of_its_keys() -> None:
    world = world_of(live_key(reading()), live_key(reading(), name="second"))
    world.ledgers["account:kie/studio-main", "balance"] = ledger("12.5", "500", "3")
    found = series(await scrape(world))
    for name in ("studio", "second"):
        labels = tuple(sorted((BALANCE_LABELS | {"key": name}).items()))
        assert found["credit_consumed_total", labels] == 12.5
        assert found["credit_topped_up_total", labels] == 500
        assert found["credit_refunded_total", labels] == 3


async def test_counters_stay_while_the_balance_is_too_old_to_be_shown() -> None:
    world = world_of(live_key(reading(), age=timedelta(days=1)))
    world.ledgers["account:kie/studio-main", "balance"] = ledger()
    assert await value(world, "credit_consumed_total", BALANCE_LABELS) == 0


async def test_thresholds_are_amounts_by_severity() -> None:
    world = world_of(live_key(reading()))
    world.ledgers["account:kie/studio-main", "balance"] = ledger()
    labels = BALANCE_LABELS | {"rule": "low_balance"}
    assert await value(world, "credit_threshold", labels | {"severity": "warning"}) == 2000
    assert await value(world, "credit_threshold", labels | {"severity": "critical"}) == 500


async def test_a_rule_that_is_off_has_no_threshold() -> None:
    world = world_of(live_key(reading(), rules=Rules(low_balance=None)))
    world.ledgers["account:kie/studio-main", "balance"] = ledger()
    assert "credit_threshold{" not in await scrape(world)


async def test_a_key_that_answers_is_up_and_in_the_state_ok() -> None:
    world = world_of(live_key(reading()))
    assert await value(world, "credit_key_up", KEY_LABELS) == 1
    assert await value(world, "credit_key_state", KEY_LABELS | {"state": "ok"}) == 1
    last = await value(world, "credit_last_success_timestamp_seconds", KEY_LABELS)
    assert last == NOW.timestamp()


async def test_a_failing_key_is_down_and_in_exactly_one_state() -> None:
    world = world_of(live_key(reading(), reason=Reason.TIMEOUT))
    found = series(await scrape(world))
    states = {
        dict(labels)["state"]: number
        for (name, labels), number in found.items()
        if name == "credit_key_state"
    }
    assert set(states) == {"ok", *Reason}
    assert [state for state, number in states.items() if number] == ["timeout"]
    assert await value(world, "credit_key_up", KEY_LABELS) == 0


async def test_a_key_check_is_up_without_a_balance() -> None:
    live = live_key()
    live.state = KeyState(key="studio", last_poll_at=NOW, last_success_at=NOW)
    assert await value(world_of(live), "credit_key_up", KEY_LABELS) == 1
    assert "credit_balance{" not in await scrape(world_of(live))


async def test_a_balance_entered_by_hand_has_metrics_of_its_own_and_no_other() -> None:
    entered = MeterReading(meter="manual", unit="credits", balance=Decimal(5000), kind=Kind.MANUAL)
    world = world_of(live_key(entered))
    labels = KEY_LABELS | {"meter": "manual", "unit": "credits"}
    assert await value(world, "credit_manual_balance", labels) == 5000
    at = await value(world, "credit_manual_balance_timestamp_seconds", labels)
    assert at == NOW.timestamp()
    with_manual = {
        name
        for (name, found), _ in series(await scrape(world)).items()
        if dict(found).get("meter") == "manual"
    }
    assert with_manual == {"credit_manual_balance", "credit_manual_balance_timestamp_seconds"}


async def test_a_key_that_was_not_polled_yet_is_neither_up_nor_down() -> None:
    text = await scrape(world_of(live_key()))
    assert "credit_key_up{" not in text
    assert "credit_last_success_timestamp_seconds{" not in text
    assert {number for (name, _), number in series(text).items() if name == "credit_key_state"} == {
        0.0
    }


async def test_the_series_of_a_removed_key_are_gone() -> None:
    world = world_of(live_key(reading()), live_key(reading(), name="second"))
    assert 'key="second"' in await scrape(world)
    del world.keys["second"]
    assert 'key="second"' not in await scrape(world)


async def test_an_open_alert_fires_until_it_is_closed() -> None:
    subject = Subject("kie", "studio-main")
    alert = Alert(
        id=1,
        subject=subject,
        meter="balance",
        rule="low_balance",
        severity=Severity.CRITICAL,
        worst=Severity.CRITICAL,
        opened_at=NOW,
        changed_at=NOW,
        facts=Facts(),
    )
    world = World(alerts={alert.slot: alert})
    labels = {
        "key": "",
        "provider": "kie",
        "account": "studio-main",
        "meter": "balance",
        "rule": "low_balance",
        "severity": "critical",
    }
    assert await value(world, "credit_alert_firing", labels) == 1
    world.alerts.clear()
    assert "credit_alert_firing{" not in await scrape(world)


async def test_names_from_outside_cannot_break_the_format() -> None:
    nasty = 'quote" backslash\\ line\nbreak {}=, ünïcödé'
    world = world_of(
        live_key(replace(reading(), meter=nasty, unit=nasty), name=nasty, account=nasty)
    )
    labels = dict.fromkeys(("key", "account", "meter", "unit"), nasty) | {"provider": "kie"}
    assert await value(world, "credit_balance", labels) == 4210.5


# -- the daemon's own series ----------------------------------------------------------------------


async def test_series_known_in_advance_start_at_zero() -> None:
    metrics = Metrics("1.2.3")
    metrics.show(["kie"], ["ops"])
    found = series(await scrape(World(), metrics))
    for outcome in POLL_OUTCOMES:
        labels = (("outcome", outcome), ("provider", "kie"))
        assert found["credit_monitor_polls_total", labels] == 0
    for outcome in ("delivered", "retry", "refused", "expired"):
        labels = (("channel", "ops"), ("outcome", outcome))
        assert found["credit_monitor_notifications_total", labels] == 0
    assert found["credit_monitor_outbox_pending", (("channel", "ops"),)] == 0
    assert found["credit_monitor_outbox_oldest_seconds", ()] == 0
    assert found["credit_monitor_store_errors_total", ()] == 0
    delay = "credit_monitor_notification_delay_seconds_count"
    assert found[delay, (("channel", "ops"),)] == 0


async def test_polls_are_counted_by_outcome_and_measured() -> None:
    metrics = Metrics("1.2.3")
    metrics.polled("kie", "ok", 0.2, 0.01)
    metrics.polled("kie", "timeout", 10.0, 0.5)
    metrics.missed("kie")
    found = series(await scrape(World(), metrics))
    for outcome in ("ok", "timeout", "missed"):
        labels = (("outcome", outcome), ("provider", "kie"))
        assert found["credit_monitor_polls_total", labels] == 1
    duration = "credit_monitor_poll_duration_seconds"
    assert found[f"{duration}_sum", (("provider", "kie"),)] == pytest.approx(10.2)
    assert found["credit_monitor_poll_lag_seconds_count", ()] == 2


async def test_deliveries_are_counted_and_their_delay_measured() -> None:
    metrics = Metrics("1.2.3")
    metrics.notification("ops", "retry")
    metrics.notification("ops", "delivered")
    metrics.notification_delay("ops", 42.0)
    found = series(await scrape(World(), metrics))
    labels = (("channel", "ops"), ("outcome", "retry"))
    assert found["credit_monitor_notifications_total", labels] == 1
    delay = "credit_monitor_notification_delay_seconds_sum"
    assert found[delay, (("channel", "ops"),)] == 42


async def test_the_outbox_is_asked_at_every_scrape() -> None:
    metrics = Metrics("1.2.3")
    waiting = {"ops": (3, 12.5), "mail": (1, 90.0)}
    metrics.watch_outbox(lambda: waiting)
    assert await value(World(), "credit_monitor_outbox_oldest_seconds", metrics=metrics) == 90
    del waiting["mail"]
    assert await value(World(), "credit_monitor_outbox_oldest_seconds", metrics=metrics) == 12.5
    name = "credit_monitor_outbox_pending"
    assert await value(World(), name, {"channel": "ops"}, metrics) == 3


async def test_a_refused_configuration_keeps_the_time_of_the_one_in_use() -> None:
    metrics = Metrics("1.2.3")
    metrics.config_reload(True, NOW)
    metrics.config_reload(False, NOW + timedelta(hours=1))
    name = "credit_monitor_config_last_reload"
    assert await value(World(), f"{name}_successful", metrics=metrics) == 0
    at = await value(World(), f"{name}_success_timestamp_seconds", metrics=metrics)
    assert at == NOW.timestamp()


async def test_store_errors_version_and_process_are_exported() -> None:
    metrics = Metrics("1.2.3")
    metrics.store_error()
    text = await scrape(World(), metrics)
    assert "credit_monitor_store_errors_total 1.0\n" in text
    assert 'credit_monitor_build_info{python="' in text
    assert 'version="1.2.3"} 1.0' in text
    assert "process_resident_memory_bytes" in text


async def test_two_monitors_in_one_process_do_not_share_series() -> None:
    first, second = Metrics("1"), Metrics("2")
    first.store_error()
    assert "credit_monitor_store_errors_total 0.0" in await scrape(World(), second)


# -- the exposition as a whole --------------------------------------------------------------------


def everything() -> tuple[World, Metrics]:
    """A world and metrics in which every family has a sample."""
    full = replace(
        reading(),
        limit=Decimal(9000),
        expires_at=NOW + timedelta(days=9),
        jobs_limit=20,
        jobs_running=3,
    )
    world = world_of(live_key(full))
    world.ledgers["account:kie/studio-main", "balance"] = ledger()
    alert = Alert(
        id=1,
        subject=Subject("kie", "studio-main"),
        meter="balance",
        rule="low_balance",
        severity=Severity.WARNING,
        worst=Severity.WARNING,
        opened_at=NOW,
        changed_at=NOW,
        facts=Facts(),
    )
    world.alerts[alert.slot] = alert
    metrics = Metrics("1.2.3")
    metrics.show(["kie"], ["ops"])
    metrics.config_reload(True, NOW)
    return world, metrics


async def test_both_formats_hold_the_same_samples_and_only_openmetrics_ends() -> None:
    world, metrics = everything()
    text = await scrape(world, metrics, Format.TEXT)
    openmetrics = await scrape(world, metrics, Format.OPENMETRICS)
    assert openmetrics.endswith("# EOF\n")
    assert openmetrics.count("# EOF") == 1
    assert "EOF" not in text
    plain = {sample.name for family in parse_text(text) for sample in family.samples}
    assert plain == {name for name, _ in series(openmetrics)}


async def test_every_series_of_the_contract_is_there() -> None:
    world, metrics = everything()
    names = {name for name, _ in series(await scrape(world, metrics))}
    assert names >= {
        "credit_balance",
        "credit_limit",
        "credit_threshold",
        "credit_consumed_total",
        "credit_topped_up_total",
        "credit_refunded_total",
        "credit_expiry_timestamp_seconds",
        "credit_jobs_limit",
        "credit_jobs_running",
        "credit_key_up",
        "credit_key_state",
        "credit_last_success_timestamp_seconds",
        "credit_alert_firing",
        "credit_monitor_build_info",
        "credit_monitor_polls_total",
        "credit_monitor_poll_duration_seconds_bucket",
        "credit_monitor_poll_lag_seconds_bucket",
        "credit_monitor_notifications_total",
        "credit_monitor_notification_delay_seconds_bucket",
        "credit_monitor_outbox_pending",
        "credit_monitor_outbox_oldest_seconds",
        "credit_monitor_config_last_reload_successful",
        "credit_monitor_config_last_reload_success_timestamp_seconds",
        "credit_monitor_store_errors_total",
        "process_cpu_seconds_total",
    }


@pytest.mark.skipif(
    shutil.which("promtool") is None, reason="needs promtool (Debian package prometheus)"
)
async def test_promtool_has_nothing_to_say() -> None:
    world, metrics = everything()
    text = await scrape(world, metrics, Format.TEXT)
    done = await asyncio.to_thread(
        subprocess.run,
        ["promtool", "check", "metrics"],
        input=text.encode(),
        capture_output=True,
        check=False,
    )
    assert (done.stdout, done.stderr, done.returncode) == (b"", b"", 0)


async def test_a_large_scrape_lets_everything_else_run_in_between() -> None:
    world = world_of(*(live_key(reading(), name=f"key-{n}") for n in range(2000)))
    turns = 0

    async def other() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    task = asyncio.create_task(other())
    pieces = [
        piece async for piece in Scrape(Metrics("1"), world, FixedClock()).stream(Format.TEXT)
    ]
    task.cancel()
    assert turns > 100
    assert max(map(len, pieces)) < 500_000


async def test_keys_that_come_and_go_during_a_scrape_do_not_disturb_it() -> None:
    world = world_of(*(live_key(reading(), name=f"key-{n}") for n in range(1000)))
    stream = Scrape(Metrics("1"), world, FixedClock()).stream(Format.OPENMETRICS)
    pieces = []
    async for piece in stream:
        pieces.append(piece)
        world.keys.pop(next(iter(world.keys)), None)
        world.keys[f"new-{len(pieces)}"] = live_key(reading(), name=f"new-{len(pieces)}")
    assert len(series(b"".join(pieces).decode())) > 1000


async def test_scrapes_at_the_same_time_are_each_whole() -> None:
    world, metrics = everything()
    scraper = Scrape(metrics, world, FixedClock())

    async def one() -> str:
        pieces = [piece async for piece in scraper.stream(Format.OPENMETRICS)]
        return b"".join(pieces).decode()

    texts = await asyncio.gather(*(one() for _ in range(5)))
    assert len({len(series(text)) for text in texts}) == 1
