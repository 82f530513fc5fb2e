"""The one door to Apprise 2.x (github.com/caronc/apprise): a channel's URL in, a Delivery out.

One plugin object per channel and one target per URL, so that every target has its own outcome.
Apprise's own retries, dispatch and log stay out of it: the outbox retries, and its log records
hold tokens and addresses.  What failed and why is told by :mod:`monitor.delivery.outcome`.
"""

from __future__ import annotations

import difflib
import functools
import logging
import re
import smtplib
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import apprise
from apprise.attachment.memory import AttachMemory
from apprise.manager_plugins import NotificationManager
from apprise.plugins.slack import SlackMode

from monitor.core import wording
from monitor.core.charts import chart_file
from monitor.core.markup import Flavour, render
from monitor.core.messages import Message
from monitor.core.model import Severity
from monitor.core.pen import Rendered
from monitor.delivery.base import Delivery, Outcome
from monitor.delivery.charts import draw
from monitor.delivery.outcome import judge, scrubber
from monitor.delivery.wire import Answer, Heard, listen
from monitor.delivery.worker import StuckError, Worker

log = logging.getLogger(__name__)

SOCKET_SHARE = 0.8
"""A socket gives up after this share of the time for a send, so that the cause is known."""

TITLE_LIMIT = 150
"""Longest title: a header block of Slack takes no more."""

LIMITS = {Flavour.TELEGRAM: 4096, Flavour.SLACK: 2900}
"""Longest body: a message of Telegram after parsing, a section block of Slack (3,000 less some)."""

_FORMATS = {
    Flavour.TEXT: apprise.NotifyFormat.TEXT,
    Flavour.TELEGRAM: apprise.NotifyFormat.HTML,
    Flavour.SLACK: apprise.NotifyFormat.MARKDOWN,
    Flavour.EMAIL: apprise.NotifyFormat.HTML,
    Flavour.MARKDOWN: apprise.NotifyFormat.MARKDOWN,
}

_EXACT = {"tgram": Flavour.TELEGRAM, "slack": Flavour.SLACK}
"""Services whose own markup we write ourselves; Apprise hands it on untouched."""

FREQUENT_SERVICES = {
    "discord": "discord",
    "json": "custom_json",
    "jsons": "custom_json",
    "mailto": "email",
    "mailtos": "email",
    "ntfy": "ntfy",
    "ntfys": "ntfy",
    "pagerduty": "pagerduty",
    "slack": "slack",
    "tgram": "telegram",
}
"""The modules in ``apprise.plugins`` of frequent services, so that they can be loaded alone."""
_MAIL = ("mailto", "mailtos")

_TYPES = {
    Severity.CRITICAL: apprise.NotifyType.FAILURE,
    Severity.WARNING: apprise.NotifyType.WARNING,
    Severity.INFO: apprise.NotifyType.INFO,
    None: apprise.NotifyType.SUCCESS,
}

_ASSET = apprise.AppriseAsset(
    app_id="credit-monitor",
    app_desc="credit-monitor",
    app_url="",
    image_url_mask="",  # no pictures from elsewhere in our messages
    http_redirects=False,  # no token is sent along a redirect
)


# -- the log of Apprise ---------------------------------------------------------------------


class _Complaints(threading.local):
    heard: list[str] | None = None


_complaints = _Complaints()


def _swallow(record: logging.LogRecord) -> bool:
    """Let no record through: they hold URLs, tokens, chat ids and addresses at every level."""
    if _complaints.heard is not None and logging.WARNING <= record.levelno <= logging.ERROR:
        _complaints.heard.append(record.getMessage())
    return False


logging.getLogger("apprise").setLevel(logging.INFO)  # complaints are heard at every root level
for _name in ("apprise", "urllib3.connectionpool"):
    logging.getLogger(_name).addFilter(_swallow)


@contextmanager
def _listening_to_complaints() -> Iterator[list[str]]:
    heard: list[str] = []
    _complaints.heard = heard
    try:
        yield heard
    finally:
        _complaints.heard = None


# -- from URL to plugin ---------------------------------------------------------------------


def load_target(url: str) -> Any:
    """The Apprise plugin of *url*, ready to send; touches no network.

    Raises ``ValueError`` with a sentence, free of secrets, that says what is wrong with the URL.
    """
    _load_plugins(url)
    with _listening_to_complaints() as complaints:
        plugin = apprise.Apprise.instantiate(url, asset=_ASSET)
    if plugin is None:
        raise ValueError(_why_unusable(url))
    if complaints:
        raise ValueError(
            f"a part of this {plugin.service_name} URL is not valid (a recipient or an option); "
            f"see {plugin.setup_url}"
        )
    _require_one_target(plugin)
    return plugin


