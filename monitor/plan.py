"""What a configuration asks to be run, in the form in which it runs.

Ten thousand checked settings hold some 20 MB that nothing needs once keys are watched and polled,
so the daemon is given a plan and the settings of the keys are let go.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import Self

from pydantic import SecretStr

from monitor.asking import PollJob
from monitor.config.models import Settings
from monitor.providers import KeySettings
from monitor.providers.base import Renewing
from monitor.world import WatchedKey, watched_key


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """The keys as they are watched and polled, and the settings of everything else.

    ``settings.keys`` is empty here.
    """

    settings: Settings
    watched: tuple[WatchedKey, ...]
    jobs: tuple[PollJob, ...]

    @property
    def renewing(self) -> dict[str, Renewing]:
        """The providers that renew logins by themselves, by the name of their key."""
        # Looked at first, as isinstance() of a protocol takes 30 microseconds.
        may = (job for job in self.jobs if getattr(job.provider, "renewable", None))
        return {job.name: job.provider for job in may if isinstance(job.provider, Renewing)}

    @classmethod
    def of(cls, settings: Settings) -> Self:
        """The plan for *settings*."""
        return cls(
            settings=settings.without_keys(),
            watched=tuple(watched_key(key) for key in settings.keys),
            jobs=tuple(_job(key) for key in settings.keys),
        )


def _job(key: KeySettings) -> PollJob:
    return PollJob(
        name=key.name,
        provider_name=key.provider,
        provider=key.build(),
        interval=key.interval,
        timeout=key.timeout,
        fingerprint=_fingerprint(key),
    )


def _fingerprint(key: KeySettings) -> bytes:
    """What tells this key from one that is polled otherwise, without keeping its settings."""
    polled = key.model_dump(exclude={"account", "tags", "rules", "interval", "timeout"})
    text = json.dumps(polled, default=_revealed, sort_keys=True)
    return hashlib.blake2b(text.encode(), digest_size=16).digest()


def _revealed(value: object) -> str:
    return value.get_secret_value() if isinstance(value, SecretStr) else str(value)
