"""The daemon's own series (``credit_monitor_*`` and ``process_*``), in a registry of their own."""

from __future__ import annotations

import platform
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from datetime import datetime

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    Info,
    ProcessCollector,
    disable_created_metrics,
)
from prometheus_client import generate_latest as generate_text
from prometheus_client.metrics_core import GaugeMetricFamily, Metric
from prometheus_client.openmetrics.exposition import generate_latest as generate_openmetrics
from prometheus_client.registry import Collector

from monitor.metrics.families import STATES
from monitor.metrics.formats import Format

OUTCOME_MISSED = "missed"
POLL_OUTCOMES = (*STATES, OUTCOME_MISSED)
NOTIFICATION_OUTCOMES = ("delivered", "retry", "refused", "expired", "dropped")

OutboxState = Mapping[str, tuple[int, float]]
"""Per channel: notifications waiting, and the age of the oldest of them in seconds."""

_DURATIONS = (0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)
_LAGS = (0.01, 0.05, 0.1, 0.25, 0.5, 1, 5, 15, 60)
_DELAYS = (0.05, 0.25, 1, 5, 15, 60, 300, 1800, 7200, 43200)


class Metrics:
    """Counts what the daemon does; every method is cheap and may be called from any thread."""

    def __init__(self, version: str) -> None:
        # The text format would show the creation times as a second series beside every counter.
        disable_created_metrics()  # type: ignore[no-untyped-call]  # untyped there
        self._registry = CollectorRegistry()
        self._providers: set[str] = set()
        self._outbox = _OutboxCollector()
        self._registry.register(self._outbox)
        self._heartbeat = _HeartbeatCollector()
        self._registry.register(self._heartbeat)
        ProcessCollector(registry=self._registry)
        build = Info("credit_monitor_build", "Version of credit-monitor.", registry=self._registry)
        build.info({"version": version, "python": platform.python_version()})
        self._add_polls()
        self._add_notifications()
        self._add_upkeep()

    def _add_polls(self) -> None:
        self._polls = Counter(
            "credit_monitor_polls",
            "Polls by how they ended; missed: the schedule had to leave it out.",
            ("provider", "outcome"),
            registry=self._registry,
        )
        self._durations = Histogram(
            "credit_monitor_poll_duration_seconds",
            "How long a poll took.",
            ("provider",),
            buckets=_DURATIONS,
            registry=self._registry,
        )
        self._lag = Histogram(
            "credit_monitor_poll_lag_seconds",
            "How long after its due time a poll started.",
            buckets=_LAGS,
            registry=self._registry,
        )

    def _add_notifications(self) -> None:
        self._notifications = Counter(
            "credit_monitor_notifications",
            "Attempts to deliver a notification by how they ended; expired: given up for its age; "
            "dropped: without an attempt, over before its time.",
            ("channel", "outcome"),
            registry=self._registry,
        )
        self._delays = Histogram(
            "credit_monitor_notification_delay_seconds",
            "Time from when a notification was due until its channel took it.",
            ("channel",),
            buckets=_DELAYS,
            registry=self._registry,
        )

    def _add_upkeep(self) -> None:
        self._store_errors = Counter(
            "credit_monitor_store_errors",
            "Times the store refused to write or did not answer.",
            registry=self._registry,
        )
        self._reload_successful = Gauge(
            "credit_monitor_config_last_reload_successful",
            "Whether the last configuration that was read is the one in use.",
            registry=self._registry,
        )
        self._reloaded_at = Gauge(
            "credit_monitor_config_last_reload_success_timestamp_seconds",
            "When the configuration in use was read, as Unix time.",
            registry=self._registry,
        )

    def show(self, providers: Collection[str], channels: Collection[str]) -> None:
        """Have the series of these providers and channels, and of no others.

        New ones start at 0, so that a first step is seen.
        """
        for provider in self._providers - set(providers):
            self._durations.remove(provider)
            for outcome in POLL_OUTCOMES:
                self._polls.remove(provider, outcome)
        for channel in self._outbox.channels - set(channels):
            self._delays.remove(channel)
            for outcome in NOTIFICATION_OUTCOMES:
                self._notifications.remove(channel, outcome)
        self._providers, self._outbox.channels = set(providers), set(channels)
        self._preset(sorted(providers), sorted(channels))

    def _preset(self, providers: Iterable[str], channels: Iterable[str]) -> None:
        for provider in providers:
            self._durations.labels(provider)
            for outcome in POLL_OUTCOMES:
                self._polls.labels(provider, outcome)
        for channel in channels:
            self._delays.labels(channel)
            for outcome in NOTIFICATION_OUTCOMES:
                self._notifications.labels(channel, outcome)

    def polled(self, provider: str, outcome: str, seconds: float, lag: float) -> None:
        """A poll ended: *outcome* is ``ok`` or a failure reason; it took *seconds*, began *lag*
        seconds late.
        """
        self._polls.labels(provider, outcome).inc()
        self._durations.labels(provider).observe(seconds)
        self._lag.observe(lag)

    def missed(self, provider: str) -> None:
        """A scheduled poll did not take place."""
        self._polls.labels(provider, OUTCOME_MISSED).inc()

    def notification(self, channel: str, outcome: str) -> None:
        """An attempt to deliver ended in one of :data:`NOTIFICATION_OUTCOMES`."""
        self._notifications.labels(channel, outcome).inc()

    def notification_delay(self, channel: str, seconds: float) -> None:
        """A notification was taken *seconds* after it was due."""
        self._delays.labels(channel).observe(seconds)

    def store_error(self) -> None:
        """The store refused or did not answer."""
        self._store_errors.inc()

    def heartbeat(self, at: datetime) -> None:
        """A ping of the heartbeat was taken at *at*."""
        self._heartbeat.at = at

    def config_reload(self, ok: bool, at: datetime) -> None:  # noqa: FBT001 - the one thing it says
        """A configuration was read at *at*; *ok*: it is the one in use now."""
        self._reload_successful.set(int(ok))
        if ok:
            self._reloaded_at.set(at.timestamp())

    def watch_outbox(self, state: Callable[[], OutboxState]) -> None:
        """Ask *state* at every scrape what waits in the outbox."""
        self._outbox.state = state

    def render(self, output: Format) -> bytes:
        """All of these series as text; in OpenMetrics it ends the exposition."""
        if output is Format.OPENMETRICS:
            encoded: bytes = generate_openmetrics(self._registry)  # type: ignore[no-untyped-call]
            return encoded
        return generate_text(self._registry)


