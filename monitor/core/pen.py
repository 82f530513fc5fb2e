"""How a message is written and cut to a length between lines, whatever the markup.

Every line is measured after escaping, so nothing is ever cut inside an entity or a tag.
"""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from monitor.core import wording
from monitor.core.messages import Message
from monitor.core.model import Severity
from monitor.core.stories import Story

TOLD_IN_FULL = 10
"""So many stories of a message are told with their facts; of the rest, the headlines."""

HEADLINE_LENGTH = 300
VALUE_LENGTH = 400
"""Longest headline and longest fact, in characters before escaping."""

MOST_ACKNOWLEDGED = 10
"""So many alerts are named in the command that acknowledges them."""

TRAILER_LENGTH = 300
"""Room kept for the words about what was left out, as soon as something is."""

MARKS = {
    Severity.CRITICAL: "\N{LARGE RED CIRCLE}",
    Severity.WARNING: "\N{LARGE ORANGE CIRCLE}",
    Severity.INFO: "\N{LARGE BLUE CIRCLE}",
    None: "\N{LARGE GREEN CIRCLE}",
}
"""Tells severities apart at a glance; the words stand beside it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rendered:
    """A message ready to send: a plain title in one line, and the body in the flavour's markup.

    ``title`` is empty where the body begins with it (Telegram has no titles).
    """

    title: str
    body: str


def acknowledge_command(alerts: Sequence[int]) -> str:
    """What to type to acknowledge *alerts*; empty without any."""
    numbers = " ".join(str(alert) for alert in alerts[:MOST_ACKNOWLEDGED])
    return f"credit-monitor ack {numbers}" if numbers else ""


def plain(text: str) -> str:
    """*text* in one line, without control characters and halves of characters.

    What an API sends as an error text may hold all of them; mail, JSON and phones refuse some.
    """
    return " ".join(_UNPRINTABLE.sub(" ", text).split())


_UNPRINTABLE = re.compile(
    "[\x00-\x1f\x7f-\x9f"  # control characters
    "\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff"  # invisible, and what turns text around
    "\ud800-\udfff\ufffe\uffff]"  # no characters at all
)

_WEB_ADDRESS = re.compile(r"https?://[^\s<>\"'|`\\^{}]+", re.IGNORECASE)


def length(text: str) -> int:
    """Length in UTF-16 units, the way Telegram and Slack count: an emoji is two."""
    return len(text.encode("utf-16-le")) // 2


class Pen(ABC):
    """Writes one flavour: subclasses say what a piece of text looks like, this class what fits.

    A body is a list of blocks, a block a list of lines; the first line of a block matters most.
    """

    title_in_body: ClassVar[bool] = False
    between_lines: ClassVar[str] = "\n"
    between_blocks: ClassVar[str] = "\n\n"

    def render(self, message: Message, limit: int) -> Rendered:
        """The message, cut to *limit*."""
        title = plain(message.title)
        head, tail = self.frame(message, title)
        room = limit - length(head) - length(tail)
        body = self._fit(message, title, room) or self._squeeze(title, room)
        return Rendered(title="" if self.title_in_body else title, body=f"{head}{body}{tail}")

    # -- what a flavour looks like ---------------------------------------------------------

    def frame(self, message: Message, title: str) -> tuple[str, str]:
        """What stands before and after everything else."""
        del message, title
        return "", ""

    @abstractmethod
    def data(self, text: str) -> str:
        """Text that is not markup, escaped."""

    def strong(self, text: str) -> str:
        """*text* (already escaped) in bold."""
        return text

    def link(self, url: str) -> str:
        """An address that can be tapped; *url* is a web address, not escaped."""
        return self.data(url)

    def heading(self, message: Message, title: str) -> str:
        """The title as the first line of the body."""
        return f"{MARKS[message.severity]} {self.strong(self.data(title))}"

    def headline(self, story: Story) -> str:
        """The first line of one of several stories."""
        text = self.data(wording.clip(plain(story.title), HEADLINE_LENGTH))
        return f"{MARKS[story.severity]} {self.strong(text)}"

    def command(self, text: str) -> str:
        """What to type; *text* is ours and has nothing to escape."""
        return text

    def closing(self, alerts: Sequence[int]) -> str:
        """How to acknowledge *alerts*, as the last line."""
        return f"Acknowledge: {self.command(acknowledge_command(alerts))}"

    def fact(self, label: str, value: str) -> str:
        """One fact as a line."""
        return f"{self.data(label)}: {self.data(wording.clip(plain(value), VALUE_LENGTH))}"

    def block(self, lines: Sequence[str]) -> str:
        """Lines that belong together."""
        return self.between_lines.join(lines)

    # -- what fits -------------------------------------------------------------------------

    def _fit(self, message: Message, title: str, room: int) -> str:
        """The whole body if there is room; else as much as fits and a word about the rest."""
        opening = [[self.heading(message, title)]] if self.title_in_body else []
        opening += [[self.data(plain(note))] for note in message.notes]
        if message.body:
            return self._fit_text(message, opening, room)
        stories = [self._lines(message, number) for number in range(len(message.stories))]
        told = [s if n < TOLD_IN_FULL else s[:1] for n, s in enumerate(stories)]
        closing = [[self.closing(message.acknowledge)]] if message.acknowledge else []
        whole = self._join([*opening, *told, *closing])
        if told == stories and length(whole) <= room:
            return whole
        if length(self._join(closing)) > room // 4:
            closing = []
        room -= length(self._join(closing)) + self._longest_gap() * len(closing)
        reserve = min(TRAILER_LENGTH, room // 4)
        kept = self._keep([*opening, *told], room - reserve)
        if not kept:
            return ""
        shown = kept[len(opening) :]
        hidden = [story.name for story in message.stories[len(shown) :]]
        cut = sum(len(a) < len(b) for a, b in zip(shown, stories, strict=False))
        used = length(self._join(kept)) + self._longest_gap()
        return self._join([*kept, *self._trailer(message, hidden, cut, room - used), *closing])

    def _fit_text(self, message: Message, opening: Sequence[list[str]], room: int) -> str:
        """The opening and the lines of the body, as far as there is room, in their order."""
        blocks = [*opening, *self._paragraphs(message.body)]
        whole = self._join(blocks)
        if length(whole) <= room:
            return whole
        reserve = min(TRAILER_LENGTH, room // 4)
        kept: list[list[str]] = []
        left = room - reserve
        for lines in blocks:
            fitting: list[str] = []
            for line in lines:
                left -= length(self.block([line])) + self._longest_gap()
                if left < 0:
                    break
                fitting.append(line)
            if fitting:
                kept.append(fitting)
            if left < 0:
                break
        used = length(self._join(kept)) + self._longest_gap()
        return self._join([*kept, *self._trailer(message, [], 1, room - used)]) if kept else ""

    def _paragraphs(self, text: str) -> list[list[str]]:
        """What blank lines part, line by line, each escaped."""
        parts = [part.splitlines() for part in re.split(r"\n\s*\n", text)]
        found = [[self.line(plain(line)) for line in part if plain(line)] for part in parts]
        return [part for part in found if part]

    def line(self, text: str) -> str:
        """One line of a text of the user's: an address alone can be tapped."""
        return self.link(text) if _WEB_ADDRESS.fullmatch(text) else self.data(text)

    def _lines(self, message: Message, number: int) -> list[str]:
        """One story line by line; the headline of an only story is the title already."""
        story = message.stories[number]
        lines = [] if len(message.stories) == 1 else [self.headline(story)]
        if story.advice:
            lines.append(self.data(plain(story.advice)))
        if _WEB_ADDRESS.fullmatch(story.link):
            lines.append(self.link(story.link))
        lines += [self.fact(label, value) for label, value in story.facts]
        return lines or [self.headline(story)]

    def _keep(self, blocks: Sequence[list[str]], room: int) -> list[list[str]]:
        """First lines of as many blocks as fit, then their further lines, in order."""
        kept: list[list[str]] = []
        for lines in blocks:
            room -= length(self.block(lines[:1])) + self._longest_gap()
            if room < 0:
                return kept
            kept.append(lines[:1])
        for lines, chosen in zip(blocks, kept, strict=True):
            for line in lines[1:]:
                room -= length(line) + length(self.between_lines)
                if room < 0:
                    return kept
                chosen.append(line)
        return kept

    def _longest_gap(self) -> int:
        """Room to keep between two blocks, whichever way they are joined."""
        return max(length(self.between_blocks), length(self.between_lines))

    def _join(self, blocks: Sequence[list[str]]) -> str:
        """Blocks one after the other; lonely lines stand close together, as in a list."""
        text = ""
        lonely = False
        for lines in blocks:
            gap = self.between_lines if lonely and len(lines) == 1 else self.between_blocks
            text += f"{gap if text else ''}{self.block(lines)}"
            lonely = len(lines) == 1
        return text

    def _trailer(
        self, message: Message, hidden: Sequence[str], cut: int, room: int
    ) -> list[list[str]]:
        """A word about what was left out, as long as *room* allows."""
        shortened = f"{cut} shortened. " if cut else ""
        for names in (200, 100, 40, 0):
            listed = f": {wording.listing(hidden, names)}" if names else ""
            more = f"{len(hidden)} more{listed}. " if hidden else ""
            text = f"{more}{shortened}Everything: {message.source}"
            block = [self.data(plain(text))]
            if length(self.block(block)) <= room:
                return [block]
        return []

    def _squeeze(self, title: str, room: int) -> str:
        """As much of the title as fits where nothing else does."""
        text = ""
        for character in title:
            text += self.data(character)
            if length(text) > room:
                return text[: -len(self.data(character))]
        return text
