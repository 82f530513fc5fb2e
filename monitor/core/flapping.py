"""Alerts that come and go: told as such, and once more when they have settled.  Pure.

What is held back is recorded like everything else; only the channels are spared.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from monitor.core.alerts import Transition
from monitor.core.events import Change, Event, Why
from monitor.core.model import Severity

WINDOW = timedelta(hours=1)
"""How far back an alert's firing counts."""

FIRED_OFTEN = 3
"""An alert that fires so often within :data:`WINDOW` flaps.  Twice may be two troubles; with the
third a person has had five messages, and knows."""

SETTLES_AFTER = timedelta(minutes=15)
"""An alert that flapped has settled when it stayed the same for so long."""

AlertSlot = tuple[str, str, str]
"""As :attr:`Alert.slot`."""


@dataclass(slots=True)
class Course:
    """How one slot came and went: when it ``fires`` within the last hour, and its ``last`` change.

    ``told_at`` is set while its messages are held back: when channels were told last.  They take it
    for open at severity ``believed``; ``severities`` are those of the channels that heard of it.
    """

    last: Event
    fires: list[datetime] = field(default_factory=list)
    told_at: datetime | None = None
    believed: Severity = Severity.INFO
    severities: tuple[Severity, ...] = ()

    @property
    def untold_end(self) -> Event | None:
        """The end that channels have not heard of, if that is where it stands."""
        last = self.last
        is_end = last.change is Change.RESOLVED and last.why is Why.RECOVERED
        return last if is_end and not last.told else None

    def count(self, now: datetime) -> int:
        """How often it has fired within the last hour."""
        return sum(_within(at, now, WINDOW) for at in self.fires)

    def has_settled(self, now: datetime) -> bool:
        """Whether it stayed the same; a clock that was set back must not hold anything back."""
        return not _within(self.last.at, now, SETTLES_AFTER)


class Flapping:
    """Remembers how often each slot fires, and which of them channels are spared of.

    *again* is the time by severity after which an alert that never settles is told again; *recent*
    are the events of the last hours, which a new process goes on from.
    """

    def __init__(self, again: Mapping[Severity, timedelta], recent: Iterable[Event] = ()) -> None:
        self._again = again
        self._courses: dict[AlertSlot, Course] = {}
        for event in sorted(recent, key=lambda e: e.id):
            course = self._courses.get(_slot(event))
            if course is not None and course.has_settled(event.at):
                course.told_at = None
            self.note(event)

    def reconfigure(self, again: Mapping[Severity, timedelta]) -> None:
        """Tell again after these times from now on."""
        self._again = again

    def is_held(self, slot: AlertSlot) -> bool:
        """Whether channels are spared of what *slot* does until it has settled."""
        course = self._courses.get(slot)
        return course is not None and course.told_at is not None

    def fired(self, slot: AlertSlot, now: datetime, *, again: bool = False) -> int:
        """How often *slot* has fired within the last hour, or has if it fires *again* now; 0 for
        one that does not flap.
        """
        course = self._courses.get(slot)
        count = again + (course.count(now) if course else 0)
        return count if count >= FIRED_OFTEN or self.is_held(slot) else 0

    def holds_back(self, transition: Transition, now: datetime) -> bool:
        """Whether channels are spared of *transition*: it flaps, and is not worse than they know.

        What never settles is told again after a while.
        """
        course = self._courses.get(transition.alert.slot)
        if course is None or course.told_at is None or course.has_settled(now):
            return False
        if transition.change is Change.RESOLVED:
            return True
        if transition.alert.severity.rank > course.believed.rank:
            return False
        again = self._again.get(course.believed)
        return again is None or _within(course.told_at, now, again)

    def note(self, event: Event) -> None:
        """Take in what has happened to an alert; *event* says whether channels were told."""
        course = self._courses.get(_slot(event))
        if event.change is Change.FIRED:
            course = course or self._courses.setdefault(_slot(event), Course(last=event))
            course.fires = [at for at in course.fires if _within(at, event.at, WINDOW)]
            course.fires.append(event.at)
        if course is None or event.change is Change.OCCURRED:
            return
        if event.change is not Change.REMINDED:
            course.last = event
        if event.why is Why.SETTLED:
            course.told_at = None
        elif event.told and event.change in (Change.FIRED, Change.ESCALATED):
            self._told(course, event)

    def settled(self, now: datetime) -> Iterator[tuple[AlertSlot, Course]]:
        """The slots that have stayed the same for a while and are held back no more.

        Forgets also those that have not fired for long.
        """
        for slot, course in list(self._courses.items()):
            if course.told_at is not None:
                if course.has_settled(now):
                    course.told_at = None
                    yield slot, course
            elif not course.count(now):
                del self._courses[slot]

    @staticmethod
    def _told(course: Course, event: Event) -> None:
        """Channels know of *event*; where it flaps, they are spared of what follows."""
        if course.told_at is None:
            if course.count(event.at) < FIRED_OFTEN:
                return
            course.severities = ()
        course.told_at, course.believed = event.at, event.severity
        course.severities = tuple(dict.fromkeys((*course.severities, event.severity)))


def _slot(event: Event) -> AlertSlot:
    return (event.subject.id, event.meter, event.rule)


def _within(moment: datetime, now: datetime, span: timedelta) -> bool:
    return timedelta(0) <= now - moment < span
