"""The composition root: builds every part, starts them in order, stops them in reverse."""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Self

from monitor import __version__
from monitor.announcer import Announcer
from monitor.clock import Clock
from monitor.config.channels import ChannelSettings
from monitor.config.models import CorruptStore, Settings, Web
from monitor.configured import Configured
from monitor.core.model import Observation
from monitor.core.renewals import Renewal
from monitor.core.wording import count
from monitor.delivery.address import heartbeat_address
from monitor.delivery.heartbeat import Heartbeat, Progress
from monitor.dispatch import Dispatch, Surroundings, channels_of, policy_of, routes_of
from monitor.housekeeping import Housekeeping
from monitor.limits import Limit
from monitor.memory import Collector
from monitor.metrics import Metrics
from monitor.pipeline import Pipeline
from monitor.plan import Plan
from monitor.poller import Poller
from monitor.providers.exchange import is_loopback
from monitor.providers.http import HttpClient
from monitor.recorder import Recorder
from monitor.renewer import Renewer, RenewerContext
from monitor.reporter import Reporter, ReportPlan
from monitor.store import open_or_replace, open_store, set_aside
from monitor.store.base import Changes, Snapshot, Store, StoreError
from monitor.timers import Timers
from monitor.web import Certificate, Entry, WebContext, WebServer
from monitor.world import LiveKey, World, adopt, restore, succession

log = logging.getLogger(__name__)

ADOPT_EVERY = timedelta(seconds=10)
REPORT_EVERY = timedelta(seconds=1)
JUDGED_AT_ONCE = 50
"""Keys judged anew in one step of the loop: 10 ms if each of them raises an alert."""

SCHEDULE_LAG = 10.0
"""Real seconds of lag after which the daemon no longer calls itself ready."""


FIXED = ("store", "web", "http")
"""What of the settings a running daemon cannot change."""


class ReloadError(Exception):
    """A configuration that holds, and that a running daemon cannot go over to; in words."""


