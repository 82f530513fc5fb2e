"""A message in the markup of a channel, escaped for it; its length is the business of the pen."""

from __future__ import annotations

import re
from collections.abc import Sequence
from enum import StrEnum
from html import escape

from monitor.core import wording
from monitor.core.charts import chart_file
from monitor.core.messages import Message
from monitor.core.pen import HEADLINE_LENGTH, MARKS, VALUE_LENGTH, Pen, Rendered, plain
from monitor.core.stories import Story


class Flavour(StrEnum):
    """The markups that channels understand."""

    TEXT = "text"
    TELEGRAM = "telegram"
    SLACK = "slack"
    EMAIL = "email"
    MARKDOWN = "markdown"


def render(message: Message, flavour: Flavour, *, limit: int) -> Rendered:
    """*message* in *flavour*, its body at most *limit* characters long (UTF-16 units).

    Stories come worst first; what does not fit is left out by whole lines, and the body says how
    much that was.
    """
    return _PENS[flavour].render(message, limit)


class _Text(Pen):
    """Plain text: nothing to escape, nothing that is markup."""

    def data(self, text: str) -> str:
        return text


class _Telegram(Pen):
    """HTML as core.telegram.org/bots/api#html-style knows it: few tags, three escapes."""

    title_in_body = True

    def data(self, text: str) -> str:
        return escape(text, quote=False)

    def strong(self, text: str) -> str:
        return f"<b>{text}</b>"

    def command(self, text: str) -> str:
        return f"<code>{text}</code>"  # a tap copies it


class _Slack(Pen):
    """mrkdwn of docs.slack.dev/messaging/formatting-message-text.

    It has no escape for its own signs, so in data they give way to look-alikes, except where Slack
    takes no notice of them: an underscore within a word.
    """

    _signs = str.maketrans({"*": "\u2217", "~": "\u223c", "`": "\u02cb"})
    _lone_underscore = re.compile(r"(?<![^\W_])_|_(?![^\W_])")
    _emoji = re.compile(r":(?=[a-z_+'-][a-z0-9_+'-]*:)", re.IGNORECASE)

    def data(self, text: str) -> str:
        text = self._lone_underscore.sub("\u02cd", text.translate(self._signs))
        return escape(self._emoji.sub("\ua789", text), quote=False)

    def strong(self, text: str) -> str:
        return f"*{text}*" if text else ""

    def command(self, text: str) -> str:
        return f"`{text}`"

    def link(self, url: str) -> str:
        return f"<{escape(url, quote=False)}>"


class _Email(Pen):
    """HTML for mail programs: styles in place, no colours that a dark mode would fight."""

    title_in_body = True
    between_lines = ""
    between_blocks = "\n"

    def render(self, message: Message, limit: int) -> Rendered:
        rendered = super().render(message, limit)
        return Rendered(title=plain(message.title), body=rendered.body)

    def frame(self, message: Message, title: str) -> tuple[str, str]:
        pictures = "".join(
            _EMAIL_CHART.format(file=chart_file(number), name=escape(plain(chart.name)))
            for number, chart in enumerate(message.charts, start=1)
        )
        return _EMAIL_HEAD.format(title=escape(title)), pictures + _EMAIL_TAIL

    def data(self, text: str) -> str:
        return escape(text)

    def heading(self, message: Message, title: str) -> str:
        del message  # mail programs show subjects without marks, and so does the heading
        return f'<h1 style="font-size:20px;line-height:1.3;margin:0 0 8px">{self.data(title)}</h1>'

    def headline(self, story: Story) -> str:
        text = self.data(wording.clip(plain(story.title), HEADLINE_LENGTH))
        return f'<div style="font-weight:bold;margin:0 0 4px">{MARKS[story.severity]} {text}</div>'

    def fact(self, label: str, value: str) -> str:
        shown = self.data(wording.clip(plain(value), VALUE_LENGTH))
        name = f'<span style="opacity:.65">{self.data(label)}:</span>'
        return f"<div>{name} <b>{shown}</b></div>"

    def line(self, text: str) -> str:
        return f"<div>{super().line(text)}</div>"

    def closing(self, alerts: Sequence[int]) -> str:
        return f'<div style="opacity:.65;font-size:13px">{super().closing(alerts)}</div>'

    def link(self, url: str) -> str:
        return f'<div style="margin:4px 0"><a href="{escape(url)}">{escape(url)}</a></div>'

    def block(self, lines: Sequence[str]) -> str:
        return f'<div style="margin:0 0 16px">{"".join(lines)}</div>'


_EMAIL_HEAD = """\
<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="supported-color-schemes" content="light dark">
<title>{title}</title></head>
<body style="margin:0;padding:16px;max-width:600px;overflow-wrap:break-word;\
font:15px/1.45 -apple-system,'Segoe UI',Roboto,Helvetica,Arial,sans-serif">
"""

_EMAIL_CHART = """
<div style="margin:0 0 16px"><img src="cid:{file}" alt="Balance of {name}" width="600" \
style="max-width:100%;height:auto"></div>"""

_EMAIL_TAIL = """
<div style="opacity:.65;font-size:13px">Sent by credit-monitor.</div>
</body></html>
"""


class _Markdown(Pen):
    """CommonMark, which Apprise turns into the dialect of the service."""

    _signs = re.compile(r"([\\`*_~#|\[\]()!<>&{}])")
    between_lines = "  \n"  # a line break that survives paragraphs

    def data(self, text: str) -> str:
        return self._signs.sub(r"\\\1", text).replace("@", "@\u200b")  # no @everyone

    def strong(self, text: str) -> str:
        return f"**{text}**"

    def command(self, text: str) -> str:
        return f"`{text}`"

    def link(self, url: str) -> str:
        return f"<{url}>"


_PENS: dict[Flavour, Pen] = {
    Flavour.TEXT: _Text(),
    Flavour.TELEGRAM: _Telegram(),
    Flavour.SLACK: _Slack(),
    Flavour.EMAIL: _Email(),
    Flavour.MARKDOWN: _Markdown(),
}