def _load_plugins(url: str) -> None:
    """Have Apprise load the plugin of *url*, or all where it is not known which one that is.

    Left alone, it loads its 140 plugins at the first URL: 19 MB and 0.12 s that one of them does
    not need.  ``load_modules`` imports from ``apprise.plugins`` what is in a folder by name.
    """
    manager: Any = NotificationManager()  # type: ignore[no-untyped-call]  # Apprise is untyped here
    scheme = _scheme(url)
    module = FREQUENT_SERVICES.get(scheme)
    if module is not None and not (manager and scheme in manager):
        with tempfile.TemporaryDirectory() as folder:
            Path(folder, module).touch()
            manager.load_modules(path=folder)
    if module is None or scheme not in manager:
        manager.load_modules()  # at once when they are loaded


def _scheme(url: str) -> str:
    match = re.match(r"\s*([a-z0-9]{1,20})://", url, re.IGNORECASE)
    return match[1].lower() if match else ""


def _why_unusable(url: str) -> str:
    scheme = _scheme(url)
    if not scheme:
        return "an Apprise URL begins with its service, such as mailtos:// or slack://"
    if scheme in ("http", "https"):
        return "this web address belongs to no known service; for a webhook of yours use jsons://"
    manager: Any = NotificationManager()  # type: ignore[no-untyped-call]  # Apprise is untyped here
    if scheme not in manager:
        close = difflib.get_close_matches(scheme, manager.schemas(), n=1)
        hint = f"; did you mean {close[0]}://?" if close else ""
        return f"Apprise knows no service {scheme}://{hint}"
    service = manager[scheme]
    return f"this {service.service_name} URL is incomplete or malformed; see {service.setup_url}"


def _require_one_target(plugin: Any) -> None:
    """One URL, one recipient: with two, a failure of one would repeat the message to the other."""
    targets = len(plugin) // (plugin.retry + 1)
    targets += len(getattr(plugin, "cc", ())) + len(getattr(plugin, "bcc", ()))
    if targets > 1:
        raise ValueError(
            f"this URL names {targets} recipients; make a channel of each, or a group at the "
            "service: if one fails, the others would get the message again"
        )
    if plugin.schema in _EXACT and getattr(plugin, "targets", True) == []:
        raise ValueError(
            f"this {plugin.service_name} URL names no chat; add its id at the end of the path"
        )


# -- sending --------------------------------------------------------------------------------


_TAKEN = re.compile(rb'\s*\{\s*"ok"\s*:\s*true\s*,.*?"(?:ts|message_id)"\s*:', re.DOTALL)
"""How Slack (chat.postMessage) and Telegram (sendMessage) answer once they show a message."""


@dataclass(slots=True)
class _Progress:
    """What a send met with so far; another thread looks at it when the time is over."""

    with_chart: bool = False
    heard: Heard = field(default_factory=list)

    def text_is_out(self) -> bool:
        """Whether only the chart of a chat message can be missing: the text must not come twice."""
        answers = [each for each in list(self.heard) if isinstance(each, Answer)]
        return self.with_chart and any(_TAKEN.match(answer.body) for answer in answers)

    def chart_is_to_blame(self) -> bool:
        """Whether a mail server refused a mail that it might take without its picture."""
        content = (smtplib.SMTPDataError, smtplib.SMTPSenderRefused)
        return self.with_chart and any(isinstance(each, content) for each in self.heard)


class AppriseSender:
    """Sends through one Apprise URL, in threads of its own, each send bounded in time."""

    def __init__(self, url: str, *, name: str, timeout: float) -> None:
        """Raises ``ValueError`` like :func:`load_target`."""
        self._url = url
        self._name = name
        self._timeout = timeout
        self._scrub = scrubber(url)
        self._worker: Worker[Delivery] = Worker(name)
        load_target(url)

    async def send(self, message: Message) -> Delivery:
        """Send *message*; what takes longer than the timeout is abandoned and may be retried."""
        progress = _Progress()
        try:
            return await self._worker.run(lambda: self._deliver(message, progress), self._timeout)
        except TimeoutError:
            if progress.text_is_out():
                return Delivery(outcome=Outcome.DELIVERED)
            return Delivery(
                outcome=Outcome.RETRY, detail=f"not delivered within {self._timeout:g} s"
            )
        except StuckError:
            return Delivery(outcome=Outcome.RETRY, detail="earlier sends still hang")

    async def close(self) -> None:
        """Nothing to let go of: a thread that still hangs ends with the process."""

    def _deliver(self, message: Message, progress: _Progress) -> Delivery:
        """Send in this thread, with charts where the service takes them, else without."""
        delivery = self._attempt(message, progress)
        if delivery.outcome is Outcome.DELIVERED:
            return delivery
        if progress.text_is_out():
            log.warning("channel %s: the message went out without its chart", self._name)
            return Delivery(outcome=Outcome.DELIVERED)
        if progress.chart_is_to_blame():
            log.warning("channel %s: refused a mail with a chart; sent without", self._name)
            return self._attempt(replace(message, charts=()), progress)
        return delivery

    def _attempt(self, message: Message, progress: _Progress) -> Delivery:
        """One try.  A plugin is built for each: an abandoned one may still run.

        Plugins are foreign code that may raise anything, hence the broad except.
        """
        with listen() as heard:
            progress.heard = heard
            try:
                plugin = load_target(self._url)
                message, pictures = _illustrated(plugin, message)
                progress.with_chart = bool(pictures)
                delivered = bool(_prepare(plugin, message, self._timeout, pictures)())
            except Exception as error:  # noqa: BLE001 - foreign code; see the docstring
                heard.append(error)
                delivered = False
        if delivered:
            return Delivery(outcome=Outcome.DELIVERED)
        return judge(heard, self._scrub)


