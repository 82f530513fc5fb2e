"""The composition root: builds every part, starts them in order, stops them in reverse."""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Awaitable, Callable, Iterable, Sequence
from contextlib import AsyncExitStack
from dataclasses import replace
from datetime import UTC, datetime, timedelta, tzinfo
from functools import partial
from pathlib import Path
from typing import Self

from monitor import __version__
from monitor.announcer import Announcer, TellingPolicy
from monitor.clock import Clock
from monitor.config.channels import ChannelSettings
from monitor.config.models import CorruptStore, Settings, Web
from monitor.core.messages import Lateness, Message, compose, recall
from monitor.core.model import Alert, Event, Notification, NotificationState, Observation
from monitor.core.renewals import Renewal
from monitor.core.wording import count, span
from monitor.delivery.address import alertmanager_address, heartbeat_address
from monitor.delivery.context import OutboxContext, OutboxPolicy
from monitor.delivery.heartbeat import Heartbeat, Progress
from monitor.delivery.mirror import AlertmanagerMirror, MirrorContext
from monitor.delivery.outbox import Outbox
from monitor.delivery.senders import make_sender
from monitor.illustrations import read_charts, sketches
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
from monitor.store import open_or_replace, open_store
from monitor.store.base import Changes, Snapshot, Store, StoreError
from monitor.timers import Timers
from monitor.web import Certificate, Entry, WebContext, WebServer
from monitor.world import World, restore

log = logging.getLogger(__name__)

SWEEP_EVERY = timedelta(seconds=5)
LEARN_EVERY = timedelta(seconds=2)
ADOPT_EVERY = timedelta(seconds=10)
THIN_EVERY = timedelta(seconds=10)
REPORT_EVERY = timedelta(seconds=1)
CLOCK_STEP = timedelta(seconds=30)
"""The wall clock drifting from the monotonic one by more than this between two sweeps was set."""

CHART_SECONDS = 5.0
"""Real seconds that a message waits for what its charts show."""

SCHEDULE_LAG = 10.0
"""Real seconds of lag after which the daemon no longer calls itself ready."""


