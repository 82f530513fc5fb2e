"""A channel's own words: what can be written, what is refused, and that it costs little."""

from __future__ import annotations

import io
import time

import pytest

from monitor.core.markup import Flavour, render
from monitor.core.messages import Message, Story
from monitor.core.model import Severity
from monitor.delivery.base import Outcome
from monitor.delivery.console import ConsoleSender
from monitor.delivery.samples import sample_messages
from monitor.delivery.templates import (
    OUTPUT_LIMIT,
    SOURCE_LIMIT,
    MessageTemplate,
    TemplatedSender,
    TemplateFaultError,
    complaint,
)


def story(name: str = "studio", **more: object) -> Story:
    return Story(
        headline=f"{name} has 412 credits left",
        severity=Severity.CRITICAL,
        name=name,
        facts=(("Balance", "412 credits"), ("Key", name)),
        advice="Top up before it runs out.",
        link="https://kie.ai/billing?a=1&b=2",
        **more,  # type: ignore[arg-type]  # fields of Story
    )


def message(*stories: Story) -> Message:
    told = stories or (story(),)
    return Message(
        title=told[0].title, severity=told[0].severity, stories=told, acknowledge=(12, 15)
    )


BODIES = {
    "the title": ("{{ title }}", "CRITICAL: studio has 412 credits left"),
    "severity and its mark": ("{{ mark }} {{ severity | upper }}", "\N{LARGE RED CIRCLE} CRITICAL"),
    "stories and their facts": (
        (
            "{% for story in stories %}{{ story.name }}:"
            "{% for label, value in story.facts %} {{ label }}={{ value }}{% endfor %}{% endfor %}"
        ),
        "studio: Balance=412 credits Key=studio",
    ),
    "one fact by its label": ("{{ stories[0].fact.Balance }}", "412 credits"),
    "a fact with a blank, or nothing": (
        "{{ stories[0].fact['Last reading'] | default('?') }}",
        "?",
    ),
    "a condition": ("{% if stories | length > 1 %}many{% else %}one{% endif %}", "one"),
    "what to type": ("{{ acknowledge }}", "credit-monitor ack 12 15"),
    "advice and link": (
        "{{ stories[0].advice }}\n\n{{ stories[0].link }}",
        "Top up before it runs out.\n\nhttps://kie.ai/billing?a=1&b=2",
    ),
    "a long value shortened": ("{{ title | truncate(12) }}", "CRITICAL: s…"),
}


@pytest.mark.parametrize(("source", "body"), BODIES.values(), ids=BODIES)
def test_a_template_can_tell(source: str, body: str) -> None:
    assert MessageTemplate(body=source).apply(message()).body == body


def test_a_title_is_one_short_line() -> None:
    told = MessageTemplate(title="credit\n{{ title }}{{ title }}{{ title }}{{ title }}{{ title }}")
    title = told.apply(message()).title
    assert title.startswith("credit CRITICAL: studio")
    assert len(title) == 160


def test_what_has_no_template_stays_as_it_is() -> None:
    told = MessageTemplate(title="x").apply(message())
    assert (told.body, told.stories) == ("", message().stories)


REFUSED = {
    "a call": ("{{ title.upper() }}", "line 1: a call is not available"),
    "a loop over numbers": (
        "{% for n in range(9) %}{% endfor %}",
        "line 1: a loop goes over a name",
    ),
    "another file": ("{% include '/etc/passwd' %}", "line 1: include is not available"),
    "an import": ("{% from 'x' import y %}", "line 1: import is not available"),
    "a parent": ("{% extends 'x' %}", "line 1: extends is not available"),
    "an assignment": ("ok\n{% set x = 1 %}", "line 2: set is not available"),
    "a block that is assigned": ("{% set x %}y{% endset %}", "line 1: set is not available"),
    "a macro": ("{% macro f() %}{% endmacro %}", "line 1: macro is not available"),
    "multiplication": ("{{ 'a' * 999999999 }}", r"line 1: \* is not available"),
    "powers": ("{{ 9 ** 999999999 }}", r"line 1: \*\* is not available"),
    "concatenation": ("{{ title ~ title }}", "line 1: ~ is not available"),
    "a filter it does not have": ("a\n{{ title | center(999999999) }}", "line 2: No filter named"),
    "three loops within each other": (
        (
            "{% for a in stories %}{% for b in stories %}{% for c in stories %}"
            "{% endfor %}{% endfor %}{% endfor %}"
        ),
        "line 1: more than 2 nested loops",
    ),
    "a loop over what grew": (
        "{% for a in title | join(title) %}{% endfor %}",
        "line 1: a loop goes over a name",
    ),
    "signs without end": ("{{ " + "not " * 990 + "title }}", "is nested too deeply"),
    "a loop that is not closed": ("{% for a in stories %}", "line 1: Unexpected end of template"),
    "a length without end": ("x" * (SOURCE_LIMIT + 1), "is longer than 4,000 characters"),
}


@pytest.mark.parametrize(("source", "fault"), REFUSED.values(), ids=REFUSED)
def test_a_template_cannot_have(source: str, fault: str) -> None:
    with pytest.raises(TemplateFaultError, match=fault):
        MessageTemplate(body=source)


