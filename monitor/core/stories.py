"""One subject's news in words: one group of events becomes one story, told by the rules' voices."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, tzinfo
from decimal import Decimal

from monitor.core import wording
from monitor.core.events import Change, Event, Facts, Why
from monitor.core.flapping import SETTLES_AFTER
from monitor.core.model import DEFAULT_METER, Reason, Severity
from monitor.core.voices import HOST_RULES, SAYS_IT_ALL, Scene, amount, renewed, voice

NAMES_LENGTH = 400
"""How much of a list of key names a fact shows."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Story:
    """One subject's news: a headline, facts as (label, value), what to do, and where.

    ``severity`` None marks good news (resolved).  ``name`` is what a person calls the subject;
    ``reminder`` tells that nothing is new in it.  All texts are plain, not escaped.
    """

    headline: str
    severity: Severity | None
    name: str = ""
    about_key: bool = True
    reminder: bool = False
    topped_up: bool = False
    facts: tuple[tuple[str, str], ...] = ()
    advice: str = ""
    link: str = ""

    @property
    def title(self) -> str:
        """The headline with its severity in words, so that it stands alone."""
        if self.severity is None and not self.topped_up:
            return f"OK again: {self.headline}"
        if self.severity is None or self.severity is Severity.INFO:
            return self.headline
        return f"{self.severity.upper()}: {self.headline}"


def tell(events: Sequence[Event], now: datetime, timezone: tzinfo) -> Story:
    """The story of one subject and meter from its *events*, oldest first."""
    name = events[0].label
    scenes = [Scene(last, name, now, timezone) for last in {e.rule: e for e in events}.values()]
    scenes.sort(key=_leading_first)
    lead = scenes[0]
    is_open = _is_open(lead.event)
    return Story(
        name=name,
        about_key=bool(lead.event.subject.key),
        reminder=all(e.change is Change.REMINDED for e in events),
        topped_up=lead.event.rule == "topped_up",
        headline=_headline(scenes, events),
        severity=_severity(scenes),
        facts=_facts(scenes, events),
        advice=voice(lead.event.rule).advice(lead) if is_open or _occurs(lead.event) else "",
        link=_link(lead) if is_open else "",
    )


def _is_open(event: Event) -> bool:
    return event.change not in (Change.RESOLVED, Change.OCCURRED)


def _occurs(event: Event) -> bool:
    return event.change is Change.OCCURRED


def _leading_first(scene: Scene) -> tuple[int, int, int]:
    """What is open leads by severity, then a top-up, then what is over."""
    event = scene.event
    if _is_open(event):
        return (0, -event.severity.rank, voice(event.rule).rank)
    return (1 if event.change is Change.OCCURRED else 2, 0, voice(event.rule).rank)


def _severity(scenes: Sequence[Scene]) -> Severity | None:
    lead = scenes[0].event
    if _is_open(lead):
        return lead.severity
    if any(s.event.change is Change.RESOLVED for s in scenes):
        return None
    return lead.severity


# -- headline -------------------------------------------------------------------------------


def _headline(scenes: Sequence[Scene], events: Sequence[Event]) -> str:
    lead = scenes[0]
    over = _over(scenes)
    paid_in = _paid_in(events)
    if _is_open(lead.event):
        clauses = [_opening(lead)]
        if paid_in:
            clauses.append(f"{paid_in} paid in")
        return "; ".join([*clauses, *_renewed(scenes), *over])
    if paid_in:
        now_has = f", now {lead.balance}" if lead.balance else ""
        return "; ".join([f"{lead.name} topped up: {paid_in}{now_has}", *over])
    if lead.event.change is Change.OCCURRED:
        return "; ".join([voice(lead.event.rule).headline(lead), *over])
    if lead.balance:
        return "; ".join([f"{lead.name} has {lead.balance}", *over])
    return f"{lead.name}: {'; '.join([*_renewed(scenes), *over])}"


def _renewed(scenes: Sequence[Scene]) -> list[str]:
    return [renewed(scene) for scene in scenes if scene.event.rule == "renewal"]


