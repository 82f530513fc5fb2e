"""What is told and recorded about the configuration that the daemon has read."""

from __future__ import annotations

import logging
from collections.abc import Collection, Sequence
from dataclasses import replace
from datetime import datetime

from monitor.metrics import Metrics
from monitor.recorder import Recorder
from monitor.store.base import Changes, StoredConfiguration

log = logging.getLogger(__name__)


class Configured:
    """The configuration in use, since when, and why a later one was refused: ``record``."""

    def __init__(self, metrics: Metrics, recorder: Recorder, now: datetime) -> None:
        self._metrics = metrics
        self._recorder = recorder
        self.record = StoredConfiguration(read_at=now)

    def in_use(self, providers: Collection[str], channels: Collection[str], now: datetime) -> None:
        """The configuration that was read last is in use, with these providers and channels."""
        self._metrics.show(providers, channels)
        self._metrics.config_reload(True, now)
        self._keep(StoredConfiguration(read_at=now))

    def refused(self, problems: Sequence[str], now: datetime) -> None:
        """A new configuration has *problems* (free of secrets); the one in use goes on."""
        log.error("the new configuration is refused, the one in use goes on")
        for problem in problems:
            log.error("%s", problem)
        self._metrics.config_reload(False, now)
        self._keep(replace(self.record, refused_at=now, problems=tuple(problems)))

    def _keep(self, record: StoredConfiguration) -> None:
        self.record = record
        self._recorder.add(Changes(configurations=[record]))