class Daemon:
    """Everything that runs; use it as ``async with Daemon(plan, clock=Clock()) as daemon``."""

    def __init__(self, plan: Plan, *, clock: Clock, replaced: Path | None = None) -> None:
        """*replaced* is where a corrupt store was put that this process has met before."""
        self.plan = plan
        self._replaced = replaced
        self.store_is_lost = asyncio.Event()
        """Set when the store was found corrupt and the configuration wants a new one."""
        self.settings = plan.settings
        self.clock = clock
        self.metrics = Metrics(__version__)
        self._rng = random.Random()  # noqa: S311 - jitter
        self._stack = AsyncExitStack()
        self.collector = Collector()
        self._heartbeat: Heartbeat | None = None
        self.world: World
        self.web: WebServer | None = None

    async def __aenter__(self) -> Self:
        """Start everything; on an error what was started is stopped again."""
        try:
            await self._start()
        except BaseException:
            await self._stack.aclose()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        """Stop everything within ten seconds; nothing decided is lost."""
        await self._stack.aclose()
        log.info("stopped")

    def set_store_aside(self) -> Path:
        """Put the corrupt store out of the way once this daemon has stopped; returns where it is.

        Raises :class:`~monitor.store.base.StoreError`.
        """
        return set_aside(self.settings.store.get_secret_value())

    # -- start ------------------------------------------------------------------------------

    async def _start(self) -> None:
        settings, now = self.settings, self.clock.now()
        channels = self._channels = channels_of(settings)
        store, found_corrupt = _opened(settings)
        corrupt = found_corrupt or self._replaced
        self._store = store
        self._stack.callback(store.close)
        snapshot = store.load()
        self.world = restore(self.plan.watched, snapshot)
        self._http = HttpClient(ca_file=settings.http.ca_file)
        self._on_stop("connections", self._http.aclose)
        self._start_recording(store)
        self._configured = Configured(self.metrics, self._recorder, datetime.now(UTC))
        self._announcer = Announcer(self.world, routes_of(channels), policy_of(settings), snapshot)
        self._start_delivery(channels, snapshot)
        self._pipeline = Pipeline(self.world, self._announcer, now)
        self._recorder.add(self._pipeline.start(now))
        self._housekeeping = self._make_housekeeping()
        if corrupt is not None:
            log.error("the store was corrupt: it is now %s, and a new one is begun", corrupt)
            self._recorder.add(self._pipeline.store.replaced(str(corrupt), now))
        self._in_use(datetime.now(UTC))
        self._reporter = self._make_reporter()
        await self._start_web(store)
        self._dispatch.start_mirrors(snapshot)
        self._renewer = self._make_renewer()
        self.collector.tidy_up()
        await self._start_polling()
        self.collector.set_aside(again_after=self._first_round())
        self._stack.callback(self.collector.release)
        self._start_heartbeat()
        self._on_stop("heartbeat", self._stop_heartbeat)
        self._log_what_is_watched()

    def _start_recording(self, store: Store) -> None:
        self._recorder = Recorder(
            store, released=self._release, failed=self.metrics.store_error, clock=self.clock
        )
        self._recorder.start()
        self._on_stop("recorder", lambda: self._recorder.stop(3.0))

    def _start_delivery(self, channels: Sequence[ChannelSettings], snapshot: Snapshot) -> None:
        around = Surroundings(
            world=self.world,
            announcer=self._announcer,
            recorder=self._recorder,
            http=self._http,
            metrics=self.metrics,
            clock=self.clock,
            rng=self._rng,
            page=self._page,
        )
        self._dispatch = Dispatch(self.settings, around)
        self._dispatch.start(self._dispatch.prepare(self.settings, channels), snapshot)
        self.metrics.watch_outbox(self._dispatch.undelivered)
        self._on_stop("delivery", self._dispatch.stop)

    def _make_housekeeping(self) -> Housekeeping:
        return Housekeeping(
            self.world,
            self._pipeline,
            self._recorder,
            metrics=self.metrics,
            clock=self.clock,
            settings=lambda: self.settings,
            corrupt=self._store_is_corrupt,
        )

    def _make_reporter(self) -> Reporter | None:
        wanted = self.settings.notify.report
        if wanted is None:
            return None
        return Reporter(
            ReportPlan(
                every=wanted.every,
                at=wanted.send_time,
                zone=self.settings.notify.zone,
                watched=self.plan.watched,
                recipients=[c for c in self._channels if self.settings.sends_report(c)],
            ),
            store=self._store,
            enqueue=self._announcer.enqueue_message,
            record=self._recorder.add,
        )

    def _make_renewer(self) -> Renewer:
        context = RenewerContext(
            world=self.world,
            http=self._http,
            record=self._renewal,
            written=self._written,
            renewed=self._renewed,
            clock=self.clock,
        )
        renewer = Renewer(self.plan.renewing, context)
        self._on_stop("renewals", renewer.stop)
        return renewer

    def _start_heartbeat(self) -> None:
        wanted = self.settings.heartbeat
        if wanted is None:
            return
        self._heartbeat = Heartbeat(
            heartbeat_address(wanted.url.get_secret_value()),
            wanted.every,
            http=self._http,
            progress=self.progress,
            listener=self.metrics,
            clock=self.clock,
        )
        self._heartbeat.start()

    async def _stop_heartbeat(self) -> None:
        if self._heartbeat is not None:
            await self._heartbeat.stop()
            self._heartbeat = None

    async def _start_web(self, store: Store) -> None:
        if self.settings.web is None:
            return
        context = WebContext(
            store=store,
            world=self.world,
            metrics=self.metrics,
            clock=self.clock,
            health=self.problems,
            configuration=lambda: self._configured.record,
            version=__version__,
        )
        wanted = self.settings.web
        server = WebServer(context, wanted.host, wanted.port, _entry(wanted))
        await server.start()
        self.web = server
        log.info("page and metrics at %s", server.url)
        self._on_stop("web", server.stop)

    async def _start_polling(self) -> None:
        self._on_stop("last times", self._finish)
        timers = self._timers = Timers(
            self.clock, failed=lambda name: log.error("job %s failed", name)
        )
        self._poller = Poller(
            self.plan.jobs,
            http=self._http,
            observe=self._observe,
            listener=self.metrics,
            limits=self._limit,
            clock=self.clock,
            timers=timers,
            random=self._rng,
        )
        self._on_stop("timers", lambda: timers.stop(0.5))
        self._on_stop("polls", lambda: self._poller.stop(2.0))
        self._housekeeping.begin(timers)
        speed = self.clock.speed
        timers.every("adopt", ADOPT_EVERY * speed, self._dispatch.adopt)
        timers.every("report", REPORT_EVERY * speed, self._report)
        timers.start()
        await self._poller.start()

    def _first_round(self) -> float:
        """Real seconds until every key was polled once."""
        longest = max((job.interval for job in self.plan.jobs), default=timedelta(0))
        return self.clock.real(longest.total_seconds())

    def _limit(self, group: str, provider: str) -> Limit:
        limit = self.settings.limit(provider, group)
        return Limit(rate=limit.rate, concurrency=limit.concurrency)

    def _on_stop(self, name: str, stop: Callable[[], Awaitable[object]]) -> None:
        """Register one step of the shutdown: a step that fails does not keep the others back."""

        async def step() -> None:
            try:
                await stop()
            except Exception:  # boundary: whatever one part does, the others have to stop
                log.exception("stopping %s failed", name)

        self._stack.push_async_callback(step)

    # -- reload -----------------------------------------------------------------------------

    async def reload(self, plan: Plan) -> None:
        """Go on with *plan*: what stays in it is not disturbed.

        Everything new is built first.  Raises :class:`ReloadError`, with nothing changed, where
        *plan* asks for something that only a start can bring.
        """
        _refuse_what_needs_a_start(self.settings, plan.settings)
        channels = channels_of(plan.settings)
        try:
            line = self._dispatch.prepare(plan.settings, channels)
        except ValueError as error:
            raise ReloadError(str(error)) from None
        snapshot = await self._recorded_of_new_keys(plan)
        after = await asyncio.to_thread(succession, self.world, plan.watched, snapshot)
        # No await from here on until all has changed: no poll ends in between.
        now, heartbeat = self.clock.now(), self.settings.heartbeat
        self.plan, self.settings, self._channels = plan, plan.settings, channels
        adopt(self.world, after, now)
        self._announcer.reconfigure(routes_of(channels), policy_of(plan.settings))
        self._dispatch.apply(line)
        self._recorder.add(self._pipeline.reconfigure(after, now))
        self._poller.replace_jobs(plan.jobs)
        self._renewer.replace(plan.renewing)
        self._reporter = self._make_reporter()
        if heartbeat != self.settings.heartbeat:
            await self._stop_heartbeat()
            self._start_heartbeat()
        await self._judge_again(after.rejudged)
        await self._dispatch.retire()
        self._in_use(datetime.now(UTC))
        self.collector.set_aside(again_after=self._first_round())
        self._log_what_is_watched()

    async def _judge_again(self, keys: Sequence[LiveKey]) -> None:
        """Judge *keys* by their new rules, some at a time: polls begin and end in between."""
        for start in range(0, len(keys), JUDGED_AT_ONCE):
            some = keys[start : start + JUDGED_AT_ONCE]
            self._recorder.add(self._pipeline.judge_again(some, self.clock.now()))
            await asyncio.sleep(0)

    def refused(self, problems: Sequence[str]) -> None:
        """A new configuration has *problems* (free of secrets); the one in use goes on."""
        self._configured.refused(problems, datetime.now(UTC))

    def _in_use(self, now: datetime) -> None:
        """The configuration that was read last is in use."""
        providers = {key.provider for key in self.plan.watched}
        self._configured.in_use(providers, {channel.name for channel in self._channels}, now)

    async def _recorded_of_new_keys(self, plan: Plan) -> Snapshot:
        """What the store knows of keys that come, or come back; empty if there are none."""
        known = {(k.watched.name, k.watched.provider) for k in self.world.keys.values()}
        if all((key.name, key.provider) in known for key in plan.watched):
            return Snapshot()
        await self._recorder.settled()
        try:
            return await self._recorder.call(lambda store: store.load())
        except StoreError as error:
            log.warning("new keys begin without what is recorded of them: %s", error)
            return Snapshot()

    def _log_what_is_watched(self) -> None:
        told = ", ".join(channel.name for channel in self._channels)
        log.info("watching %s, telling %s", count(len(self.plan.jobs), "key"), told)

    # -- flow -------------------------------------------------------------------------------

    def _observe(self, observation: Observation) -> None:
        self._recorder.add(self._pipeline.observe(observation))
        self._renewer.consider(observation)

    def _renewal(self, renewal: Renewal) -> None:
        self._recorder.add(self._pipeline.renewal(renewal))

    def _renewed(self, key: str) -> None:
        """Its accounts can be read again: whoever is told of the trouble hears so soon."""
        self._poller.poll_soon(key)

    async def _written(self) -> bool:
        """Whether all that was decided so far is in the store."""
        await self._recorder.settled()
        return not self._recorder.error

    def _release(self, changes: Changes) -> None:
        self._dispatch.released(changes)

    def _store_is_corrupt(self) -> None:
        wants_another = self.settings.corrupt_store is CorruptStore.REPLACE
        # Damage that comes back at once is the disk's, and a third file would not help.
        if wants_another and self._replaced is None:
            self.store_is_lost.set()

    async def _report(self) -> None:
        if self._reporter is not None:
            await self._reporter.check(self.clock.now())

    async def _finish(self) -> None:
        self._recorder.add(self._pipeline.finish())

    def _page(self) -> str:
        """Where others reach the page; empty where nobody outside this host does."""
        if self.web is None or self.settings.web is None:
            return ""
        host = self.settings.web.host
        return "" if is_loopback(host) or host in ("0.0.0.0", "::") else self.web.url  # noqa: S104 - compared, not bound

    def summary(self) -> str:
        """How things stand, in a line: keys, open alerts, what is not delivered yet."""
        keys = self.world.keys.values()
        unread = sum(live.state.reason is not None for live in keys)
        failing = f" ({unread} without a reading)" if unread else ""
        refused = ", new configuration refused" if self._configured.record.refused_at else ""
        waiting = sum(number for number, _ in self._dispatch.undelivered().values())
        return (
            f"{count(len(keys), 'key')}{failing}, {count(len(self.world.alerts), 'open alert')},"
            f" {count(waiting, 'notification')} undelivered{refused}"
        )

    def progress(self) -> Progress:
        """How far each part is behind."""
        return Progress(
            schedule_lag=self._poller.lag(),
            polls_stalled=self._poller.stalled(),
            longest_poll=self._poller.longest_poll,
            evaluation_behind=self._housekeeping.behind(),
            store_behind=self._recorder.behind(),
            store_error=self._recorder.error,
            channels_behind=self._dispatch.lag(),
            longest_send=self.settings.notify.timeout.total_seconds(),
        )

    def problems(self) -> list[str]:
        """What keeps this process from doing its work; empty when it is ready."""
        found = []
        failure = self._recorder.error or self._recorder.corruption
        if failure:
            found.append(f"the store fails: {failure}")
        if self._poller.lag() > SCHEDULE_LAG:
            found.append(f"polls are {self._poller.lag():.0f} s behind their schedule")
        return found


def _refuse_what_needs_a_start(old: Settings, new: Settings) -> None:
    changed = [name for name in FIXED if getattr(old, name) != getattr(new, name)]
    if changed:
        verb = "is" if len(changed) == 1 else "are"
        raise ReloadError(f"{' and '.join(changed)} {verb} taken up by a restart only")


def _opened(settings: Settings) -> tuple[Store, Path | None]:
    """The store, and where a corrupt one was put if the configuration says so."""
    url = settings.store.get_secret_value()
    if settings.corrupt_store is CorruptStore.REPLACE:
        return open_or_replace(url)
    return open_store(url, lock=True), None


def _entry(web: Web) -> Entry:
    """Who is let in; raises :class:`~monitor.providers.certificates.CertificatesError`."""
    return Entry(
        hosts=web.hosts,
        users={name: password.get_secret_value() for name, password in web.users.items()},
        certificate=Certificate(web.tls.certificate, web.tls.key) if web.tls else None,
    )