class Daemon:
    """Everything that runs; use it as ``async with Daemon(plan, clock=Clock()) as daemon``."""

    def __init__(self, plan: Plan, *, clock: Clock) -> None:
        self.plan = plan
        self.settings = plan.settings
        self.clock = clock
        self.metrics = Metrics(__version__)
        self._rng = random.Random()  # noqa: S311 - jitter
        self._stack = AsyncExitStack()
        self._last_sweep = (clock.now(), clock.monotonic())
        self._judged_at = clock.monotonic()
        self._mirrors: list[AlertmanagerMirror] = []
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

    # -- start ------------------------------------------------------------------------------

    async def _start(self) -> None:
        settings, now = self.settings, self.clock.now()
        channels = _channels(settings)
        store, corrupt = _opened(settings)
        self._stack.callback(store.close)
        snapshot = store.load()
        self.world = restore(self.plan.watched, snapshot)
        self._http = HttpClient(ca_file=settings.http.ca_file)
        self._on_stop("connections", self._http.aclose)
        self._start_recording(store)
        self._start_delivery(channels, snapshot)
        announcer = self._announcer = Announcer(
            self.world,
            [c for c in channels if not c.alertmanager],
            _telling(settings),
            snapshot,
        )
        self._pipeline = Pipeline(self.world, announcer, now)
        self._recorder.add(self._pipeline.start(now))
        if corrupt is not None:
            log.error("the store was corrupt: it is now %s, and a new one is begun", corrupt)
            self._recorder.add(self._pipeline.store.replaced(str(corrupt), now))
        providers = sorted({key.provider for key in self.plan.watched})
        self.metrics.preset(providers, [c.name for c in channels])
        self.metrics.config_reload(True, datetime.now(UTC))
        self._reporter = self._make_reporter(store, channels)
        await self._start_web(store)
        self._start_mirrors(channels, snapshot)
        self._renewer = self._make_renewer()
        collector = Collector()
        collector.tidy_up()
        await self._start_polling()
        collector.set_aside(again_after=self._first_round())
        self._stack.callback(collector.release)
        self._start_heartbeat()
        told = ", ".join(c.name for c in channels)
        log.info("watching %d keys, telling %s", len(self.plan.jobs), told)

    def _start_recording(self, store: Store) -> None:
        self._recorder = Recorder(
            store, released=self._released, failed=self.metrics.store_error, clock=self.clock
        )
        self._recorder.start()
        self._on_stop("recorder", lambda: self._recorder.stop(3.0))

    def _start_delivery(self, channels: Sequence[ChannelSettings], snapshot: Snapshot) -> None:
        timeout = self.settings.notify.timeout
        senders = {
            c.name: make_sender(
                c.messages_to, name=c.name, timeout=timeout.total_seconds(), words=c.words
            )
            for c in channels
            if not c.alertmanager
        }
        context = OutboxContext(
            compose=partial(_compose, timezone=self.settings.notify.zone),
            hand_over=self._hand_over,
            recall=partial(_recall, timezone=self.settings.notify.zone),
            settle=self._settle,
            record=self._recorder.add,
            listener=self.metrics,
            policy=OutboxPolicy(
                timeout=timeout,
                group_wait=self.settings.notify.group_wait,
                give_up_after=self.settings.notify.give_up_after,
                fallback_after=self.settings.notify.fallback_after,
                fallbacks={c.name: c.fallback for c in channels if c.fallback},
                limits={c.name: c.limit for c in channels if c.limit},
            ),
            clock=self.clock,
            rng=self._rng,
            illustrate=self._illustrate if self.settings.notify.charts else None,
        )
        mirrors = [c.name for c in channels if c.alertmanager]
        self._outbox = Outbox(senders, context, elsewhere=mirrors)
        self._outbox.accept(snapshot.notifications, snapshot.events)
        self._outbox.start()
        self.metrics.watch_outbox(self._undelivered)
        self._on_stop("delivery", lambda: self._outbox.stop(2.5))

    def _make_reporter(self, store: Store, channels: Sequence[ChannelSettings]) -> Reporter | None:
        wanted = self.settings.notify.report
        if wanted is None:
            return None
        return Reporter(
            ReportPlan(
                every=wanted.every,
                at=wanted.send_time,
                zone=self.settings.notify.zone,
                watched=self.plan.watched,
                recipients=[c for c in channels if self.settings.sends_report(c)],
            ),
            store=store,
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

    def _start_mirrors(self, channels: Sequence[ChannelSettings], snapshot: Snapshot) -> None:
        for channel in channels:
            if not channel.alertmanager:
                continue
            context = MirrorContext(
                current=partial(self._open_alerts, channel),
                http=self._http,
                listener=self.metrics,
                clock=self.clock,
                timeout=self.settings.notify.timeout.total_seconds(),
                rng=self._rng,
                enqueue=self._announcer.enqueue_message,
                record=self._recorder.add,
                page=self._page(),
            )
            addresses = [alertmanager_address(u.get_secret_value()) for u in channel.alertmanager]
            troubles = [n for n in snapshot.notifications if n.channel == channel.name]
            mirror = AlertmanagerMirror(channel.name, addresses, context)
            mirror.inherit(troubles)
            mirror.start()
            self._mirrors.append(mirror)
            self._on_stop(f"channel {channel.name}", partial(mirror.stop, 2.5))

    def _start_heartbeat(self) -> None:
        wanted = self.settings.heartbeat
        if wanted is None:
            return
        heartbeat = Heartbeat(
            heartbeat_address(wanted.url.get_secret_value()),
            wanted.every,
            http=self._http,
            progress=self.progress,
            listener=self.metrics,
            clock=self.clock,
        )
        heartbeat.start()
        self._on_stop("heartbeat", heartbeat.stop)

    async def _start_web(self, store: Store) -> None:
        if self.settings.web is None:
            return
        context = WebContext(
            store=store,
            world=self.world,
            metrics=self.metrics,
            clock=self.clock,
            health=self.problems,
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
        # Housekeeping keeps its pace on the wall, however fast the clock of a demo runs.
        speed = self.clock.speed
        timers.every("sweep", self._sweep_every(), self._sweep)
        timers.every("learn", LEARN_EVERY * speed, self._learn)
        timers.every("adopt", ADOPT_EVERY * speed, self._adopt)
        timers.every("thin", THIN_EVERY * speed, self._thin)
        timers.every("report", REPORT_EVERY * speed, self._report)
        timers.start()
        await self._poller.start()

    def _sweep_every(self) -> timedelta:
        return max(SWEEP_EVERY, timedelta(seconds=0.25 * self.clock.speed))

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

    def _released(self, changes: Changes) -> None:
        """Changes are recorded: hand new notifications to delivery.

        What the outbox itself had to record (attempts) is not handed back to it.
        """
        if changes.notifications and not changes.attempts:
            self._outbox.accept(changes.notifications, changes.events)
        if changes.alerts:
            for mirror in self._mirrors:
                mirror.changed()

    def _hand_over(self, notification: Notification, to: str, note: str) -> Notification:
        return self._announcer.hand_over(notification, to, note)

    async def _illustrate(self, message: Message, events: Sequence[Event]) -> Message:
        """*message* with charts; without, when the store does not give them soon."""
        wanted = sketches(events, self.world)
        if not wanted:
            return message
        now, zone = self.clock.now(), self.settings.notify.zone
        try:
            async with asyncio.timeout(CHART_SECONDS):
                charts = await self._recorder.call(lambda s: read_charts(s, wanted, now, zone))
        except (StoreError, TimeoutError) as error:
            log.warning("a message goes without its chart: %s", type(error).__name__)
            return message
        return replace(message, charts=charts)

    async def _settle(self, notification_ids: Iterable[int]) -> None:
        for notification_id in notification_ids:
            self._announcer.close_group(notification_id)
        await self._recorder.settled()

    async def _sweep(self) -> None:
        now, steady = self.clock.now(), self.clock.monotonic()
        before, steady_before = self._last_sweep
        step = (now - before) - timedelta(seconds=steady - steady_before)
        self._last_sweep = (now, steady)
        if abs(step) > CLOCK_STEP:
            way = "forward" if step > timedelta(0) else "back"
            log.warning("the wall clock was set %s by %s", way, span(abs(step)))
            self._recorder.add(self._pipeline.clock_stepped(step, now))
        self._recorder.add(self._pipeline.sweep(now))
        behind = timedelta(seconds=self._recorder.behind())
        self._recorder.add(self._pipeline.store.sweep(self._recorder.error, behind, now))
        self._judged_at = self.clock.monotonic()

    async def _adopt(self) -> None:
        """Take up notifications that another process revived (``notify retry``)."""
        newest = self._announcer.last_notification_id
        held = self._outbox.held()
        await self._recorder.settled()
        try:
            found, events = await self._recorder.call(_pending_with_events)
        except StoreError:
            return  # counted and retried by the recorder
        # What was waiting here before may just have been delivered, and what is newer than that is
        # on its way here: neither must be sent a second time.
        held |= self._outbox.held()
        revived = [n for n in found if n.id <= newest and n.id not in held]
        self._outbox.accept(revived, events)

    async def _learn(self) -> None:
        """Take over the silences and acknowledgements that other processes have written."""
        now, alerts = self.clock.now(), [alert.id for alert in self.world.alerts.values()]
        try:
            silences, acks = await self._recorder.call(
                lambda store: (store.silences(active_at=now), store.acks(alerts))
            )
        except StoreError:
            return  # counted and told by the recorder, which meets the same trouble
        self.world.silences = tuple(silences)
        self.world.acks = {ack.alert_id: ack for ack in acks}

    async def _thin(self) -> None:
        """Drop what retention no longer keeps, piece by piece, so that writing never waits long."""
        retention = self.settings.retention.kept
        now, total = self.clock.now(), 0
        try:
            while dropped := await self._recorder.call(lambda store: store.thin(now, retention)):
                total += dropped
        except StoreError as error:
            self.metrics.store_error()
            log.error("thinning the store failed: %s", error)
        log.debug("thinned the store by %d samples", total)

    async def _report(self) -> None:
        if self._reporter is not None:
            await self._reporter.check(self.clock.now())

    async def _finish(self) -> None:
        self._recorder.add(self._pipeline.finish())

    def _open_alerts(self, channel: ChannelSettings) -> list[Alert]:
        alerts = self.world.alerts.values()
        return [alert for alert in alerts if self._announcer.wanted(channel, alert)]

    def _page(self) -> str:
        """Where others reach the page; empty where nobody outside this host does."""
        if self.web is None or self.settings.web is None:
            return ""
        host = self.settings.web.host
        return "" if is_loopback(host) or host in ("0.0.0.0", "::") else self.web.url  # noqa: S104 - compared, not bound

    def _undelivered(self) -> dict[str, tuple[int, float]]:
        return self._outbox.pending() | {m.name: m.pending() for m in self._mirrors}

    def summary(self) -> str:
        """How things stand, in a line: keys, open alerts, what is not delivered yet."""
        keys = self.world.keys.values()
        unread = sum(live.state.reason is not None for live in keys)
        failing = f" ({unread} without a reading)" if unread else ""
        waiting = sum(number for number, _ in self._undelivered().values())
        return (
            f"{count(len(keys), 'key')}{failing}, {count(len(self.world.alerts), 'open alert')},"
            f" {count(waiting, 'notification')} undelivered"
        )

    def progress(self) -> Progress:
        """How far each part is behind."""
        unjudged = self.clock.monotonic() - self._judged_at
        late = self.clock.real(unjudged - self._sweep_every().total_seconds())
        return Progress(
            schedule_lag=self._poller.lag(),
            polls_stalled=self._poller.stalled(),
            longest_poll=self._poller.longest_poll,
            evaluation_behind=max(0.0, late),
            store_behind=self._recorder.behind(),
            store_error=self._recorder.error,
            channels_behind=self._outbox.lag() | {m.name: m.lag() for m in self._mirrors},
            longest_send=self.settings.notify.timeout.total_seconds(),
        )

    def problems(self) -> list[str]:
        """What keeps this process from doing its work; empty when it is ready."""
        found = []
        if self._recorder.error:
            found.append(f"the store fails: {self._recorder.error}")
        if self._poller.lag() > SCHEDULE_LAG:
            found.append(f"polls are {self._poller.lag():.0f} s behind their schedule")
        return found


def _pending_with_events(store: Store) -> tuple[list[Notification], list[Event]]:
    found = store.notifications(states=[NotificationState.PENDING], limit=1000)
    return found, store.events_by_id([i for n in found for i in n.event_ids])


def _compose(
    events: Sequence[Event],
    now: datetime,
    late: Lateness | None,
    notes: Sequence[str],
    held: bool,  # noqa: FBT001 - as above
    *,
    timezone: tzinfo,
) -> Message:
    return compose(events, now=now, late=late, timezone=timezone, notes=notes, held=held)


def _recall(text: str, now: datetime, late: Lateness | None, *, timezone: tzinfo) -> Message:
    return recall(text, now, late, timezone)


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


def _telling(settings: Settings) -> TellingPolicy:
    notify = settings.notify
    return TellingPolicy(
        group_wait=notify.group_wait,
        tell_resolved=notify.resolved,
        repeat=notify.repeat.by_severity,
        escalate_after=notify.escalate.after if notify.escalate else None,
        escalate_to=notify.escalate.to if notify.escalate else "",
    )


def _channels(settings: Settings) -> Sequence[ChannelSettings]:
    """The configured channels; without any, alerts are at least printed."""
    if settings.channels:
        return settings.channels
    log.warning("no channel is configured: alerts are only printed here and shown on the page")
    return (ChannelSettings.model_validate({"name": "console", "url": "console:"}),)