FAULTS = {
    "a name that does not exist": ("a\nb {{ titel }}", "template: line 2: 'titel' is undefined"),
    "the inside of Python": (
        "{{ title.__class__.__mro__ }}",
        "template: line 1: access to attribute '__class__' of 'str' object is unsafe.",
    ),
    "a fact that only some messages have": (
        "{{ stories[0].fact.Threshold }}",
        "template: line 1: 'dict object' has no attribute 'Threshold'",
    ),
    "a story that only some messages have": (
        "{{ stories[1].name }}",
        "template: line 1: tuple object has no element 1",
    ),
    "nothing but blanks": (" {% if 0 %}x{% endif %} ", "template: the body is empty"),
    "a number that is none": ("{{ title | truncate('x') }}", "template: line 1: TypeError"),
    "a slip of the syntax": ("{{ title", "template: line 1: unexpected end of template"),
}


@pytest.mark.parametrize(("source", "fault"), FAULTS.values(), ids=FAULTS)
def test_the_check_finds(source: str, fault: str) -> None:
    found = complaint("body", source)
    assert found is not None
    assert found.startswith(fault)


def test_the_check_is_content_with_what_works_for_all_samples() -> None:
    assert complaint("title", "{{ mark }} {{ title }}") is None
    assert complaint("body", "{% for s in stories %}{{ s.headline }}\n{% endfor %}") is None
    assert complaint("body", None) is None


def test_a_template_is_tried_on_reports_too() -> None:
    for name in ("Daily report", "Weekly report"):
        source = f'{{% if "{name}" in title %}}{{{{ stories[99].name }}}}{{% endif %}}fine'
        found = complaint("title", source)
        assert found is not None
        assert "stories" in found or "element" in found


def test_samples_have_messages_with_few_and_many_stories() -> None:
    assert {len(told.stories) for told in sample_messages()} >= {1, 3}
    assert {told.severity for told in sample_messages()} == {
        None,
        Severity.CRITICAL,
        Severity.INFO,
    }


GREEDY = {
    "every story within every story": (
        "{% for a in stories %}{% for b in stories %}{{ b.title }}{% endfor %}{% endfor %}"
    ),
    "loops without any output": (
        "x{% for a in stories %}{% for b in stories %}{% endfor %}{% endfor %}"
    ),
    "joining what was joined": "{{ title | join(title) | truncate(2000) }}",
}


@pytest.mark.parametrize("source", GREEDY.values(), ids=GREEDY)
def test_a_greedy_template_stays_within_bounds(source: str) -> None:
    told = message(*(story(f"key-{n}") for n in range(200)))
    began = time.process_time()
    assert len(MessageTemplate(body=source).apply(told).body) <= OUTPUT_LIMIT
    assert time.process_time() - began < 1


def test_joining_without_end_is_a_fault() -> None:
    source = "{{ title" + " | join(title)" * 9 + " }}"
    with pytest.raises(TemplateFaultError, match="too long"):
        MessageTemplate(body=source).apply(message())


# -- in the markup of channels --------------------------------------------------------------


def test_words_of_a_template_are_escaped_for_the_channel() -> None:
    told = MessageTemplate(body="<b>{{ title }}</b> & *so* on").apply(message())
    assert "&lt;b&gt;CRITICAL" in render(told, Flavour.TELEGRAM, limit=4096).body
    assert "&lt;b&gt;CRITICAL" in render(told, Flavour.EMAIL, limit=4096).body
    assert "\\*so\\*" in render(told, Flavour.MARKDOWN, limit=4096).body
    assert "<b>CRITICAL" in render(told, Flavour.TEXT, limit=4096).body


def test_paragraphs_lines_and_addresses_stay_such() -> None:
    told = MessageTemplate(body="a\nb\n\n\nhttps://kie.ai/x\n").apply(message())
    assert render(told, Flavour.TEXT, limit=999).body == "a\nb\n\nhttps://kie.ai/x"
    mail = render(told, Flavour.EMAIL, limit=9999).body
    assert "<div>a</div><div>b</div></div>" in mail
    assert '<a href="https://kie.ai/x">' in mail


@pytest.mark.parametrize("flavour", Flavour)
@pytest.mark.parametrize("limit", [1500, 2000, 3000])
def test_a_long_body_is_cut_between_lines_and_says_so(flavour: Flavour, limit: int) -> None:
    lines = "\n".join(f"line {n}\n" if n % 7 == 0 else f"line {n}" for n in range(900))
    told = MessageTemplate(body=lines[:SOURCE_LIMIT]).apply(message())
    body = render(told, flavour, limit=limit).body
    assert len(body) <= limit
    assert "line 0" in body
    assert "shortened. Everything: credit" in body


# -- when it fails all the same -------------------------------------------------------------


async def test_a_template_that_fails_gives_way_to_the_built_in_message_and_says_so() -> None:
    stream = io.StringIO()
    sender = TemplatedSender(
        ConsoleSender(stream), MessageTemplate(body="x\n{{ stories[1].name }}")
    )
    assert (await sender.send(message())).outcome is Outcome.DELIVERED
    assert "Balance: 412 credits" in stream.getvalue()
    assert "The template of this channel failed (line 2: tuple object" in stream.getvalue()


async def test_a_channel_with_a_template_sends_its_words() -> None:
    stream = io.StringIO()
    sender = TemplatedSender(
        ConsoleSender(stream), MessageTemplate(title="{{ severity }}!", body="only {{ title }}")
    )
    await sender.send(message())
    assert stream.getvalue().splitlines()[1:] == [
        "\N{LARGE RED CIRCLE} critical!",
        "   only CRITICAL: studio has 412 credits left",
    ]
