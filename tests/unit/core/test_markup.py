"""Whatever names and details hold, every flavour stays well-formed, readable and within limits."""

from __future__ import annotations

import os
from html import unescape
from html.parser import HTMLParser
from pathlib import Path

import pytest
from fixtures.fake_chats import slack_text, telegram_text
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.core.markup import Flavour, render
from monitor.core.messages import Message, Story
from monitor.core.model import Severity
from monitor.core.pen import TOLD_IN_FULL, length, plain

GOLDEN = Path(__file__).parents[2] / "fixtures" / "messages"

EMAIL_TAGS = {"html", "head", "meta", "title", "body", "div", "h1", "span", "b", "a"}
COMMAND = "credit-monitor ack 12 15"
VOID_TAGS = {"meta"}

SMALLEST = {Flavour.EMAIL: 1500}
"""Smallest limit a flavour is asked to keep; a mail's frame alone takes some 800 characters."""


def story(number: int = 0, text: str = "", severity: Severity | None = Severity.CRITICAL) -> Story:
    return Story(
        headline=f"key_{number} has 412 credits left{text}",
        severity=severity,
        name=f"key_{number}",
        facts=(("Balance", "412 credits"), ("Provider says", f"sorry{text}")),
        advice="Top up before it runs out.",
        link="https://kie.ai/billing?a=1&b=2",
    )


def message(
    *stories: Story, notes: tuple[str, ...] = (), acknowledge: tuple[int, ...] = ()
) -> Message:
    title = stories[0].title if len(stories) == 1 else f"CRITICAL: {len(stories)} keys"
    return Message(
        title=title,
        severity=stories[0].severity,
        stories=stories,
        notes=notes,
        acknowledge=acknowledge,
    )


# -- golden files ---------------------------------------------------------------------------

LATE = (
    "This message comes 47 min late: it was due at 2026-05-01 11:13 UTC and could not be "
    "delivered before (connection refused)."
)

EXAMPLES = {
    "low_balance": message(story()),
    "several": message(
        Story(
            headline="my_key_1: key refused",
            severity=Severity.CRITICAL,
            name="my_key_1",
            facts=(
                ("Last known balance", "10,012 credits"),
                ("Reason", "the key is missing, wrong, expired or switched off (unauthorized)"),
                ("Provider says", "<b>No</b> access & no _luck_"),
            ),
            advice="The owner of the key should check it at the provider and replace it.",
        ),
        Story(
            headline="studio topped up: +10,000, now 10,012 credits; low balance is over",
            severity=None,
            name="studio",
            topped_up=True,
            facts=(("Paid in", "+10,000 credits"), ("Balance", "10,012 credits")),
        ),
        notes=(LATE,),
    ),
    "many": message(*(story(number) for number in range(14))),
    "reminder": message(
        Story(
            headline="still low: studio has 412 credits left, since 14:02 CEST, 6 h",
            severity=Severity.CRITICAL,
            name="studio",
            reminder=True,
            facts=(("Balance", "412 credits"), ("Flapping", "fired 5 times within 1 h")),
            advice="Top up before it runs out.",
            link="https://kie.ai/billing",
        ),
        notes=(
            "For channel ops, which could not deliver it: invalid_auth.",
            "Held during quiet hours from 22:00 to 07:00.",
        ),
        acknowledge=(12,),
    ),
}


@pytest.mark.parametrize("flavour", Flavour)
@pytest.mark.parametrize("name", EXAMPLES)
def test_an_example_looks_as_it_was_approved(name: str, flavour: Flavour) -> None:
    rendered = render(EXAMPLES[name], flavour, limit=4096)
    text = f"{rendered.title}\n----\n{rendered.body}\n"
    file = GOLDEN / f"{name}.{flavour}.txt"
    if os.environ.get("APPROVE"):  # APPROVE=1 pytest ... writes what is then looked at in the diff
        file.write_text(text, encoding="utf-8")
    assert text == file.read_text(encoding="utf-8")


# -- well-formed ----------------------------------------------------------------------------

