"""The channel ``console:`` prints whole messages, with colour on a terminal only."""

from __future__ import annotations

import asyncio
import io

import pytest

from monitor.core.messages import Message, Story
from monitor.core.model import Severity
from monitor.delivery.base import Outcome
from monitor.delivery.console import ConsoleSender
from monitor.delivery.senders import make_sender

MESSAGE = Message(
    title="CRITICAL: studio has 412 credits left",
    severity=Severity.CRITICAL,
    stories=(
        Story(
            headline="studio has 412 credits left",
            severity=Severity.CRITICAL,
            facts=(("Balance", "412 credits"),),
            advice="Top up before it runs out.",
        ),
    ),
)


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture(autouse=True)
def colour_is_allowed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)


@pytest.mark.parametrize("url", ["console:", "console://"])
async def test_a_message_is_printed_on_standard_output(
    url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    delivery = await make_sender(url, name="console", timeout=1).send(MESSAGE)
    assert delivery.outcome is Outcome.DELIVERED
    assert capsys.readouterr().out == (
        "\n\N{LARGE RED CIRCLE} CRITICAL: studio has 412 credits left\n"
        "   Top up before it runs out.\n"
        "   Balance: 412 credits\n"
    )


async def test_a_terminal_gets_colour() -> None:
    terminal = Terminal()
    await ConsoleSender(terminal).send(MESSAGE)
    assert "\x1b[1;31m" in terminal.getvalue()


async def test_no_color_is_respected(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    terminal = Terminal()
    await ConsoleSender(terminal).send(MESSAGE)
    assert "\x1b" not in terminal.getvalue()


async def test_control_characters_of_a_provider_do_not_reach_the_terminal() -> None:
    terminal = Terminal()
    story = Story(headline="x", severity=None, facts=(("Provider says", "\x1b[2J\x07gone"),))
    await ConsoleSender(terminal).send(Message(title="x\x1b[2J", severity=None, stories=(story,)))
    assert "\x1b[2J" not in terminal.getvalue()


async def test_a_closed_output_is_worth_another_try() -> None:
    stream = io.StringIO()
    stream.close()
    delivery = await ConsoleSender(stream).send(MESSAGE)
    assert (delivery.outcome, delivery.detail) == (Outcome.RETRY, "cannot print: ValueError")


async def test_messages_of_several_channels_do_not_mix() -> None:
    stream = io.StringIO()
    await asyncio.gather(*(ConsoleSender(stream).send(MESSAGE) for _ in range(20)))
    lines = [line for line in stream.getvalue().splitlines() if line]
    assert lines == lines[:3] * 20