def _takes_charts(plugin: Any) -> bool:
    """Whether a picture can go along: mail shows it in place, Slack only takes files of bots."""
    if plugin.schema == "slack":
        return bool(plugin.mode == SlackMode.BOT)
    return plugin.schema in (*_MAIL, "tgram")


def _illustrated(plugin: Any, message: Message) -> tuple[Message, Any]:
    """*message* with those of its charts that could be drawn, and their pictures (None: none)."""
    if not message.charts or not _takes_charts(plugin):
        return replace(message, charts=()), None
    drawn = [(chart, png) for chart in message.charts if (png := draw(chart)) is not None]
    pictures = apprise.AppriseAttachment(asset=_ASSET)
    make: Any = AttachMemory  # Apprise is untyped here
    for number, (_, png) in enumerate(drawn, start=1):
        pictures.add(make(png, name=chart_file(number), mimetype="image/png"))
    return replace(message, charts=tuple(chart for chart, _ in drawn)), pictures or None


def _prepare(
    plugin: Any, message: Message, timeout: float, pictures: Any = None
) -> Callable[[], object]:
    """The call that sends *message* through *plugin*."""
    plugin.socket_connect_timeout = plugin.socket_read_timeout = timeout * SOCKET_SHARE
    plugin.request_rate_per_sec = 0  # pacing is the outbox's business, and 429 tells it
    if plugin.schema in _MAIL:
        plugin.headers.setdefault("Auto-Submitted", "auto-generated")  # RFC 3834: no auto-replies
    flavour = flavour_of(plugin)
    rendered = _render(plugin, flavour, message)
    call = functools.partial(
        plugin.notify,  # converts from the format we name to that of the service
        body=rendered.body,
        title=rendered.title,
        notify_type=_TYPES[message.severity],
        body_format=_FORMATS[flavour],
    )
    if plugin.schema == "tgram" and pictures:
        return functools.partial(_text_then_pictures, plugin, call.keywords, pictures)
    if pictures:
        plugin.inline = flavour is Flavour.EMAIL
        call.keywords["attach"] = pictures
    if plugin.schema in _EXACT:  # what notify() would do last, without a conversion before it
        return functools.partial(plugin.send, **call.keywords, body_passthrough=False)
    return call


def _text_then_pictures(plugin: Any, message: dict[str, Any], pictures: Any) -> bool:
    """Telegram's captions hold a quarter of a message, so the pictures follow the text."""
    if not plugin.send(**message, body_passthrough=False):
        return False
    only = {"body": "", "title": "", "body_passthrough": False, "attach": pictures}
    return bool(plugin.send(**{**message, **only}))


def flavour_of(plugin: Any) -> Flavour:
    """The markup a plugin is given: what its service shows best, unless ``?format=`` says text."""
    if plugin.schema in _EXACT:
        return _EXACT[plugin.schema]
    declared = plugin.notify_format
    formats = (declared,) if isinstance(declared, str) else tuple(declared)
    flavour = Flavour.TEXT
    if formats[0] == apprise.NotifyFormat.HTML:
        flavour = Flavour.EMAIL
    elif apprise.NotifyFormat.MARKDOWN in formats and apprise.NotifyFormat.HTML not in formats:
        flavour = Flavour.MARKDOWN
    chosen = plugin.resolve_format(_FORMATS[flavour])
    return flavour if chosen == _FORMATS[flavour] else Flavour.TEXT


def _render(plugin: Any, flavour: Flavour, message: Message) -> Rendered:
    """*message* within what the service takes; a title may have to share the body's room."""
    limit = LIMITS.get(flavour, plugin.body_maxlen)
    longest = min(plugin.title_maxlen or TITLE_LIMIT, TITLE_LIMIT)
    title = wording.clip(render(message, flavour, limit=limit).title, longest)
    if plugin.title_maxlen <= 0 and title:
        limit -= len(title) + len("# \r\n")
    body = render(message, flavour, limit=limit).body
    return Rendered(title=title, body=body)