def _opening(lead: Scene) -> str:
    """The headline of what is open; a reminder says first why it comes, and since when it is so."""
    own = voice(lead.event.rule)
    text = own.headline(lead)
    if lead.event.change is not Change.REMINDED:
        return f"{text} (flapping)" if lead.facts.fired > 1 else text
    reason = _REMINDERS.get(lead.event.why, own.still)
    if own.tells_length:
        return f"{reason}: {text}"
    return f"{reason}: {text}, {wording.since(lead.since, lead.now, lead.timezone)}"


_REMINDERS = {
    Why.SILENCE_OVER: "still open after the silence",
    Why.UNANSWERED: "nobody has acknowledged",
    Why.SETTLED: "no longer flapping, still open",
}
"""How a reminder begins; one that comes because its time has come says it in the rule's words."""


def _over(scenes: Sequence[Scene]) -> list[str]:
    """A clause for each rule that is over; of what is one story, one clause."""
    rules = {s.event.rule for s in scenes if s.event.change is Change.RESOLVED}
    if "low_balance" in rules:
        rules -= {"exhausted", "runway", "before_top_up"}
    if rules and scenes[0].is_network:
        event = scenes[0].event
        return [f"providers can be reached again, after {wording.span(event.at - scenes[0].since)}"]
    return [voice(rule).over for rule in sorted(rules, key=lambda r: voice(r).rank)]


def _paid_in(events: Sequence[Event]) -> str:
    """What top-ups paid in together, without the unit; empty without any."""
    amounts = [e.facts.amount for e in events if e.facts.amount is not None]
    if not amounts:
        return ""
    total = f"+{wording.amount(sum(amounts, Decimal(0)))}"
    return total if len(amounts) == 1 else f"{total} in {len(amounts)} payments"


# -- facts ----------------------------------------------------------------------------------


def _facts(scenes: Sequence[Scene], events: Sequence[Event]) -> tuple[tuple[str, str], ...]:
    lead = scenes[0]
    pairs = [
        *_balance_facts(lead, events),
        *_outlook_facts(lead),
        *_failure_facts(lead),
        ("Error", lead.facts.detail if lead.event.rule in HOST_RULES else ""),
        ("Since" if _is_open(lead.event) else "Lasted", _duration_fact(scenes)),
        ("Over since", _over_since(lead)),
        ("Flapping", _flapping(scenes)),
        ("Course", _course(events, lead.timezone)),
        *_identity_facts(lead),
    ]
    return tuple((label, value) for label, value in pairs if value)


def _identity_facts(lead: Scene) -> list[tuple[str, str]]:
    subject, keys = lead.event.subject, lead.facts.keys
    meter = lead.event.meter
    return [
        ("Key", subject.key),
        ("Keys", wording.listing(keys, NAMES_LENGTH) if keys and not subject.key else ""),
        ("Account", subject.account),
        ("Meter", "" if meter == DEFAULT_METER else meter),
        ("Provider", subject.provider),
    ]


def _balance_facts(lead: Scene, events: Sequence[Event]) -> list[tuple[str, str]]:
    paid_in = _paid_in(events)
    unit = f" {lead.facts.unit}" if lead.facts.unit else ""
    is_old = _is_open(lead.event) and lead.facts.reason is not None
    return [
        ("Paid in", f"{paid_in}{unit}" if paid_in else ""),
        ("Last known balance" if is_old else "Balance", lead.balance),
        ("Threshold", _threshold(lead.facts) if _is_open(lead.event) else ""),
    ]


def _outlook_facts(lead: Scene) -> list[tuple[str, str]]:
    """How fast it goes, when it runs out or is lost, and when more is expected."""
    facts = lead.facts
    expires = facts.expires_at
    return [
        ("Uses", _burn(facts)),
        ("Runs out", "" if lead.event.rule in SAYS_IT_ALL else _runs_out(lead)),
        ("Expires", wording.clock(expires, lead.timezone) if expires else ""),
        ("Left unused then", amount(facts.unused, facts) if facts.unused else ""),
        ("Next top-up", _moment_ahead(facts.top_up_at, lead) if facts.top_up_at else ""),
    ]


def _burn(facts: Facts) -> str:
    if not facts.burn:
        return ""
    text = f"{amount(facts.burn, facts)} per hour"
    if facts.usual is None:
        return text
    return f"{text}, normally {wording.amount(facts.usual)} at this hour"


