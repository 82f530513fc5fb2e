"""``credit-monitor demo``: the real daemon on scripted accounts, with time sped up.

Nothing here is a second pipeline: a simulated provider answers over HTTP on loopback, and the same
daemon polls it, records, alerts and serves its page.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import signal
import tempfile
import textwrap
from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

from monitor import log
from monitor.clock import Clock
from monitor.config.models import Settings
from monitor.core import wording
from monitor.daemon import Daemon
from monitor.plan import Plan
from monitor.providers.simulator import Account, Mode, SimulatedServer
from monitor.web import WebServerError
from monitor.world import World

STATUS_SECONDS = 5.0
"""Real seconds between two lines that show the balances."""

WIDTH = 79
"""Longest line the demo itself prints, for a terminal of 80 columns."""

INTRODUCTION = """\
credit-monitor watches the prepaid credit behind API keys and tells people
before it runs out.  Here it is at work on six simulated keys; one second here
is {pace} there:

  studio     drains, runs out, and is topped up when somebody reacts
  batch-a/b  two keys of one account, draining: one alert for both
  archive    idle: nothing to tell
  ci         its key is revoked after a while, and replaced later
  flaky      its provider fails now and then: a failed poll is "unknown", not 0

  page       {page}
  metrics    {page}metrics
  records    {store}

Below: a line of balances every few seconds, what happens to the keys (>>),
and every alert as it is sent to Slack, Telegram or mail.  Ctrl-C ends it.
"""

FAREWELL = """
The demo is over.  With a real key:
  KIE_API_KEY=... credit-monitor check     how much is left now
  KIE_API_KEY=... credit-monitor run       the daemon, with page and alerts
  credit-monitor config init               a configuration to fill in"""


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
    _log_in_lines(clock)
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
    _say(FAREWELL)


async def _start(
    stack: contextlib.AsyncExitStack, url: str, clock: Clock, port: int, folder: Path
) -> Daemon:
    """The daemon with its page on *port*, or on any free one when that is in use."""
    try:
        return await stack.enter_async_context(
            Daemon(Plan.of(_settings(url, port, folder)), clock=clock)
        )
    except WebServerError:
        if port == 0:
            raise
        _say(f"Port {port} cannot be used, so the page gets another one.\n")
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
            failure_share=0.15,
        ),
    ]


async def _direct(provider: SimulatedServer, clock: Clock) -> None:
    """The script: what people and providers do while the demo runs, in minutes of its clock."""
    studio, ci = provider.accounts["sk-demo-studio"], provider.accounts["sk-demo-ci"]
    batch = provider.accounts["sk-demo-batch-a"]
    while True:
        await clock.sleep(18 * 60)
        _tell(clock, "the key of ci is revoked at the provider")
        ci.mode = Mode.REVOKED
        await clock.sleep(10 * 60)
        _pay_in(studio, clock, "studio", Decimal(1000))
        await clock.sleep(7 * 60)
        _tell(clock, "the key of ci is valid again")
        ci.mode = Mode.OK
        await clock.sleep(15 * 60)
        _pay_in(batch, clock, "account batch", Decimal(6000))
        await clock.sleep(10 * 60)


def _pay_in(account: Account, clock: Clock, name: str, amount: Decimal) -> None:
    _tell(clock, f"somebody pays {amount:,} into {name}")
    account.advance(clock.now())
    account.balance += amount


async def _show(daemon: Daemon) -> None:
    """One line with all balances every few seconds: the daemon is alive and polls."""
    while True:
        await asyncio.sleep(STATUS_SECONDS)
        _say(f"{daemon.clock.now():%H:%M}  {'  '.join(_balances(daemon.world))}")


def _balances(world: World) -> list[str]:
    """What each account holds; nothing about a key that has not been polled yet."""
    parts = {}
    for live in world.keys.values():
        balance = next((m.reading.balance for m in live.meters.values()), None)
        if live.state.reason is not None:
            shown = "unknown"
        elif balance is not None:
            shown = wording.amount(balance)
        else:
            continue
        parts[live.watched.account or live.watched.name] = shown
    return [f"{name} {shown}" for name, shown in parts.items()]


def _introduction(daemon: Daemon, speed: float, folder: Path) -> str:
    if daemon.web is None:
        raise ValueError("the demo's configuration has a page")
    page = daemon.web.url
    pace = wording.span(timedelta(seconds=speed))
    return INTRODUCTION.format(pace=pace, page=page, store=folder)


def _tell(clock: Clock, what: str) -> None:
    """Say what happens outside of the daemon."""
    _say(f"{clock.now():%H:%M}  >> {what}")


class _Line(logging.Formatter):
    """The daemon's own log on one line of the terminal each, with the time of the demo."""

    def __init__(self, clock: Clock) -> None:
        super().__init__()
        self._clock = clock

    def format(self, record: logging.LogRecord) -> str:
        """The record's sentence and the key it is about, cut where the terminal ends."""
        time = f"{self._clock.now():%H:%M}  "
        key = log.extras(record).get("key")
        about = f"{key}: " if key else ""
        return time + textwrap.shorten(f"log: {about}{record.getMessage()}", WIDTH - len(time))


def _log_in_lines(clock: Clock) -> None:
    handler = logging.StreamHandler()
    handler.setFormatter(_Line(clock))
    logging.basicConfig(handlers=[handler], level=logging.WARNING, force=True)


def _say(text: str) -> None:
    print(text, flush=True)  # noqa: T201 - the demo talks to a person
