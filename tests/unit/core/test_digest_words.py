"""The report in words: approved examples in every markup, and what must not get lost in it."""

from __future__ import annotations

import os
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from monitor.core.digest_values import (
    AlertCounts,
    BalanceDigest,
    ChannelDigest,
    Digest,
    FailedPolls,
    KnownMeter,
    Mark,
    Outlook,
    Payments,
    Total,
)
from monitor.core.digest_words import change, dates, digest_message, runs_out
from monitor.core.markup import Flavour, render
from monitor.core.messages import LATE_AFTER, Lateness, decode, encode, recall
from monitor.core.model import Severity, Subject
from monitor.core.pen import length
from monitor.core.periods import Every, last_period

GOLDEN = Path(__file__).parents[2] / "fixtures" / "messages"
BERLIN = ZoneInfo("Europe/Berlin")
NOW = datetime(2026, 5, 4, 7, tzinfo=UTC)
WEEK = last_period(Every.WEEK, NOW, BERLIN)
NONE = Payments()


def balance(name: str = "studio-main", left: str | None = "5210") -> BalanceDigest:
    return BalanceDigest(
        known=KnownMeter(
            subject=Subject("kie", name),
            meter="balance",
            keys=("studio", "studio-batch"),
            unit="credits",
            balance=None if left is None else Decimal(left),
            read_at=NOW,
        ),
        consumed=Decimal("3120.5"),
        consumed_before=Decimal(2400),
        change_share=Decimal("0.3"),
        topped_up=Payments(count=1, amount=Decimal(5000)),
        refunded=Payments(count=2, amount=Decimal(40)),
        lowest=Mark(amount=Decimal(412), at=WEEK.since + timedelta(days=2, hours=3)),
        worst_hour=Mark(amount=Decimal(380), at=WEEK.since + timedelta(days=2)),
        outlook=Outlook(known=True, lasts=timedelta(days=11.8)),
        gaps=timedelta(hours=5),
        observed_since=None,
    )


def unread() -> BalanceDigest:
    known = KnownMeter(subject=Subject("relay", "", "my_key_1"), meter="EUR", keys=("my_key_1",))
    return BalanceDigest(
        known=known,
        consumed=None,
        consumed_before=None,
        change_share=None,
        topped_up=NONE,
        refunded=NONE,
        lowest=None,
        worst_hour=None,
        outlook=Outlook(known=False),
        gaps=timedelta(0),
        observed_since=None,
    )


def digest(*balances: BalanceDigest) -> Digest:
    return Digest(
        period=WEEK,
        at=NOW,
        totals=(
            Total(
                unit="credits",
                consumed=Decimal("3120.5"),
                consumed_before=Decimal(2400),
                change_share=Decimal("0.3"),
                topped_up=Payments(count=1, amount=Decimal(5000)),
                refunded=NONE,
            ),
        ),
        balances=balances,
        failed_polls=FailedPolls(
            count=1014,
            keys=2,
            total=timedelta(minutes=70),
            longest=timedelta(minutes=40),
            longest_key="studio",
        ),
        alerts=AlertCounts(
            opened={Severity.INFO: 0, Severity.WARNING: 2, Severity.CRITICAL: 1},
            resolved=2,
            still_open=("my_key_1 rejected",),
        ),
        channels=(
            ChannelDigest(
                name="ops",
                delivered=12,
                retries=1,
                dead=1,
                pending=0,
                median_delay=timedelta(seconds=11),
            ),
        ),
        unread_keys=("my_key_1",),
    )


@pytest.mark.parametrize("flavour", Flavour)
def test_a_report_looks_as_it_was_approved(flavour: Flavour) -> None:
    due = NOW - timedelta(hours=3)
    message = digest_message(digest(balance(), unread()), timezone=BERLIN, due_at=due)
    rendered = render(message, flavour, limit=4096)
    text = f"{rendered.title}\n----\n{rendered.body}\n"
    file = GOLDEN / f"report.{flavour}.txt"
    if os.environ.get("APPROVE"):
        file.write_text(text, encoding="utf-8")
    assert text == file.read_text(encoding="utf-8")


@pytest.mark.parametrize("flavour", Flavour)
@pytest.mark.parametrize("limit", [1500, 2900, 4096, 32768])
def test_a_thousand_balances_do_not_cut_the_summary_short(flavour: Flavour, limit: int) -> None:
    many = digest(*(balance(f"account-{number:04}") for number in range(1000)))
    message = digest_message(many, timezone=UTC)
    assert len(message.stories) <= 11
    assert len(encode(message)) < 20_000
    body = render(message, flavour, limit=limit).body
    assert length(body) <= limit
    if flavour is not Flavour.EMAIL or limit > 4096:  # the tags fill a short mail
        assert "1,014 of 2 keys" in body
        assert "account-0000" in body


def test_what_does_not_fit_is_where_the_message_says() -> None:
    many = digest(*(balance(f"account-{number:04}") for number in range(40)))
    body = render(digest_message(many, timezone=UTC), Flavour.TEXT, limit=1500).body
    assert body.endswith("Everything: credit-monitor report --period week")


def test_a_stored_message_comes_back_as_it_was() -> None:
    message = digest_message(digest(balance(), unread()), timezone=UTC, due_at=NOW)
    assert decode(encode(message)) == message
    assert recall(encode(message), NOW, None) == message
    changed = encode(message).replace('{"title"', '{"of_another_version":1,"title"', 1)
    assert decode(changed) == message


def test_a_stored_message_that_leaves_late_says_so() -> None:
    message = digest_message(digest(balance()), timezone=UTC)
    late = recall(encode(message), NOW + 2 * LATE_AFTER, Lateness(due_at=NOW, cause="HTTP 503"))
    assert "comes 2 min late" in late.notes[0]
    assert "HTTP 503" in late.notes[0]


def test_a_week_in_which_nothing_was_read_says_so_in_the_title() -> None:
    empty = replace(digest(unread()), totals=())
    title = digest_message(empty, timezone=BERLIN).title
    assert title == "Weekly report, 27 Apr to 3 May 2026: no balance was read"


def test_a_day_is_told_by_its_name() -> None:
    assert dates(last_period(Every.DAY, NOW, BERLIN), BERLIN) == "Sun 3 May 2026"


@pytest.mark.parametrize(
    ("share", "text"),
    [
        (None, ""),
        ("0", "as much"),
        ("0.004", "as much"),
        ("0.125", "12% more"),
        ("-0.5", "50% less"),
        ("12", "1,200% more"),
    ],
)
def test_a_change_in_words(share: str | None, text: str) -> None:
    assert change(None if share is None else Decimal(share)) == text


@pytest.mark.parametrize(
    ("outlook", "text"),
    [
        (Outlook(known=False), "not enough history"),
        (Outlook(known=True), "nothing was used"),
        (Outlook(known=True, lasts=timedelta(days=900)), "more than a year"),
        (Outlook(known=True, lasts=timedelta(days=11.8)), "about 12 days"),
        (Outlook(known=True, lasts=timedelta(hours=30)), "about 30 h"),
        (Outlook(known=True, lasts=timedelta(minutes=3)), "less than an hour"),
    ],
)
def test_how_long_it_lasts_in_words(outlook: Outlook, text: str) -> None:
    assert runs_out(outlook) == text
