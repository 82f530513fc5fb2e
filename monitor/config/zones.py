"""Time zones by their IANA names (data.iana.org/time-zones), as the host knows them."""

from __future__ import annotations

from typing import Annotated
from zoneinfo import ZoneInfo, available_timezones

from pydantic import AfterValidator, StringConstraints

from monitor.config.wording import suggestion


def _check_zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (KeyError, ValueError, OSError):  # unknown; no name at all; a directory such as Europe
        known = available_timezones()
    else:
        return name
    if not known:
        raise ValueError("this host has no time zone data: install its package tzdata")
    hint = suggestion(name, known) or "; such as Europe/Berlin or UTC"
    raise ValueError(f"is no time zone{hint}")


ZoneName = Annotated[str, StringConstraints(min_length=1), AfterValidator(_check_zone)]
"""The name of a time zone that can be used."""
