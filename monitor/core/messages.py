"""From events to what a person reads: structured, without markup; ``core/markup.py`` renders it."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Sequence
from dataclasses import asdict, dataclass, fields, replace
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Any

from monitor.core import wording
from monitor.core.charts import Chart
from monitor.core.events import Change, Event
from monitor.core.model import DEFAULT_METER, Severity
from monitor.core.stories import NAMES_LENGTH, Story, tell

__all__ = [
    "Lateness",
    "Message",
    "Story",
    "came_and_went",
    "compose",
    "decode",
    "encode",
    "fallback_end_note",
    "fallback_note",
    "limit_note",
    "recall",
    "trial_message",
]

LATE_AFTER = timedelta(minutes=1)
"""A message that comes no later than this says nothing about it."""

TITLE_LENGTH = 160
"""Longest title: what a lock screen and a mail list still show of it is its beginning."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """One message for one channel: a title that stands alone on a lock screen, and its stories.

    ``severity`` is the worst of the stories (None: only good news); ``notes`` are about the message
    itself, such as that it comes late; ``source`` is the command that shows what did not fit.
    ``acknowledge`` are the alerts, worst first, that somebody should take on.  ``body``, if not
    empty, is plain text in the words of the channel's own template: it is shown in the place of
    stories and acknowledgement.  ``charts`` go along where the channel takes pictures.
    """

    title: str
    severity: Severity | None
    stories: tuple[Story, ...]
    notes: tuple[str, ...] = ()
    source: str = "credit-monitor alerts"
    acknowledge: tuple[int, ...] = ()
    body: str = ""
    charts: tuple[Chart, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Lateness:
    """When a message should have left, and what kept it (a sentence without secrets)."""

    due_at: datetime
    cause: str = ""


def compose(
    events: Sequence[Event],
    *,
    now: datetime,
    late: Lateness | None = None,
    timezone: tzinfo = UTC,
    notes: Sequence[str] = (),
    held: bool = False,
) -> Message:
    """One message that tells *events* as of *now*, worst first, times in *timezone*.

    Events of one subject and meter are one story.  *notes* come before the one about lateness.  In
    a *held* message, alerts that came and went meanwhile are one line instead of stories.  Raises
    ``ValueError`` without any event.
    """
    if not events:
        raise ValueError("a message needs at least one event")
    gone = came_and_went(events) if held else frozenset()
    told = [e for e in events if e.alert_id not in gone] or events
    stories = sorted((tell(group, now, timezone) for group in _groups(told)), key=_worst_first)
    over = [_gone_note(events, gone)] if len(told) < len(events) else []
    return Message(
        title=_title(stories),
        severity=stories[0].severity,
        stories=tuple(stories),
        notes=(*notes, *over, *_lateness_note(late, now, timezone)),
        acknowledge=_acknowledgeable(told),
    )


def encode(message: Message) -> str:
    """*message* as text that :func:`decode` reads, for the time it waits in the outbox."""
    # Without charts: they are drawn when it is sent.
    values = asdict(replace(message, charts=()))
    return json.dumps(values, separators=(",", ":"), ensure_ascii=False)


def decode(text: str) -> Message:
    """The message that :func:`encode` wrote; fields that are unknown here are left out."""
    found = _known(Message, json.loads(text))
    stories = [_known(Story, story) for story in found.pop("stories")]
    read = {
        "severity": _severity(found["severity"]),
        "notes": tuple(found["notes"]),
        "acknowledge": tuple(found.get("acknowledge", ())),
        "charts": (),
    }
    return Message(
        **found | read,
        stories=tuple(
            Story(
                **story
                | {
                    "severity": _severity(story["severity"]),
                    "facts": tuple((label, value) for label, value in story["facts"]),
                }
            )
            for story in stories
        ),
    )


def _known(kind: type[Message | Story], values: dict[str, Any]) -> dict[str, Any]:
    names = {field.name for field in fields(kind)}
    return {name: value for name, value in values.items() if name in names}


def _severity(word: str | None) -> Severity | None:
    return None if word is None else Severity(word)


def recall(text: str, now: datetime, late: Lateness | None, timezone: tzinfo = UTC) -> Message:
    """The message of an encoded *text* as it is sent at *now*: with a note if it comes late."""
    message = decode(text)
    return replace(message, notes=(*message.notes, *_lateness_note(late, now, timezone)))


def came_and_went(events: Sequence[Event]) -> frozenset[int]:
    """The alerts that fired and were resolved within *events*: of them, nothing is left to do.

    What is told of nothing else need not be sent once its time has passed.
    """
    changes: dict[int, set[Change]] = {}
    for event in events:
        changes.setdefault(event.alert_id, set()).add(event.change)
    passing = {Change.FIRED, Change.RESOLVED}
    gone = frozenset(alert for alert, found in changes.items() if passing <= found)
    return gone | _gone_while_flapping(e for e in events if e.alert_id not in gone)


def _gone_while_flapping(events: Iterable[Event]) -> frozenset[int]:
    """The alerts of slots that began to flap and settled: the end is that of another alert."""
    slots: dict[tuple[str, str, str], list[Event]] = {}
    for event in sorted(events, key=lambda e: e.id):
        slots.setdefault((event.subject.id, event.meter, event.rule), []).append(event)
    passed = [
        own
        for own in slots.values()
        if own[0].change is Change.FIRED and own[-1].change is Change.RESOLVED
    ]
    return frozenset(event.alert_id for own in passed for event in own)


def _acknowledgeable(events: Sequence[Event]) -> tuple[int, ...]:
    """The alerts of *events* that are open and more than information, worst first."""
    last = {e.alert_id: e for e in sorted(events, key=lambda e: (e.at, e.id))}
    waiting = [
        e
        for e in last.values()
        if e.change not in (Change.RESOLVED, Change.OCCURRED) and e.severity is not Severity.INFO
    ]
    return tuple(e.alert_id for e in sorted(waiting, key=lambda e: (-e.severity.rank, e.alert_id)))


def trial_message(channel: str, *, now: datetime, timezone: tzinfo = UTC) -> Message:
    """What ``notify test`` sends through *channel*: harmless, and with what real ones carry."""
    story = Story(
        name=channel,
        headline=f"The channel {channel} works",
        severity=Severity.INFO,
        facts=(("Channel", channel), ("Sent", wording.clock(now, timezone))),
        advice="Nothing to do: alerts of credit-monitor will arrive here.",
    )
    return Message(
        title=f"Test message through {channel}", severity=Severity.INFO, stories=(story,)
    )


def stopped_message(problem: str, *, now: datetime, timezone: tzinfo = UTC) -> Message:
    """What is sent when the daemon cannot start because of *problem*, which no restart mends."""
    headline = "credit-monitor has stopped: nothing is watched"
    story = Story(
        name="credit-monitor",
        about_key=False,
        headline=headline,
        severity=Severity.CRITICAL,
        facts=(("Error", problem), ("Since", wording.clock(now, timezone))),
        advice="Mend the cause and start it again; it is not started again by itself.",
    )
    return Message(title=f"CRITICAL: {headline}", severity=Severity.CRITICAL, stories=(story,))


def _groups(events: Iterable[Event]) -> list[list[Event]]:
    """Events by subject and meter, each oldest first.

    A key's health has no meter of its own: it belongs to the same story as its only balance.
    """
    groups: dict[tuple[str, str], list[Event]] = {}
    for event in sorted(events, key=lambda e: (e.at, e.id)):
        groups.setdefault((event.subject.id, event.meter or DEFAULT_METER), []).append(event)
    return list(groups.values())


def _worst_first(story: Story) -> tuple[int, str]:
    return (-1 if story.severity is None else story.severity.rank) * -1, story.name


# -- notes ----------------------------------------------------------------------------------


def fallback_note(channel: str, cause: str) -> str:
    """Says that *channel* should have told this; *cause* is a sentence without secrets."""
    why = f": {cause.rstrip('.')}" if cause else ""
    return f"For channel {channel}, which could not deliver it{why}."


def fallback_end_note(channel: str) -> str:
    """Says why a fallback is told of the end: *channel* had not delivered the beginning."""
    return f"For channel {channel}, which could not deliver the beginning; it delivers again."


def limit_note(count: int, names: Sequence[str]) -> str:
    """Says that *count* messages, about these subjects, were held back by the limit per hour."""
    noun = "message was" if count == 1 else "messages were"
    about = f": {wording.listing(names, NAMES_LENGTH)}" if names else ""
    return f"{count} more {noun} held back in this hour{about}."


def _gone_note(events: Sequence[Event], gone: Collection[int]) -> str:
    names = {e.alert_id: f"{e.label} ({e.rule})" for e in events if e.alert_id in gone}
    listed = wording.listing(list(dict.fromkeys(names.values())), NAMES_LENGTH)
    return f"Came and went meanwhile: {listed}."


def _lateness_note(late: Lateness | None, now: datetime, timezone: tzinfo) -> tuple[str, ...]:
    if late is None or now - late.due_at < LATE_AFTER:
        return ()
    cause = f" ({late.cause.rstrip('.')})" if late.cause else ""
    text = (
        f"This message comes {wording.span(now - late.due_at)} late: it was due at "
        f"{wording.clock(late.due_at, timezone)} and could not be delivered before{cause}."
    )
    return (text,)


# -- the title ------------------------------------------------------------------------------


def _title(stories: Sequence[Story]) -> str:
    if len(stories) == 1:
        return wording.clip(stories[0].title, TITLE_LENGTH)
    bad = [s for s in stories if s.severity in (Severity.CRITICAL, Severity.WARNING)]
    good = [s for s in stories if s.severity is None]
    info = [s for s in stories if s.severity is Severity.INFO]
    parts = []
    if bad:
        parts.append(_title_of_bad(bad))
    if good:
        parts.append(("OK again: ", [s.name for s in good]))
    paid_in = [s.name for s in info if s.topped_up]
    if paid_in:
        parts.append(("Topped up: ", paid_in))
    parts += [("", [s.headline]) for s in info if not s.topped_up]
    return _fit(parts)


def _title_of_bad(bad: Sequence[Story]) -> tuple[str, list[str]]:
    severity = bad[0].severity
    worst = sum(s.severity is severity for s in bad)
    if len(bad) == 1:
        return (f"{severity}: ".upper(), [bad[0].headline])
    noun = "keys" if all(s.about_key for s in bad) else "alerts"
    still = " still" if all(s.reminder for s in bad) else ""
    verb = f"{still} need attention" if noun == "keys" else still and " still open"
    of_which = f" ({worst} {severity})" if worst < len(bad) else ""
    heading = f"{severity}: ".upper() + f"{len(bad)} {noun}{verb}{of_which}: "
    return heading, [s.name for s in bad]


def _fit(parts: Sequence[tuple[str, list[str]]]) -> str:
    room = TITLE_LENGTH // len(parts)
    texts = [heading + wording.listing(names, room - len(heading)) for heading, names in parts]
    return wording.clip("; ".join(texts), TITLE_LENGTH)