def _runs_out(lead: Scene) -> str:
    """The expected moment, and between which ones it lies in four of five cases."""
    facts = lead.facts
    if facts.runs_out_at is None:
        return ""
    text = _moment_ahead(facts.runs_out_at, lead)
    if facts.earliest is None:
        return text
    earliest, now = wording.span(facts.earliest - lead.now), lead.now
    latest = f"and {wording.span(facts.latest - now)}" if facts.latest else "and years"
    return f"{text}, probably between {earliest} {latest}"


def _moment_ahead(at: datetime, lead: Scene) -> str:
    if at <= lead.now:
        return wording.clock(at, lead.timezone)
    return f"{wording.clock(at, lead.timezone)}, in {wording.span(at - lead.now)}"


def _threshold(facts: Facts) -> str:
    if not facts.threshold:
        return ""
    text = amount(facts.threshold, facts)
    if facts.share is None or facts.reference is None:
        return text
    of = f"{wording.percentage(facts.share)} of {amount(facts.reference, facts)}"
    return f"{text} ({of})"


def _failure_facts(lead: Scene) -> list[tuple[str, str]]:
    if lead.event.rule == "renewal":
        return [("Provider says", lead.facts.detail)]
    if not _is_open(lead.event) or lead.event.rule not in ("rejected", "silent"):
        return []
    reason, last = lead.reason, lead.facts.last_reading_at
    never = "never" if lead.event.subject.key else ""  # of a provider, each key has its own
    read = wording.moment(last, lead.now, lead.timezone) if last else never
    if lead.is_network:  # each provider has an error of its own, and none is to blame
        return [("Errors", lead.facts.detail), ("Last reading", read)]
    return [
        ("Reason", f"{reason.meaning} ({lead.facts.reason})" if reason else ""),
        ("Error" if lead.facts.reason in _OUR_FINDING else "Provider says", lead.facts.detail),
        ("Last reading", read),
    ]


_OUR_FINDING = frozenset({Reason.TIMEOUT, Reason.CONNECTION, Reason.TLS})
"""Reasons for which the provider has said nothing: the detail is what we met with."""


def _duration_fact(scenes: Sequence[Scene]) -> str:
    """Since when what leads is open; else how long what is over lasted, the longest of it."""
    lead = scenes[0]
    if _is_open(lead.event):
        return wording.moment(lead.since, lead.now, lead.timezone)
    over = [s.event for s in scenes if s.event.change is Change.RESOLVED]
    if not over:
        return ""
    first = min(over, key=_began)
    start = wording.clock(_began(first), lead.timezone)
    return f"{wording.span(first.at - _began(first))}, since {start}"


def _over_since(lead: Scene) -> str:
    """When it ended, where this is told later: at the end of a silence."""
    event = lead.event
    if event.change is not Change.RESOLVED or event.why is not Why.SILENCE_OVER:
        return ""
    return f"{wording.moment(event.at, lead.now, lead.timezone)}, while silenced"


def _began(event: Event) -> datetime:
    """When the trouble began that *event* ends: not after it was told."""
    return min(event.opened_at, event.facts.since or event.opened_at)


def _flapping(scenes: Sequence[Scene]) -> str:
    """That an alert comes and goes, so that nobody takes its latest end for the end."""
    often = max(scenes, key=lambda scene: scene.facts.fired)
    if often.facts.fired <= 1:
        return ""
    text = f"fired {often.facts.fired} times within 1 h"
    if often.event.why is Why.SETTLED:
        return text
    return f"{text}; told again when it has stayed the same for {wording.span(SETTLES_AFTER)}"


def _course(events: Sequence[Event], timezone: tzinfo) -> str:
    """The steps of a story that took more than one within the message's waiting time."""
    steps = [e for e in events if e.change not in (Change.OCCURRED, Change.REMINDED)]
    if len({e.rule for e in steps}) == len(steps):
        return ""
    return ", ".join(
        f"{e.rule} {'over' if e.change is Change.RESOLVED else e.severity} "
        f"{e.at.astimezone(timezone):%H:%M:%S}"
        for e in steps
    )


_PAID_AWAY = frozenset({"low_balance", "exhausted", "runway", "before_top_up", "overdue_top_up"})
"""Rules whose alert somebody ends by paying."""


def _link(lead: Scene) -> str:
    if lead.event.rule in _PAID_AWAY or lead.facts.reason is Reason.OUT_OF_CREDITS:
        return lead.facts.top_up_url
    return ""
