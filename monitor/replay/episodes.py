"""What was open from when to when, out of the lines of a replay."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime

from monitor.core.events import Change
from monitor.core.model import Severity
from monitor.replay.engine import AlertLine, Line


@dataclass(frozen=True, slots=True, kw_only=True)
class Episode:
    """An alert as long as it was open at one severity; ``until`` None: to the end.

    ``keys`` are those that it speaks for, as far as it names them.

    ``is_moment``: it has no duration, as a top-up.  ``told``: somebody would have been told.
    """

    key: str
    meter: str
    rule: str
    severity: Severity
    since: datetime
    until: datetime | None = None
    told: bool = True
    is_moment: bool = False
    alert_id: int = 0
    keys: tuple[str, ...] = ()


def episodes(lines: Iterable[Line]) -> list[Episode]:
    """What was open, in the order in which it opened."""
    found: list[Episode] = []
    open_at: dict[tuple[str, int, Severity], int] = {}
    for line in lines:
        if not isinstance(line, AlertLine):
            continue
        slot = (line.key, line.event.alert_id, line.severity)
        if not line.is_open:
            place = open_at.pop(slot, None)
            if place is not None:
                found[place] = replace(found[place], until=line.at)
        elif slot not in open_at:  # one that eased is still open at what it eased to
            open_at[slot] = len(found)
            found.append(_opened(line))
    return found


def _opened(line: AlertLine) -> Episode:
    return Episode(
        key=line.key,
        meter=line.meter,
        rule=line.event.rule,
        severity=line.severity,
        since=line.at,
        told=line.event.told,
        is_moment=line.event.change is Change.OCCURRED,
        alert_id=line.event.alert_id,
        keys=line.event.facts.keys,
    )


def alerts_told(found: Iterable[Episode]) -> Counter[str]:
    """How many alerts somebody would have been told of, by rule; whatever their severities."""
    told = {(e.key, e.alert_id): e.rule for e in found if e.told}
    return Counter(told.values())
