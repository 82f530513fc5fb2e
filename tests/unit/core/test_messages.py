"""What a message says: one sentence per row."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import count
from zoneinfo import ZoneInfo

import pytest

from monitor.core.advice import REASON_TEXTS, Cause, reason_text
from monitor.core.events import Change, Event, Facts, Why
from monitor.core.messages import (
    Lateness,
    Message,
    came_and_went,
    compose,
    fallback_note,
    limit_note,
    trial_message,
)
from monitor.core.model import Reason, Severity, Subject
from monitor.core.rules import Rules
from monitor.core.voices import HOST_RULES, VOICES

NOW = datetime(2026, 5, 1, 12, 0, tzinfo=UTC)
STUDIO = Subject("kie", "", "studio")
TEAM = Subject("kie", "studio-main")
KIE = Subject("kie")
CRITICAL, WARNING, INFO = Severity.CRITICAL, Severity.WARNING, Severity.INFO

_ids = count(1)


def event(
    rule: str,
    change: Change = Change.FIRED,
    severity: Severity = CRITICAL,
    *,
    subject: Subject = STUDIO,
    meter: str = "balance",
    minutes_ago: float = 0,
    **facts: object,
) -> Event:
    number = next(_ids)
    facts = {"unit": "credits", **facts}
    at = NOW - timedelta(minutes=minutes_ago)
    return Event(
        id=number,
        alert_id=number,
        subject=subject,
        meter="" if rule in ("rejected", "silent") else meter,
        rule=rule,
        change=change,
        why=Why.NEW,
        told=True,
        severity=severity,
        at=at,
        opened_at=at if change is Change.FIRED else NOW - timedelta(hours=2),
        facts=Facts(**facts),  # type: ignore[arg-type]  # each row names real fields
    )


def low(balance: str = "412", severity: Severity = CRITICAL, **more: object) -> Event:
    return event("low_balance", Change.FIRED, severity, balance=Decimal(balance), **more)  # type: ignore[arg-type]  # see event()


def over(rule: str, **facts: object) -> Event:
    return event(rule, Change.RESOLVED, **{"balance": Decimal(10012), **facts})  # type: ignore[arg-type]  # see event()


def paid(amount: str = "10000", balance: str = "10012") -> Event:
    return event(
        "topped_up", Change.OCCURRED, INFO, amount=Decimal(amount), balance=Decimal(balance)
    )


def rejected(reason: Reason = Reason.UNAUTHORIZED, **facts: object) -> Event:
    return event("rejected", reason=reason, **facts)  # type: ignore[arg-type]  # see event()


def silent(subject: Subject = STUDIO, **facts: object) -> Event:
    since = NOW - timedelta(minutes=25)
    return event("silent", severity=WARNING, subject=subject, since=since, **facts)  # type: ignore[arg-type]  # see event()


def reminded(told: Event, why: Why = Why.REPEAT, hours: float = 6) -> Event:
    """The reminder of an alert that was raised as *told* some hours ago."""
    return replace(
        told, change=Change.REMINDED, why=why, opened_at=NOW - timedelta(hours=hours), at=NOW
    )


def message(*events: Event, **options: object) -> Message:
    return compose(events, now=NOW, **options)  # type: ignore[arg-type]  # options of compose


TITLES: dict[str, tuple[Sequence[Event], str]] = {
    "a low balance is told with what is left": (
        [low()],
        "CRITICAL: studio has 412 credits left",
    ),
    "a warning says so": (
        [low("1999.5", WARNING)],
        "WARNING: studio has 1,999.5 credits left",
    ),
    "ninety cents are told as such": (
        [low("0.90", unit="USD")],
        "CRITICAL: studio has 0.90 USD left",
    ),
    "a meter with a name is named": (
        [low("3", meter="CNY", unit="CNY")],
        "CRITICAL: studio (CNY) has 3 CNY left",
    ),
    "an account is called so": (
        [low(subject=TEAM)],
        "CRITICAL: account studio-main has 412 credits left",
    ),
    "nothing left": (
        [event("exhausted", balance=Decimal(0))],
        "CRITICAL: studio has no credits left",
    ),
    "less than nothing": (
        [event("exhausted", balance=Decimal("-3.2"), unit="USD")],
        "CRITICAL: studio is overdrawn: -3.20 USD",
    ),
    "empty says more than low": (
        [low("0"), event("exhausted", balance=Decimal(0))],
        "CRITICAL: studio has no credits left",
    ),
    "a refused key": ([rejected()], "CRITICAL: studio: key refused"),
    "a silent key says how long and why": (
        [silent(reason=Reason.TIMEOUT)],
        "WARNING: studio: no reading for 25 min (no answer in time)",
    ),
    "a provider's outage counts its keys": (
        [silent(KIE, reason=Reason.SERVER_ERROR, keys=("a", "b", "c"))],
        "WARNING: provider kie: no reading of any of 3 keys for 25 min (provider failing)",
    ),
    "a top-up is told with amount and new balance": (
        [paid()],
        "studio topped up: +10,000, now 10,012 credits",
    ),
    "two top-ups are added up": (
        [paid("5", "17"), paid("0.5", "17.5")],
        "studio topped up: +5.5 in 2 payments, now 17.5 credits",
    ),
    "a top-up and what it ends are one story": (
        [paid(), over("low_balance"), over("exhausted")],
        "studio topped up: +10,000, now 10,012 credits; low balance is over",
    ),
    "a top-up that ends only the emptiness": (
        [paid("5", "17"), over("exhausted", balance=Decimal(17))],
        "studio topped up: +5, now 17 credits; no longer empty",
    ),
    "a top-up that does not suffice": (
        [paid("5", "17"), low("17")],
        "CRITICAL: studio has 17 credits left; +5 paid in",
    ),
    "a balance that recovered": (
        [over("low_balance")],
        "OK again: studio has 10,012 credits; low balance is over",
    ),
    "a key that is accepted again": (
        [over("rejected", balance=None)],
        "OK again: studio: accepted again",
    ),
    "a key that answers again tells its balance": (
        [over("silent")],
        "OK again: studio has 10,012 credits; answers again",
    ),
    "fired and resolved while waiting is over": (
        [low(minutes_ago=1), over("low_balance")],
        "OK again: studio has 10,012 credits; low balance is over",
    ),
    "escalated while waiting tells the latest": (
        [
            low("1500", WARNING, minutes_ago=1),
            event("low_balance", Change.ESCALATED, CRITICAL, balance=Decimal(400)),
        ],
        "CRITICAL: studio has 400 credits left",
    ),
    "several keys are counted and named, worst first": (
        [
            low("1999", WARNING, subject=Subject("kie", "", "relay")),
            low(),
            rejected(),
            low(subject=Subject("kie", "", "video")),
        ],
        "CRITICAL: 3 keys need attention (2 critical): studio, video, relay",
    ),
    "good and bad news stand apart": (
        [low(), over("low_balance", subject=Subject("kie", "", "relay"))],
        "CRITICAL: studio has 412 credits left; OK again: relay",
    ),
    "a reminder of a low balance says since when": (
        [reminded(low())],
        "CRITICAL: still low: studio has 412 credits left, since 06:00 UTC, 6 h",
    ),
    "a reminder of what began on another day gives the date": (
        [reminded(low(), hours=30)],
        "CRITICAL: still low: studio has 412 credits left, since 2026-04-30 06:00 UTC, 1 d 6 h",
    ),
    "a reminder of a refused key": (
        [reminded(rejected())],
        "CRITICAL: still refused: studio: key refused, since 06:00 UTC, 6 h",
    ),
    "a reminder of an empty key": (
        [reminded(event("exhausted", balance=Decimal(0)))],
        "CRITICAL: still empty: studio has no credits left, since 06:00 UTC, 6 h",
    ),
    "a reminder of a silent key says the time once": (
        [reminded(silent(reason=Reason.TIMEOUT))],
        "WARNING: still silent: studio: no reading for 25 min (no answer in time)",
    ),
    "a reminder of a rule of an older version": (
        [reminded(event("bygone", severity=WARNING))],
        "WARNING: still open: studio: bygone, since 06:00 UTC, 6 h",
    ),
    "a silence that ended over an open alert": (
        [reminded(low(), Why.SILENCE_OVER)],
        "CRITICAL: still open after the silence: studio has 412 credits left, since 06:00 UTC, 6 h",
    ),
    "an alert that nobody acknowledged": (
        [reminded(low(), Why.UNANSWERED)],
        "CRITICAL: nobody has acknowledged: studio has 412 credits left, since 06:00 UTC, 6 h",
    ),
    "a reminder that is overtaken by the end tells the end": (
        [reminded(low(minutes_ago=1)), over("low_balance")],
        "OK again: studio has 10,012 credits; low balance is over",
    ),
    "reminders of several keys say that nothing is new": (
        [reminded(low()), reminded(low(subject=Subject("kie", "", "relay")))],
        "CRITICAL: 2 keys still need attention: relay, studio",
    ),
    "a reminder beside news is not called one": (
        [reminded(low()), low(subject=Subject("kie", "", "relay"))],
        "CRITICAL: 2 keys need attention: relay, studio",
    ),
    "reminders of accounts and keys": (
        [reminded(low()), reminded(low(subject=TEAM))],
        "CRITICAL: 2 alerts still open: account studio-main, studio",
    ),
    "a rule of an older version speaks by its name": (
        [event("bygone", severity=WARNING)],
        "WARNING: studio: bygone",
    ),
}


@pytest.mark.parametrize(("events", "title"), TITLES.values(), ids=TITLES)
def test_the_title_stands_alone(events: Sequence[Event], title: str) -> None:
    assert message(*events).title == title


def test_a_title_of_many_keys_is_short_and_says_how_many_more() -> None:
    events = [low(subject=Subject("kie", "", f"key-number-{n}")) for n in range(50)]
    title = message(*events).title
    assert title.startswith("CRITICAL: 50 keys need attention: key-number-0, ")
    assert title.endswith(" more")
    assert len(title) <= 160


FACTS = {
    "a threshold in percent names its reference": (
        low(threshold=Decimal(500), share=Decimal("0.05"), reference=Decimal(10000)),
        ("Threshold", "500 credits (5% of 10,000 credits)"),
    ),
    "a threshold that is an amount stands alone": (
        low(threshold=Decimal(500), reference=Decimal(10000)),
        ("Threshold", "500 credits"),
    ),
    "since when, and how long ago": (
        low(minutes_ago=25),
        ("Since", "2026-05-01 13:35 CEST, 25 min ago"),
    ),
    "the reason in words and as the word of log and metric": (
        rejected(),
        ("Reason", "the key is missing, wrong, expired or switched off (unauthorized)"),
    ),
    "the provider's own words": (
        rejected(detail="You do not have access permissions"),
        ("Provider says", "You do not have access permissions"),
    ),
    "the last reading of a refused key": (
        rejected(last_reading_at=NOW - timedelta(hours=2), balance=Decimal(9876)),
        ("Last reading", "2026-05-01 12:00 CEST, 2 h ago"),
    ),
    "the last balance of a refused key is not called the balance": (
        rejected(balance=Decimal(9876)),
        ("Last known balance", "9,876 credits"),
    ),
    "a key that never answered": (silent(), ("Last reading", "never")),
    "the keys of an account": (low(subject=TEAM, keys=("a", "b")), ("Keys", "a, b")),
    "the account of a key": (
        low(subject=Subject("kie", "studio-main", "studio")),
        ("Account", "studio-main"),
    ),
    "the provider": (low(), ("Provider", "kie")),
    "what was paid in": (paid(), ("Paid in", "+10,000 credits")),
    "an alert that flaps says how often it fired": (
        low(fired=5),
        (
            "Flapping",
            "fired 5 times within 1 h; told again when it has stayed the same for 15 min",
        ),
    ),
    "a reminder says since when, not when it was sent": (
        reminded(low()),
        ("Since", "2026-05-01 08:00 CEST, 6 h ago"),
    ),
    "how long it lasted": (
        over("low_balance"),
        ("Lasted", "2 h, since 2026-05-01 12:00 CEST"),
    ),
}


@pytest.mark.parametrize(("told", "fact"), FACTS.values(), ids=FACTS)
def test_a_story_has_the_fact(told: Event, fact: tuple[str, str]) -> None:
    [story] = message(told, timezone=ZoneInfo("Europe/Berlin")).stories
    assert fact in story.facts


def test_what_a_fact_does_not_apply_to_is_left_out() -> None:
    labels = [label for label, _ in message(low()).stories[0].facts]
    assert labels == ["Balance", "Since", "Key", "Provider"]


def test_a_story_of_several_steps_tells_its_course() -> None:
    [story] = message(
        low("1500", WARNING, minutes_ago=1),
        event("low_balance", Change.ESCALATED, CRITICAL, balance=Decimal(400)),
    ).stories
    assert ("Course", "low_balance warning 11:59:00, low_balance critical 12:00:00") in story.facts


def test_low_credit_comes_with_advice_and_the_page_to_pay_at() -> None:
    [story] = message(low(top_up_url="https://kie.ai/billing")).stories
    assert (story.advice, story.link) == ("Top up before it runs out.", "https://kie.ai/billing")


def test_a_refusal_for_lack_of_credit_links_the_page_to_pay_at() -> None:
    [story] = message(rejected(Reason.OUT_OF_CREDITS, top_up_url="https://kie.ai/billing")).stories
    assert (story.advice, story.link) == ("Top up now.", "https://kie.ai/billing")


@pytest.mark.parametrize("reason", Reason)
def test_every_reason_says_what_it_means_and_what_to_do(reason: Reason) -> None:
    for told in (rejected(reason), silent(reason=reason)):
        [story] = message(told).stories
        assert story.advice == REASON_TEXTS[reason].action
        assert ("Reason", f"{REASON_TEXTS[reason].meaning} ({reason})") in story.facts


@pytest.mark.parametrize("cause", Cause)
def test_a_cause_says_more_than_its_reason_and_what_to_do(cause: Cause) -> None:
    reason = Reason.KEY_CAPPED if "cap of" in cause else Reason.FORBIDDEN
    [story] = message(rejected(reason, detail=f"{cause} (code 401: as they say)")).stories

    text = reason_text(reason, str(cause))
    assert story.headline.endswith(text.short)
    assert story.advice == text.action != REASON_TEXTS[reason].action
    assert ("Reason", f"{text.meaning} ({reason})") in story.facts


def test_good_news_asks_for_nothing() -> None:
    [story] = message(over("low_balance", top_up_url="https://kie.ai/billing")).stories
    assert (story.severity, story.advice, story.link) == (None, "", "")


def test_every_rule_has_a_voice() -> None:
    assert set(VOICES) == {*Rules.model_fields, *HOST_RULES}


def test_a_late_message_says_how_late_and_why() -> None:
    late = Lateness(due_at=NOW - timedelta(minutes=47), cause="connection refused.")
    [note] = message(low(), late=late).notes
    assert note == (
        "This message comes 47 min late: it was due at 2026-05-01 11:13 UTC and could not be "
        "delivered before (connection refused)."
    )


def test_seconds_are_not_late() -> None:
    late = Lateness(due_at=NOW - timedelta(seconds=59), cause="connection refused")
    assert message(low(), late=late).notes == ()


def test_a_message_without_events_is_a_mistake() -> None:
    with pytest.raises(ValueError, match="at least one event"):
        compose([], now=NOW)


def test_the_health_of_a_key_and_its_only_balance_are_one_story() -> None:
    assert len(message(over("rejected"), paid()).stories) == 1


def test_two_meters_are_two_stories() -> None:
    assert len(message(low(meter="CNY"), low(meter="USD")).stories) == 2


def test_the_trial_message_names_its_channel_and_the_time() -> None:
    trial = trial_message("ops", now=NOW)
    assert trial.title == "Test message through ops"
    assert ("Sent", "2026-05-01 12:00 UTC") in trial.stories[0].facts


# -- acknowledging, held messages, notes ----------------------------------------------------


def numbered(alert_id: int, told: Event) -> Event:
    return replace(told, alert_id=alert_id)


ACKNOWLEDGE: dict[str, tuple[Sequence[Event], tuple[int, ...]]] = {
    "an open alert can be acknowledged": ([numbered(12, low())], (12,)),
    "worst first, then in the order they came": (
        [
            numbered(3, low(severity=WARNING)),
            numbered(7, rejected()),
            numbered(5, low(subject=TEAM)),
        ],
        (5, 7, 3),
    ),
    "a reminder can be acknowledged": ([numbered(12, reminded(low()))], (12,)),
    "what is over needs nobody": (
        [numbered(12, low(minutes_ago=1)), numbered(12, over("low_balance"))],
        (),
    ),
    "a top-up needs nobody": ([numbered(12, paid())], ()),
    "information needs nobody": ([numbered(12, low(severity=INFO))], ()),
}


@pytest.mark.parametrize(("events", "alerts"), ACKNOWLEDGE.values(), ids=ACKNOWLEDGE)
def test_a_message_names_the_alerts_to_acknowledge(
    events: Sequence[Event], alerts: tuple[int, ...]
) -> None:
    assert message(*events).acknowledge == alerts


RELAY = Subject("kie", "", "relay")
PASSED = (
    numbered(1, low(minutes_ago=60, subject=RELAY)),
    numbered(1, over("low_balance", subject=RELAY)),
)


def test_what_came_and_went_in_a_held_message_is_one_line() -> None:
    told = message(*PASSED, numbered(2, low()), held=True)
    assert told.title == "CRITICAL: studio has 412 credits left"
    assert [story.name for story in told.stories] == ["studio"]
    assert told.notes == ("Came and went meanwhile: relay (low_balance).",)


def test_a_top_up_in_a_held_message_is_told_even_if_it_ended_an_alert() -> None:
    told = message(
        numbered(1, low(minutes_ago=60)),
        numbered(2, paid()),
        numbered(1, over("low_balance")),
        held=True,
    )
    assert told.title == "studio topped up: +10,000, now 10,012 credits"


def test_an_end_that_settled_takes_along_the_alert_that_began_to_flap() -> None:
    told = (
        numbered(3, low(minutes_ago=60, subject=RELAY)),
        numbered(7, over("low_balance", subject=RELAY)),
    )
    assert came_and_went(told) == {3, 7}
    assert came_and_went(told[::-1][:1]) == frozenset()


def test_a_held_message_of_which_nothing_is_left_can_be_left_out() -> None:
    assert came_and_went(PASSED) == {1}
    assert message(*PASSED, held=True) == message(*PASSED)


def test_the_end_of_what_was_told_before_the_quiet_hours_is_told_after_them() -> None:
    assert came_and_went([numbered(1, over("low_balance"))]) == frozenset()


def test_notes_stand_before_that_of_lateness() -> None:
    late = Lateness(due_at=NOW - timedelta(minutes=47))
    first, second = message(low(), late=late, notes=("Held.",)).notes
    assert (first, second[:27]) == ("Held.", "This message comes 47 min l")


NOTES = {
    "a fallback names the channel and the cause": (
        fallback_note("ops", "invalid_auth."),
        "For channel ops, which could not deliver it: invalid_auth.",
    ),
    "a fallback without a known cause": (
        fallback_note("ops", ""),
        "For channel ops, which could not deliver it.",
    ),
    "the limit of an hour counts and names": (
        limit_note(12, ["studio", "relay"]),
        "12 more messages were held back in this hour: studio, relay.",
    ),
    "one held back message": (limit_note(1, []), "1 more message was held back in this hour."),
}


@pytest.mark.parametrize(("note", "text"), NOTES.values(), ids=NOTES)
def test_a_note_is_a_sentence(note: str, text: str) -> None:
    assert note == text


TOOLS = Subject("useapi", "", "tools")


def renewal(severity: Severity, detail: str = "") -> Event:
    return event(
        "renewal", Change.OCCURRED, severity, subject=TOOLS, meter="kling:anna", detail=detail
    )


def broken_login() -> Event:
    fired = event("rejected", subject=TOOLS, reason=Reason.SESSION_BROKEN)
    return replace(fired, meter="kling:anna")


def test_a_renewed_login_is_told_in_its_own_words() -> None:
    message = compose([renewal(INFO)], now=NOW)
    assert message.title == "tools (kling:anna): logged in again"
    assert not message.stories[0].topped_up


def test_a_login_that_could_not_be_renewed_is_a_warning_with_the_providers_words() -> None:
    message = compose([renewal(WARNING, "session_broken: HTTP 400")], now=NOW)
    assert message.title == "WARNING: tools (kling:anna): logging in again failed"
    assert ("Provider says", "session_broken: HTTP 400") in message.stories[0].facts


@pytest.mark.parametrize(
    ("severity", "clause"), [(INFO, "logged in again"), (WARNING, "logging in again failed")]
)
def test_a_broken_login_and_its_renewal_are_one_story(severity: Severity, clause: str) -> None:
    message = compose([broken_login(), renewal(severity)], now=NOW)
    assert message.title == f"CRITICAL: tools (kling:anna): login session broken; {clause}"


def test_a_renewal_among_others_is_no_top_up() -> None:
    paid = event("topped_up", Change.OCCURRED, INFO, amount=Decimal(5), balance=Decimal(9))
    title = compose([paid, renewal(INFO)], now=NOW).title
    assert title == "Topped up: studio; tools (kling:anna): logged in again"


def test_what_ended_within_a_silence_is_told_with_its_time() -> None:
    told = replace(
        low("9000"), change=Change.RESOLVED, why=Why.SILENCE_OVER, at=NOW - timedelta(hours=2)
    )
    facts = dict(message(replace(told, opened_at=NOW - timedelta(hours=5))).stories[0].facts)
    assert facts["Over since"].endswith(", 2 h ago, while silenced")
    assert facts["Lasted"].startswith("3 h, since ")


@pytest.mark.parametrize(
    ("reason", "label"),
    [
        pytest.param(Reason.SERVER_ERROR, "Provider says", id="what the provider said"),
        pytest.param(Reason.TIMEOUT, "Error", id="no answer came, so nobody said it"),
        pytest.param(Reason.CONNECTION, "Error", id="no connection"),
    ],
)
def test_the_detail_of_a_failure_is(reason: Reason, label: str) -> None:
    facts = dict(message(silent(reason=reason, detail="no answer in 30 s")).stories[0].facts)
    assert facts[label] == "no answer in 30 s"