texts = st.text(max_size=40) | st.lists(
    st.sampled_from(
        ["&", "<", ">", "_", "*", "~", "`", "|", ":x:", "<!channel>", "@here", "&amp;", "</b>", "a"]
    ),
    max_size=12,
).map("".join)


@st.composite
def messages(draw: st.DrawFn) -> Message:
    stories = draw(
        st.lists(
            st.builds(
                Story,
                headline=texts,
                severity=st.sampled_from([*Severity, None]),
                name=texts,
                facts=st.lists(st.tuples(texts, texts | st.text(min_size=500)), max_size=4).map(
                    tuple
                ),
                advice=texts,
                link=texts | texts.map(lambda text: f"https://kie.ai/{text}"),
            ),
            min_size=1,
            max_size=16,
        )
    )
    notes = draw(st.lists(texts, max_size=2))
    return Message(
        title=draw(texts),
        severity=stories[0].severity,
        stories=tuple(stories),
        notes=tuple(notes),
        acknowledge=tuple(draw(st.lists(st.integers(1, 10**6), max_size=12))),
    )


limits = st.integers(60, 6000)


@given(messages(), limits)
@settings(deadline=None, max_examples=50)
@pytest.mark.parametrize("flavour", Flavour)
def test_no_text_exceeds_the_limit(flavour: Flavour, told: Message, limit: int) -> None:
    limit = max(limit, SMALLEST.get(flavour, 0))
    rendered = render(told, flavour, limit=limit)
    assert length(rendered.body) <= limit
    assert "\n" not in rendered.title
    (rendered.title + rendered.body).encode()  # no halves of characters


@given(messages(), limits)
@settings(deadline=None, max_examples=50)
def test_telegram_accepts_whatever_is_in_it(told: Message, limit: int) -> None:
    shown = telegram_text(render(told, Flavour.TELEGRAM, limit=limit).body)
    assert length(shown) <= limit


@given(messages(), limits)
@settings(deadline=None, max_examples=50)
def test_slack_shows_no_mention_and_no_stray_formatting(told: Message, limit: int) -> None:
    slack_text(render(told, Flavour.SLACK, limit=limit).body)