class _HeartbeatCollector(Collector):
    """When the last ping was taken; no sample before the first, as 0 would be a time too."""

    def __init__(self) -> None:
        self.at: datetime | None = None

    def collect(self) -> Iterator[Metric]:
        family = GaugeMetricFamily(
            "credit_monitor_heartbeat_last_success_timestamp_seconds",
            "When the last ping of the heartbeat was taken, as Unix time.",
        )
        if self.at is not None:
            family.add_metric((), self.at.timestamp())
        yield family


class _OutboxCollector(Collector):
    """Gauges of what waits, made up at the moment of the scrape."""

    def __init__(self) -> None:
        self.channels: set[str] = set()
        self.state: Callable[[], OutboxState] = dict

    def collect(self) -> Iterator[Metric]:
        waiting = dict.fromkeys(sorted(self.channels), (0, 0.0)) | dict(self.state())
        pending = GaugeMetricFamily(
            "credit_monitor_outbox_pending",
            "Notifications that are not delivered yet.",
            labels=("channel",),
        )
        for channel, (count, _) in waiting.items():
            pending.add_metric((channel,), count)
        yield pending
        yield GaugeMetricFamily(
            "credit_monitor_outbox_oldest_seconds",
            "Age of the oldest notification that is not delivered yet; 0 when there is none.",
            value=max((age for _, age in waiting.values()), default=0.0),
        )
