"""From decisions to the configured channels: messages by the outbox, states by mirrors.

Builds the channels as the configuration has them, and builds them anew when it changes: a channel
that stayed the same goes on undisturbed, with what waits for it.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, tzinfo
from functools import partial

from monitor.announcer import Announcer
from monitor.clock import Clock
from monitor.config.channels import ChannelSettings
from monitor.config.models import Settings
from monitor.core.events import Alert, Event
from monitor.core.messages import Lateness, Message, compose, recall
from monitor.core.notifications import Notification, NotificationState
from monitor.delivery.address import alertmanager_address
from monitor.delivery.base import Sender
from monitor.delivery.channel import Channel
from monitor.delivery.context import OutboxContext, OutboxPolicy
from monitor.delivery.mirror import AlertmanagerMirror, MirrorContext
from monitor.delivery.outbox import Outbox
from monitor.delivery.senders import make_sender
from monitor.illustrations import read_charts, sketches
from monitor.metrics import Metrics
from monitor.providers.http import HttpClient
from monitor.recorder import Recorder
from monitor.store.base import Changes, Snapshot, Store, StoreError
from monitor.teller import TellingPolicy
from monitor.world import World

log = logging.getLogger(__name__)

CHART_SECONDS = 5.0
"""Real seconds that a message waits for what its charts show."""

LAST_SENDS = 2.5
"""Real seconds that sends under way get when they have to stop."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """The parts that channels are built on; ``page`` is where others reach our page, or empty."""

    world: World
    announcer: Announcer
    recorder: Recorder
    http: HttpClient
    metrics: Metrics
    clock: Clock
    rng: random.Random
    page: Callable[[], str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """The channels of one configuration, built and not yet in use.

    ``senders`` has one for each channel of messages and ``mirrors`` one for each Alertmanager's;
    None stands for what goes on as it is.
    """

    settings: Settings
    channels: Mapping[str, ChannelSettings]
    senders: Mapping[str, Sender | None]
    mirrors: Mapping[str, AlertmanagerMirror | None]


@dataclass(slots=True)
class _Retired:
    """What a new configuration no longer has, on its way out."""

    workers: list[Channel] = field(default_factory=list)
    mirrors: list[AlertmanagerMirror] = field(default_factory=list)


class Dispatch:
    """The channels in use."""

    def __init__(self, settings: Settings, around: Surroundings) -> None:
        self._around = around
        self._line = Line(settings=settings, channels={}, senders={}, mirrors={})
        self._outbox: Outbox
        self._mirrors: dict[str, AlertmanagerMirror] = {}
        self._retired = _Retired()

    # -- building ---------------------------------------------------------------------------

    def prepare(self, settings: Settings, channels: Sequence[ChannelSettings]) -> Line:
        """Build what *settings* asks for beside what is in use, which is not touched.

        Raises ``ValueError`` with a sentence free of secrets for a channel that cannot be built.
        """
        senders: dict[str, Sender | None] = {}
        mirrors: dict[str, AlertmanagerMirror | None] = {}
        for channel in channels:
            same = _goes_the_same_way(channel, settings, self._line)
            if channel.alertmanager:
                mirrors[channel.name] = None if same else self._mirror(channel, settings)
            else:
                senders[channel.name] = None if same else _sender(channel, settings)
        return Line(
            settings=settings,
            channels={channel.name: channel for channel in channels},
            senders=senders,
            mirrors=mirrors,
        )

    def start(self, line: Line, snapshot: Snapshot) -> None:
        """Begin to deliver, first what *snapshot* holds back."""
        self._line = line
        senders = {name: sender for name, sender in line.senders.items() if sender is not None}
        self._outbox = Outbox(
            senders, self._context(line), elsewhere=line.mirrors, handed=snapshot.handed
        )
        self._outbox.accept(snapshot.notifications, snapshot.events)
        self._outbox.start()

    def start_mirrors(self, snapshot: Snapshot) -> None:
        """Begin to show states to the Alertmanagers, which are told where our page is."""
        self._exchange_mirrors(self._line)
        for name, mirror in self._mirrors.items():
            mirror.inherit([n for n in snapshot.notifications if n.channel == name])

    def apply(self, line: Line) -> None:
        """Go on with *line*; what it no longer has waits for :meth:`retire`.  Does not wait."""
        self._line = line
        self._retired.workers += self._outbox.reconfigure(
            line.senders, self._context(line), elsewhere=line.mirrors
        )
        self._exchange_mirrors(line)

    async def retire(self) -> None:
        """Stop what is no longer configured; sends under way get a little time."""
        retired, self._retired = self._retired, _Retired()
        await self._outbox.retire(retired.workers, LAST_SENDS)
        await asyncio.gather(*(mirror.stop(LAST_SENDS) for mirror in retired.mirrors))
        for mirror in retired.mirrors:
            self._hand_on(mirror.name, mirror.troubles())

    def _hand_on(self, channel_name: str, troubles: Sequence[Notification]) -> None:
        """What a mirror has failed at is ended by its successor, or else can only be shown."""
        if channel_name in self._mirrors:
            self._mirrors[channel_name].inherit(troubles)
        else:
            self._outbox.accept(troubles, ())

    async def stop(self) -> None:
        """Stop everything; what is left waits for the next start."""
        mirrors = (mirror.stop(LAST_SENDS) for mirror in self._mirrors.values())
        await asyncio.gather(self._outbox.stop(LAST_SENDS), *mirrors)

    # -- flow -------------------------------------------------------------------------------

    def released(self, changes: Changes) -> None:
        """Changes are recorded: take over new notifications, and let mirrors look.

        What the outbox itself had to record (attempts) is not handed back to it.
        """
        if changes.notifications and not changes.attempts:
            self._outbox.accept(changes.notifications, changes.events)
        if changes.alerts:
            for mirror in self._mirrors.values():
                mirror.changed()

    async def adopt(self) -> None:
        """Take up notifications that another process revived (``notify retry``)."""
        newest = self._around.announcer.last_notification_id
        held = self._outbox.held()
        await self._around.recorder.settled()
        try:
            found, events = await self._around.recorder.call(_pending_with_events)
        except StoreError:
            return  # counted and retried by the recorder
        # What was waiting here before may just have been delivered, and what is newer than that is
        # on its way here: neither must be sent a second time.
        held |= self._outbox.held()
        revived = [n for n in found if n.id <= newest and n.id not in held]
        self._outbox.accept(revived, events)

    def undelivered(self) -> dict[str, tuple[int, float]]:
        """By channel: what waits, and for how many seconds the oldest of it."""
        return self._outbox.pending() | {n: m.pending() for n, m in self._mirrors.items()}

    def lag(self) -> dict[str, float]:
        """By channel: real seconds by which it is late by our own fault."""
        return self._outbox.lag() | {n: m.lag() for n, m in self._mirrors.items()}

    # -- parts ------------------------------------------------------------------------------

    def _context(self, line: Line) -> OutboxContext:
        around, notify = self._around, line.settings.notify
        channels = line.channels.values()
        return OutboxContext(
            compose=partial(_compose, timezone=notify.zone),
            hand_over=around.announcer.hand_over,
            silenced=lambda event: around.announcer.is_silenced(event, around.clock.now()),
            withhold=around.announcer.withhold,
            recall=partial(_recall, timezone=notify.zone),
            settle=self._settle,
            record=around.recorder.add,
            listener=around.metrics,
            policy=OutboxPolicy(
                timeout=notify.timeout,
                group_wait=notify.group_wait,
                give_up_after=notify.give_up_after,
                fallback_after=notify.fallback_after,
                fallbacks={c.name: c.fallback for c in channels if c.fallback},
                limits={c.name: c.limit for c in channels if c.limit},
            ),
            clock=around.clock,
            rng=around.rng,
            illustrate=self._illustrate if notify.charts else None,
        )

    def _mirror(self, channel: ChannelSettings, settings: Settings) -> AlertmanagerMirror:
        around = self._around
        context = MirrorContext(
            current=partial(self._open_alerts, channel.name),
            http=around.http,
            listener=around.metrics,
            clock=around.clock,
            timeout=settings.notify.timeout.total_seconds(),
            rng=around.rng,
            enqueue=around.announcer.enqueue_message,
            record=around.recorder.add,
            page=around.page,
        )
        addresses = [alertmanager_address(u.get_secret_value()) for u in channel.alertmanager]
        return AlertmanagerMirror(channel.name, addresses, context)

    def _exchange_mirrors(self, line: Line) -> None:
        for name in [*self._mirrors]:
            if line.mirrors.get(name, self) is not None:  # replaced, or gone
                self._retired.mirrors.append(self._mirrors.pop(name))
        for name, mirror in line.mirrors.items():
            if mirror is not None:
                self._mirrors[name] = mirror
                mirror.start()
            else:
                self._mirrors[name].changed()  # its filters may let other alerts through

    def _open_alerts(self, channel_name: str) -> list[Alert]:
        """The open alerts that the channel lets through; none for one that is on its way out."""
        channel = self._line.channels.get(channel_name)
        if channel is None:
            return []
        alerts = self._around.world.alerts.values()
        return [alert for alert in alerts if self._around.announcer.wanted(channel, alert)]

    async def _settle(self, notification_ids: Iterable[int]) -> None:
        for notification_id in notification_ids:
            self._around.announcer.close_group(notification_id)
        await self._around.recorder.settled()

    async def _illustrate(self, message: Message, events: Sequence[Event]) -> Message:
        """*message* with charts; without, when the store does not give them soon."""
        wanted = sketches(events, self._around.world)
        if not wanted:
            return message
        now, zone = self._around.clock.now(), self._line.settings.notify.zone
        recorder = self._around.recorder
        try:
            async with asyncio.timeout(CHART_SECONDS):
                charts = await recorder.call(lambda s: read_charts(s, wanted, now, zone))
        except (StoreError, TimeoutError) as error:
            log.warning("a message goes without its chart: %s", type(error).__name__)
            return message
        return replace(message, charts=charts)


def channels_of(settings: Settings) -> Sequence[ChannelSettings]:
    """The configured channels; without any, alerts are at least printed."""
    if settings.channels:
        return settings.channels
    log.warning("no channel is configured: alerts are only printed here and shown on the page")
    return (ChannelSettings.model_validate({"name": "console", "url": "console:"}),)


def routes_of(channels: Sequence[ChannelSettings]) -> list[ChannelSettings]:
    """Those that take messages."""
    return [channel for channel in channels if not channel.alertmanager]


def policy_of(settings: Settings) -> TellingPolicy:
    """How the channels are told, as the announcer has it."""
    notify = settings.notify
    return TellingPolicy(
        group_wait=notify.group_wait,
        tell_resolved=notify.resolved,
        repeat=notify.repeat.by_severity,
        escalate_after=notify.escalate.after if notify.escalate else None,
        escalate_to=notify.escalate.to if notify.escalate else "",
    )


def _sender(channel: ChannelSettings, settings: Settings) -> Sender:
    return make_sender(
        channel.messages_to,
        name=channel.name,
        timeout=settings.notify.timeout.total_seconds(),
        words=channel.words,
    )


def _goes_the_same_way(channel: ChannelSettings, settings: Settings, before: Line) -> bool:
    """Whether *channel* is reached as before, whatever its filters let through."""
    known = before.channels.get(channel.name)
    return (
        known is not None
        and (known.url, known.words) == (channel.url, channel.words)
        and known.alertmanager == channel.alertmanager
        and before.settings.notify.timeout == settings.notify.timeout
    )


def _pending_with_events(store: Store) -> tuple[list[Notification], list[Event]]:
    found = store.notifications(states=[NotificationState.PENDING], limit=1000)
    return found, store.events_by_id([i for n in found for i in n.event_ids])


def _compose(
    events: Sequence[Event],
    now: datetime,
    late: Lateness | None,
    notes: Sequence[str],
    held: bool,  # noqa: FBT001 - the outbox passes them by position
    *,
    timezone: tzinfo,
) -> Message:
    return compose(events, now=now, late=late, timezone=timezone, notes=notes, held=held)


def _recall(text: str, now: datetime, late: Lateness | None, *, timezone: tzinfo) -> Message:
    return recall(text, now, late, timezone)
