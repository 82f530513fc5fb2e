"""What is done every few seconds beside polling: judging what time alone brings about, taking over
what other processes have written, and dropping what is no longer kept.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import timedelta

from monitor.clock import Clock
from monitor.config.models import Settings
from monitor.core.wording import span
from monitor.metrics import Metrics
from monitor.pipeline import Pipeline
from monitor.recorder import Recorder
from monitor.store.base import StoreError
from monitor.timers import Timers
from monitor.world import World

log = logging.getLogger(__name__)

SWEEP_EVERY = timedelta(seconds=5)
LEARN_EVERY = timedelta(seconds=2)
THIN_EVERY = timedelta(seconds=10)
CLOCK_STEP = timedelta(seconds=30)
"""The wall clock drifting from the monotonic one by more than this between two sweeps was set."""


class Housekeeping:
    """Keeps *world* and store in order; *corrupt* is called while the store is found damaged.

    *settings* gives those in use: a reload changes them.
    """

    def __init__(
        self,
        world: World,
        pipeline: Pipeline,
        recorder: Recorder,
        *,
        metrics: Metrics,
        clock: Clock,
        settings: Callable[[], Settings],
        corrupt: Callable[[], None],
    ) -> None:
        self._world = world
        self._pipeline = pipeline
        self._recorder = recorder
        self._metrics = metrics
        self._clock = clock
        self._settings = settings
        self._corrupt = corrupt
        self._last_sweep = (clock.now(), clock.monotonic())
        self._judged_at = clock.monotonic()
        self._thinning_error = ""

    def begin(self, timers: Timers) -> None:
        """Have *timers* do it from now on, at the pace of the wall, however fast a demo's clock."""
        speed = self._clock.speed
        timers.every("sweep", self._sweep_every(), self.sweep)
        timers.every("learn", LEARN_EVERY * speed, self._learn)
        timers.every("thin", THIN_EVERY * speed, self._thin)

    def behind(self) -> float:
        """Real seconds by which judging is late."""
        unjudged = self._clock.monotonic() - self._judged_at
        return max(0.0, self._clock.real(unjudged - self._sweep_every().total_seconds()))

    async def sweep(self) -> None:
        """Judge what time alone brings about, the state of the store included."""
        now, steady = self._clock.now(), self._clock.monotonic()
        before, steady_before = self._last_sweep
        step = (now - before) - timedelta(seconds=steady - steady_before)
        self._last_sweep = (now, steady)
        if abs(step) > CLOCK_STEP:
            way = "forward" if step > timedelta(0) else "back"
            log.warning("the wall clock was set %s by %s", way, span(abs(step)))
            self._recorder.add(self._pipeline.clock_stepped(step, now))
        self._recorder.add(self._pipeline.sweep(now))
        recorder, late = self._recorder, timedelta(seconds=self._recorder.behind())
        found, lasting = recorder.corruption or recorder.error, bool(recorder.corruption)
        recorder.add(self._pipeline.store.sweep(found, late, now, lasting=lasting))
        if lasting:
            self._corrupt()
        self._judged_at = self._clock.monotonic()

    def _sweep_every(self) -> timedelta:
        return max(SWEEP_EVERY, timedelta(seconds=0.25 * self._clock.speed))

    async def _learn(self) -> None:
        """Take over the silences and acknowledgements that other processes have written."""
        now, alerts = self._clock.now(), [alert.id for alert in self._world.alerts.values()]
        try:
            silences, acks = await self._recorder.call(
                lambda store: (store.silences(active_at=now), store.acks(alerts))
            )
        except StoreError:
            return  # counted and told by the recorder, which meets the same trouble
        self._world.silences = tuple(silences)
        self._world.acks = {ack.alert_id: ack for ack in acks}

    async def _thin(self) -> None:
        """Drop what retention no longer keeps, piece by piece, so that writing never waits long."""
        retention = self._settings().retention.kept
        now, total = self._clock.now(), 0
        try:
            while dropped := await self._recorder.call(lambda store: store.thin(now, retention)):
                total += dropped
        except StoreError as error:
            self._metrics.store_error()
            if str(error) != self._thinning_error:
                log.error("thinning the store failed: %s", error)
            self._thinning_error = str(error)
            return
        self._thinning_error = ""
        log.debug("thinned the store by %d samples", total)