class _Html(HTMLParser):
    """Refuses what a strict reader would: unknown, unbalanced or unescaped."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.open: list[str] = []
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert tag in EMAIL_TAGS
        assert {name for name, _ in attrs} <= {
            "style",
            "href",
            "lang",
            "charset",
            "name",
            "content",
        }
        if tag not in VOID_TAGS:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data

    def handle_comment(self, data: str) -> None:
        raise AssertionError("a comment")


def html_text(body: str) -> str:
    parser = _Html()
    parser.feed(body)
    parser.close()
    assert not parser.open
    return parser.text


@given(messages(), limits)
@settings(deadline=None, max_examples=50)
def test_a_mail_is_balanced_html_with_known_tags_only(told: Message, limit: int) -> None:
    html_text(render(told, Flavour.EMAIL, limit=max(limit, 1500)).body)


@given(texts)
def test_a_text_comes_out_of_html_as_it_went_in(text: str) -> None:
    told = message(story(text=f" {text} end"))
    fact = f"Provider says: {plain(f'sorry {text} end')}"
    assert fact in telegram_text(render(told, Flavour.TELEGRAM, limit=4096).body).splitlines()
    assert fact in html_text(render(told, Flavour.EMAIL, limit=9000).body)


NAMES = ["my_key_1", "prod-eu.2", "a@b", "UPPER_case_9"]


@pytest.mark.parametrize("name", NAMES)
def test_a_name_reads_right_in_slack_and_can_be_copied(name: str) -> None:
    body = render(message(story(text=f" {name}")), Flavour.SLACK, limit=2900).body
    assert f"sorry {name}" in body


LOOKALIKES = {
    "bold": ("*x*", "\u2217x\u2217"),
    "italic": ("_x_", "\u02cdx\u02cd"),
    "struck": ("~x~", "\u223cx\u223c"),
    "code": ("`x`", "\u02cbx\u02cb"),
    "an emoji": (":x:", "\ua789x:"),
    "a time is no emoji": ("12:30:45", "12:30:45"),
    "a mention": ("<!channel>", "&lt;!channel&gt;"),
}


@pytest.mark.parametrize(("text", "shown"), LOOKALIKES.values(), ids=LOOKALIKES)
def test_formatting_in_data_gives_way_to_lookalikes_in_slack(text: str, shown: str) -> None:
    body = render(message(story(text=f" {text}")), Flavour.SLACK, limit=2900).body
    assert f"sorry {shown}" in body.splitlines()[-1]


def test_markdown_signs_are_escaped_and_nobody_is_mentioned() -> None:
    body = render(message(story(text=" my_key *b* @everyone")), Flavour.MARKDOWN, limit=2000).body
    assert r"my\_key \*b\*" in body
    assert "@everyone" not in body


BAD_LINKS = ["javascript:alert(1)", 'https://x.y/"><b>', "https://x y", "ftp://x.y", "https://x|y"]


@pytest.mark.parametrize("link", BAD_LINKS)
@pytest.mark.parametrize("flavour", Flavour)
def test_only_web_addresses_become_links(flavour: Flavour, link: str) -> None:
    told = Message(
        title="t",
        severity=None,
        stories=(Story(headline="h", severity=None, facts=(("a", "b"),), link=link),),
    )
    assert link not in unescape(render(told, flavour, limit=4096).body)


# -- what is left out -----------------------------------------------------------------------


def test_beyond_ten_stories_only_headlines_are_told() -> None:
    body = render(message(*map(story, range(14))), Flavour.TEXT, limit=30000).body
    assert body.count("Balance: ") == TOLD_IN_FULL
    assert all(f"key_{number} has" in body for number in range(14))
    assert body.endswith("4 shortened. Everything: credit-monitor alerts")


def test_too_many_stories_are_named_and_counted() -> None:
    body = render(message(*map(story, range(100))), Flavour.TEXT, limit=2000).body
    shown = body.count("credits left")
    assert "Balance: " not in body
    assert f"{100 - shown} more: key_{shown}, " in body
    assert f"{shown} shortened. Everything: credit-monitor alerts" in body


def test_facts_give_way_before_headlines_do() -> None:
    body = render(message(*map(story, range(5))), Flavour.TEXT, limit=700).body
    assert all(f"key_{number} has" in body for number in range(5))
    assert 0 < body.count("Top up") < 5


def test_where_nothing_fits_the_title_is_cut() -> None:
    told = message(story(text=" & more" * 30))
    assert render(told, Flavour.TELEGRAM, limit=60).body.startswith("CRITICAL: key_0 has 412")


def test_the_title_is_one_line_without_what_turns_text_around() -> None:
    told = Message(title="a\n\u202eb\x00\ud800", severity=None, stories=(story(),))
    assert render(told, Flavour.TEXT, limit=500).title == "a b"


# -- how to acknowledge ---------------------------------------------------------------------


@pytest.mark.parametrize("flavour", Flavour)
def test_how_to_acknowledge_is_said_at_the_end(flavour: Flavour) -> None:
    body = render(message(story(), acknowledge=(12, 15)), flavour, limit=4096).body
    assert COMMAND in body
    assert body.index(COMMAND) > body.index("Balance")


@pytest.mark.parametrize("flavour", Flavour)
def test_how_to_acknowledge_is_still_said_when_stories_are_left_out(flavour: Flavour) -> None:
    told = message(*(story(number) for number in range(60)), acknowledge=(12, 15))
    body = render(told, flavour, limit=4096).body
    assert COMMAND in body
    assert "Everything: credit" in body


def test_only_so_many_alerts_are_named_to_acknowledge() -> None:
    told = message(story(), acknowledge=tuple(range(1, 40)))
    last = render(told, Flavour.TEXT, limit=4096).body.splitlines()[-1]
    assert last == "Acknowledge: credit-monitor ack 1 2 3 4 5 6 7 8 9 10"
