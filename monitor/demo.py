"""``credit-monitor demo``: the real daemon on scripted accounts, with time sped up.

Nothing here is a second pipeline: a simulated provider answers over HTTP on loopback, and the same
daemon polls it, records, alerts and serves its page.
"""

from __future__ import annotations

import asyncio
import contextlib
import signal
import tempfile
from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

from monitor.clock import Clock
from monitor.config.models import Settings
from monitor.core.fields import format_duration
from monitor.daemon import Daemon
from monitor.plan import Plan
from monitor.providers.simulator import Account, Mode, SimulatedServer
from monitor.web import WebServerError

STATUS_SECONDS = 5.0
"""Real seconds between two lines that show the balances."""

INTRODUCTION = """\
credit-monitor demo: six simulated keys, no account needed.  One second here is {pace} there.

  studio     drains, runs out, and is topped up when somebody reacts
  batch-a/b  two keys of one account, draining: one alert for both
  archive    idle
  ci         its key is revoked after a while, and replaced later
  flaky      its provider fails now and then: failed polls raise no balance alert

  page       {page}
  metrics    {page}metrics
  records    {store}

Alerts are printed below as they would be sent to Slack, mail or Telegram.  Ctrl-C ends it.
"""


def run(*, speed: float, duration: float | None, port: int, keep: bool) -> int:
    """Run the demo for *duration* real seconds (None: until Ctrl-C); returns the exit code.

    *speed* is how many times faster than the wall time goes; *port* is that of the page (another
    free one is taken when it is in use); *keep* leaves the records on disk.
    """
    with _records(keep=keep) as folder:
        asyncio.run(_demo(speed, duration, port, folder))
    if keep:
        print(f"The records are in {folder}")  # noqa: T201 - the demo talks to a person
    return 0


@contextlib.contextmanager
def _records(*, keep: bool) -> Iterator[Path]:
    if keep:
        yield Path(tempfile.mkdtemp(prefix="credit-monitor-demo-"))
        return
    with tempfile.TemporaryDirectory(prefix="credit-monitor-demo-") as folder:
        yield Path(folder)


async def _demo(speed: float, duration: float | None, port: int, folder: Path) -> None:
    clock = Clock(speed)
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    async with contextlib.AsyncExitStack() as stack:
        provider = await stack.enter_async_context(SimulatedServer(_accounts(), clock=clock))
        # Two keys of one account see the same balance.
        provider.accounts["sk-demo-batch-b"] = provider.accounts["sk-demo-batch-a"]
        daemon = await _start(stack, provider.url, clock, port, folder)
        _say(_introduction(daemon, speed, folder))
        acts = [asyncio.create_task(_direct(provider, clock)), asyncio.create_task(_show(daemon))]
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(duration):
                await stop.wait()
        for act in acts:
            act.cancel()
        await asyncio.gather(*acts, return_exceptions=True)
    _say("\nThe demo is over.  With a real key:  KIE_API_KEY=... credit-monitor run")


async def _start(
    stack: contextlib.AsyncExitStack, url: str, clock: Clock, port: int, folder: Path
) -> Daemon:
    """The daemon with its page on *port*, or on any free one when that is in use."""
    try:
        return await stack.enter_async_context(
            Daemon(Plan.of(_settings(url, port, folder)), clock=clock)
        )
    except WebServerError as error:
        if port == 0:
            raise
        _say(f"{error}\nThe demo takes another port.\n")
    return await stack.enter_async_context(Daemon(Plan.of(_settings(url, 0, folder)), clock=clock))


def _settings(url: str, port: int, folder: Path) -> Settings:
    """What a configuration file would say."""

    def key(name: str, **more: Any) -> dict[str, Any]:
        token = f"sk-demo-{name}"
        return {"name": name, "provider": "simulated", "url": url, "key": token} | more

    limits = {"low_balance": {"warning": 200, "critical": 50}}
    return Settings.model_validate(
        {
            "keys": [
                key("studio", interval="1m", rules=limits),
                key("batch-a", interval="1m", account="batch"),
                key("batch-b", interval="1m", account="batch"),
                key("archive", interval="5m"),
                key("ci", interval="1m"),
                key("flaky", interval="1m"),
            ],
            "channels": [{"name": "terminal", "url": "console:"}],
            "store": f"sqlite:///{folder}/demo.db",
            "web": {"listen": f"127.0.0.1:{port}"},
        }
    )


def _accounts() -> list[Account]:
    """Balances and burn rates: with a minute in a second, something happens every few seconds."""
    return [
        Account(
            token="sk-demo-studio",  # noqa: S106 - an account of the simulator
            balance=Decimal(400),
            per_hour=Decimal(1500),
            charge=Decimal("2.5"),
        ),
        Account(
            token="sk-demo-batch-a",  # noqa: S106 - as above
            balance=Decimal(6000),
            per_hour=Decimal(9600),
            charge=Decimal("2.5"),
        ),
        Account(token="sk-demo-archive", balance=Decimal("812.5")),  # noqa: S106 - as above
        Account(token="sk-demo-ci", balance=Decimal(3000), per_hour=Decimal(60)),  # noqa: S106 - as above
        Account(
            token="sk-demo-flaky",  # noqa: S106 - as above
            balance=Decimal(2500),
            per_hour=Decimal(30),
            failure_share=0.3,
        ),
    ]


async def _direct(provider: SimulatedServer, clock: Clock) -> None:
    """The script: what people and providers do while the demo runs, in minutes of its clock."""
    studio, ci = provider.accounts["sk-demo-studio"], provider.accounts["sk-demo-ci"]
    while True:
        await clock.sleep(18 * 60)
        ci.mode = Mode.REVOKED
        await clock.sleep(10 * 60)
        _pay_in(studio, clock, Decimal(1000))
        await clock.sleep(7 * 60)
        ci.mode = Mode.OK
        await clock.sleep(15 * 60)
        _pay_in(provider.accounts["sk-demo-batch-a"], clock, Decimal(6000))
        await clock.sleep(10 * 60)


def _pay_in(account: Account, clock: Clock, amount: Decimal) -> None:
    account.advance(clock.now())
    account.balance += amount


async def _show(daemon: Daemon) -> None:
    """One line with all balances every few seconds: the daemon is alive and polls."""
    while True:
        await asyncio.sleep(STATUS_SECONDS)
        parts = []
        for name, live in daemon.world.keys.items():
            balance = next((m.reading.balance for m in live.meters.values()), None)
            if live.state.reason is not None:
                parts.append(f"{name} {live.state.reason}")
            elif balance is not None:
                parts.append(f"{name} {balance:,}")
        _say(f"{daemon.clock.now():%H:%M}  " + "  ".join(parts))


def _introduction(daemon: Daemon, speed: float, folder: Path) -> str:
    if daemon.web is None:
        raise ValueError("the demo's configuration has a page")
    page = daemon.web.url
    pace = format_duration(timedelta(seconds=speed))
    return INTRODUCTION.format(pace=pace, page=page, store=folder)


def _say(text: str) -> None:
    print(text, flush=True)  # noqa: T201 - the demo talks to a person
