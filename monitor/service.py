"""The daemon as a service: signals in, and what the service manager is told."""

from __future__ import annotations

import asyncio
import errno
import faulthandler
import logging
import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

from monitor.clock import Clock
from monitor.config import ConfigError, Level, Problem
from monitor.daemon import Daemon, ReloadError
from monitor.delivery.heartbeat import Progress, stalls
from monitor.plan import Plan
from monitor.systemd import Manager

log = logging.getLogger(__name__)

PULSE = 5.0
"""Real seconds between two looks at how the parts get on."""

PULSES_PER_WATCHDOG = 3
"""Signs of life within the time in which the manager wants one."""

CALM = 60.0
"""Real seconds without a lack of descriptors after which it is told anew."""

_NOTHING_LEFT = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})


def run(plan: Plan, read_again: Callable[[], Plan]) -> None:
    """Run until SIGTERM or SIGINT; raises what kept it from starting (store, port, channel).

    On SIGHUP it goes on with what *read_again* gives, which may raise :class:`ConfigError`.
    """
    manager = Manager.of(os.environ)
    if manager.watchdog is not None:
        # The watchdog ends a process that is stuck with SIGABRT: the journal then shows where.
        faulthandler.enable()
    asyncio.run(_serve(plan, read_again, manager))


async def _serve(plan: Plan, read_again: Callable[[], Plan], manager: Manager) -> None:
    stop, hangup = asyncio.Event(), asyncio.Event()
    loop = asyncio.get_running_loop()
    for number, event in ((signal.SIGTERM, stop), (signal.SIGINT, stop), (signal.SIGHUP, hangup)):
        loop.add_signal_handler(number, event.set)
    loop.set_exception_handler(LoopTroubles())
    replaced: Path | None = None
    while not stop.is_set():
        async with Daemon(plan, clock=Clock(), replaced=replaced) as daemon:
            herald = Herald(manager, daemon.progress, daemon.summary)
            manager.ready(daemon.summary())
            herald.start()
            reloads = asyncio.create_task(_reload_on(hangup, daemon, read_again, manager))
            await _first_of(stop, daemon.store_is_lost)
            _tell_what_comes(stop, manager)
            reloads.cancel()
            await asyncio.gather(reloads, return_exceptions=True)
            await herald.stop()
        if not stop.is_set():
            plan, replaced = daemon.plan, daemon.set_store_aside()


async def _first_of(*events: asyncio.Event) -> None:
    waits = [asyncio.create_task(event.wait()) for event in events]
    await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
    for wait in waits:
        wait.cancel()
    await asyncio.gather(*waits, return_exceptions=True)


def _tell_what_comes(stop: asyncio.Event, manager: Manager) -> None:
    if stop.is_set():
        log.info("stopping")
        manager.stopping()
    else:
        log.error("the store is corrupt: beginning anew with another one")
        manager.status("beginning anew: the store is corrupt")


async def _reload_on(
    hangup: asyncio.Event, daemon: Daemon, read_again: Callable[[], Plan], manager: Manager
) -> None:
    while True:
        await hangup.wait()
        hangup.clear()
        manager.reloading()
        log.info("reading the configuration again")
        try:
            with daemon.collector.paused():
                # In a thread: ten thousand keys take seconds to check, and polls go on meanwhile.
                await daemon.reload(await asyncio.to_thread(read_again))
        except ConfigError as error:
            daemon.refused([str(problem) for problem in _mistakes(error)])
        except ReloadError as error:
            daemon.refused([str(error)])
        except Exception as error:  # boundary: whatever is wrong with the new, the old one goes on
            log.exception("the configuration cannot be taken up: internal error")
            daemon.refused([f"internal error {type(error).__name__}"])
        manager.ready(daemon.summary())


class LoopTroubles:
    """Takes what the event loop can tell nobody: a lack of descriptors once, not at every try.

    asyncio tries to accept a waiting connection a hundred times a second, each time with a
    traceback: https://github.com/python/cpython/blob/3.11/Lib/asyncio/selector_events.py
    """

    def __init__(self) -> None:
        self._last = float("-inf")

    def __call__(self, loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        """As :meth:`asyncio.loop.set_exception_handler` wants it."""
        error = context.get("exception")
        if isinstance(error, ValueError) and "_start_serving" in repr(context.get("handle")):
            return  # the next try of a listener that was closed in the meantime
        if not isinstance(error, OSError) or error.errno not in _NOTHING_LEFT:
            loop.default_exception_handler(context)
            return
        if loop.time() - self._last > CALM:
            log.error("connections to the page cannot be taken: %s", os.strerror(error.errno))
        self._last = loop.time()


def _mistakes(error: ConfigError) -> list[Problem]:
    """What keeps the configuration from being used; what is only worth a warning is logged."""
    for problem in error.problems:
        if problem.level is Level.WARNING:
            log.warning("%s", problem)
    return [problem for problem in error.problems if problem.level is Level.ERROR]


class Herald:
    """Gives the manager signs of life while all parts get on, and a line of *summary*.

    A loop that stands still gives none, and neither does a part that no longer gets on; the
    manager then starts the process anew.
    """

    def __init__(
        self, manager: Manager, progress: Callable[[], Progress], summary: Callable[[], str]
    ) -> None:
        self._manager = manager
        self._progress = progress
        self._summary = summary
        self._stuck = False
        self._task: asyncio.Task[None] | None = None

    @property
    def pulse(self) -> float:
        """Real seconds between two beats."""
        watchdog = self._manager.watchdog
        return PULSE if watchdog is None else min(PULSE, watchdog / PULSES_PER_WATCHDOG)

    def start(self) -> None:
        """Begin; needs the running event loop."""
        self._task = asyncio.create_task(self._run(), name="herald")

    async def stop(self) -> None:
        """Tell nothing any more."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    def beat(self) -> None:
        """A sign of life and the state in a line, or what is stuck and no sign of life."""
        found = stalls(self._progress())
        if found:
            self._manager.status(f"stuck: {'; '.join(found)}")
        else:
            self._manager.alive()
            self._manager.status(self._summary())
        if found and not self._stuck:
            log.error("stuck: %s", "; ".join(found))
        elif self._stuck and not found:
            log.warning("no longer stuck")
        self._stuck = bool(found)

    async def _run(self) -> None:
        while True:
            try:
                self.beat()
            except Exception:  # boundary: without a sign of life the manager acts, as it should
                log.exception("the state cannot be told: internal error")
            await asyncio.sleep(self.pulse)
