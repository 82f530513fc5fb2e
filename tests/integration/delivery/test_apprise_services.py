"""Slack, Telegram and Discord as really addressed, over TLS, through a proxy that answers."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from fixtures import fake_chats as chats
from fixtures import intercepting_proxy as wire
from fixtures.intercepting_proxy import InterceptingProxy

from monitor.core.messages import Message, Story, trial_message
from monitor.core.model import Severity
from monitor.delivery.base import Delivery, Outcome
from monitor.delivery.senders import make_sender

SLACK_PATH = "T1JJ3T3L2/A1BRTD4JD/TIiajkdnlazkcOXrIdevi7"
SLACK_TOKEN = "xoxb-123456789012-1234567890123-4mt0t4l53cr3t"
TELEGRAM_TOKEN = "123456789:AAF-s3cr3t_telegram_token_0123456789"
TELEGRAM_CHAT = -1001234567890

NASTY = "a & b <script> my_key_1 _x_ *y* `z` ~q~ <!channel> @everyone \"'</b>&amp;"

MESSAGE = Message(
    title="CRITICAL: my_key_1 has 412 credits & <nothing> else left",
    severity=Severity.CRITICAL,
    stories=(
        Story(
            headline="my_key_1 has 412 credits & <nothing> else left",
            severity=Severity.CRITICAL,
            name="my_key_1",
            facts=(("Balance", "412 credits"), ("Provider says", NASTY)),
            advice="Top up before it runs out.",
            link="https://kie.ai/billing?a=1&b=2",
        ),
    ),
)


@dataclass(frozen=True)
class Channel:
    url: str
    host: str
    secrets: tuple[str, ...]


CHANNELS = {
    "slack webhook": Channel(
        f"slack://{SLACK_PATH}", "hooks.slack.com", tuple(SLACK_PATH.split("/"))
    ),
    "slack bot": Channel(
        f"slack://{SLACK_TOKEN}/#s3cr3t-room", "slack.com", (SLACK_TOKEN, "s3cr3t-room")
    ),
    "telegram": Channel(
        f"tgram://{TELEGRAM_TOKEN}/{TELEGRAM_CHAT}",
        "api.telegram.org",
        (TELEGRAM_TOKEN, TELEGRAM_TOKEN.partition(":")[2], "1001234567890"),
    ),
    "discord": Channel(
        "discord://4174216298/JHMHI8qBe7bk2ZwO5U711o3dV_js",
        "discord.com",
        ("4174216298", "JHMHI8qBe7bk2ZwO5U711o3dV_js"),
    ),
}

every_channel = pytest.mark.parametrize("channel", CHANNELS.values(), ids=CHANNELS)


async def send(channel: Channel, seconds: float = 20, message: Message = MESSAGE) -> Delivery:
    sender = make_sender(channel.url, name="ops", timeout=seconds)
    try:
        return await sender.send(message)
    finally:
        await sender.close()


@pytest.fixture
def all_logs(caplog: pytest.LogCaptureFixture) -> Iterator[pytest.LogCaptureFixture]:
    caplog.set_level(logging.DEBUG)
    for name in ("urllib3", "apprise", "requests"):
        caplog.set_level(logging.DEBUG, logger=name)
    yield caplog
    logging.getLogger("apprise").setLevel(logging.INFO)


# -- what arrives ---------------------------------------------------------------------------


async def test_telegram_accepts_and_shows_what_its_html_would_choke_on(
    proxy: InterceptingProxy, json_reply: Any
) -> None:
    telegram = chats.FakeTelegram(TELEGRAM_TOKEN, (TELEGRAM_CHAT,), json_reply)
    proxy.answer(chats.TELEGRAM_HOST, telegram)
    assert await send(CHANNELS["telegram"]) == Delivery(outcome=Outcome.DELIVERED)
    [sent] = telegram.messages
    shown = chats.telegram_text(sent["text"]).splitlines()
    assert shown[0] == f"\N{LARGE RED CIRCLE} {MESSAGE.title}"
    assert f"Provider says: {NASTY}" in shown
    assert "https://kie.ai/billing?a=1&b=2" in shown


async def test_a_long_telegram_message_stays_below_the_limit_and_names_every_key(
    proxy: InterceptingProxy, json_reply: Any
) -> None:
    telegram = chats.FakeTelegram(TELEGRAM_TOKEN, (TELEGRAM_CHAT,), json_reply)
    proxy.answer(chats.TELEGRAM_HOST, telegram)
    stories = tuple(
        Story(
            headline=f"key_{n} & co has 1 credit left",
            severity=Severity.CRITICAL,
            name=f"key_{n}",
            facts=(("Detail", NASTY * 3),) * 5,
        )
        for n in range(30)
    )
    many = Message(title="CRITICAL: 30 keys", severity=Severity.CRITICAL, stories=stories)
    assert (await send(CHANNELS["telegram"], message=many)).outcome is Outcome.DELIVERED
    text = chats.telegram_text(telegram.messages[0]["text"])
    assert all(f"key_{n} & co" in text for n in range(30))


async def test_a_slack_webhook_gets_mrkdwn_without_mentions_or_stray_formatting(
    proxy: InterceptingProxy, text_reply: Any
) -> None:
    slack = chats.FakeSlackWebhook(SLACK_PATH, text_reply)
    proxy.answer(chats.SLACK_WEBHOOK_HOST, slack)
    assert await send(CHANNELS["slack webhook"]) == Delivery(outcome=Outcome.DELIVERED)
    [attachment] = slack.messages[0]["attachments"]
    assert attachment["title"] == (
        "CRITICAL: my_key_1 has 412 credits &amp; &lt;nothing&gt; else left"
    )
    shown = chats.slack_text(attachment["text"])
    assert "a & b <script> my_key_1 " in shown
    assert "<!channel>" in shown
    assert "https://kie.ai/billing?a=1&b=2" in shown


async def test_a_slack_bot_posts_to_its_channel(proxy: InterceptingProxy, json_reply: Any) -> None:
    slack = chats.FakeSlackApi(SLACK_TOKEN, ("#s3cr3t-room",), json_reply)
    proxy.answer(chats.SLACK_API_HOST, slack)
    assert await send(CHANNELS["slack bot"]) == Delivery(outcome=Outcome.DELIVERED)
    [sent] = slack.messages
    assert sent["channel"] == "#s3cr3t-room"
    assert "my_key_1" in chats.slack_text(sent["attachments"][0]["text"])


async def test_discord_gets_escaped_markdown_that_pings_nobody(proxy: InterceptingProxy) -> None:
    proxy.answer("discord.com", wire.Reply(status=204))
    assert await send(CHANNELS["discord"]) == Delivery(outcome=Outcome.DELIVERED)
    content = proxy.requests[0].json["content"]
    assert r"my\_key\_1" in content
    assert "@everyone" not in content


async def test_no_picture_or_page_of_somebody_else_is_linked(
    proxy: InterceptingProxy, text_reply: Any
) -> None:
    slack = chats.FakeSlackWebhook(SLACK_PATH, text_reply)
    proxy.answer(chats.SLACK_WEBHOOK_HOST, slack)
    await send(CHANNELS["slack webhook"])
    assert "caronc" not in str(slack.messages)
    assert slack.messages[0]["attachments"][0]["footer"] == "credit-monitor"


# -- what fails -----------------------------------------------------------------------------

STATUSES = {
    "400 is refused": (400, Outcome.REFUSED),
    "401 is refused": (401, Outcome.REFUSED),
    "403 is refused": (403, Outcome.REFUSED),
    "404 is refused": (404, Outcome.REFUSED),
    "a redirect is refused, the token does not follow it": (302, Outcome.REFUSED),
    "408 may pass": (408, Outcome.RETRY),
    "425 may pass": (425, Outcome.RETRY),
    "429 may pass": (429, Outcome.RETRY),
    "500 may pass": (500, Outcome.RETRY),
    "503 may pass": (503, Outcome.RETRY),
}


@every_channel
@pytest.mark.parametrize(("status", "outcome"), STATUSES.values(), ids=STATUSES)
async def test_a_status_decides_whether_to_try_again(
    channel: Channel,
    status: int,
    outcome: Outcome,
    proxy: InterceptingProxy,
    all_logs: pytest.LogCaptureFixture,
) -> None:
    everything = " ".join((channel.url, *channel.secrets))
    reply = wire.Reply.of_json(
        {"description": everything, "error": everything, "message": everything},
        status=status,
        headers={"Location": "https://elsewhere.example/"},
    )
    proxy.answer(channel.host, reply)
    delivery = await send(channel)
    assert delivery.outcome is outcome
    assert delivery.detail.startswith(f"HTTP {status}")
    assert "elsewhere.example" not in proxy.refused, "followed the redirect"
    assert_no_secret(channel, delivery, all_logs)


TROUBLES = {
    "a reset connection may pass": ("RESET", 20, "failed"),
    "an answer that breaks off may pass": ("BREAK_OFF", 20, "connection failed"),
    "a service that hangs is given up": ("HANG", 0.5, ""),
    "a service that drips is given up": ("DRIP", 0.5, "not delivered within 0.5 s"),
}


@every_channel
@pytest.mark.parametrize("case", TROUBLES.values(), ids=TROUBLES)
async def test_trouble_on_the_way_may_pass(
    channel: Channel,
    case: tuple[str, float, str],
    proxy: InterceptingProxy,
    all_logs: pytest.LogCaptureFixture,
) -> None:
    trouble, seconds, detail = case
    proxy.answer(channel.host, wire.Reply(trouble=wire.Trouble[trouble]))
    delivery = await send(channel, seconds)
    assert delivery.outcome is Outcome.RETRY
    assert detail in delivery.detail
    assert_no_secret(channel, delivery, all_logs)


@every_channel
async def test_a_proxy_that_does_not_connect_may_pass(
    channel: Channel, proxy: InterceptingProxy, all_logs: pytest.LogCaptureFixture
) -> None:
    delivery = await send(channel)
    assert (delivery.outcome, delivery.detail) == (Outcome.RETRY, "the proxy failed")
    assert_no_secret(channel, delivery, all_logs)


@every_channel
async def test_a_certificate_nobody_trusts_is_named(
    channel: Channel,
    proxy: InterceptingProxy,
    monkeypatch: pytest.MonkeyPatch,
    all_logs: pytest.LogCaptureFixture,
) -> None:
    proxy.answer(channel.host, wire.Reply())
    monkeypatch.delenv("REQUESTS_CA_BUNDLE")
    delivery = await send(channel)
    assert (delivery.outcome, delivery.detail) == (
        Outcome.RETRY,
        "the certificate is not trusted",
    )
    assert not proxy.requests
    assert_no_secret(channel, delivery, all_logs)


def assert_no_secret(channel: Channel, delivery: Delivery, logs: pytest.LogCaptureFixture) -> None:
    shown = "\n".join([delivery.detail, logs.text, repr([vars(r) for r in logs.records])])
    for secret in (channel.url, *channel.secrets):
        assert secret not in shown


@pytest.mark.parametrize("channel", ["slack webhook", "telegram", "discord"])
async def test_the_wait_that_a_service_asks_for_is_passed_on(
    channel: str, proxy: InterceptingProxy
) -> None:
    reply = wire.Reply(status=429, headers={"Retry-After": "17"})
    proxy.answer(CHANNELS[channel].host, reply)
    delivery = await send(CHANNELS[channel])
    assert delivery.retry_after == timedelta(seconds=17)


async def test_telegram_asks_for_a_wait_in_its_body(proxy: InterceptingProxy) -> None:
    body = {"ok": False, "error_code": 429, "parameters": {"retry_after": 35}}
    proxy.answer("api.telegram.org", wire.Reply.of_json(body, status=429))
    assert (await send(CHANNELS["telegram"])).retry_after == timedelta(seconds=35)


SLACK_WORDS = {
    "a revoked token is refused": ("token_revoked", Outcome.REFUSED),
    "an unknown channel is refused": ("channel_not_found", Outcome.REFUSED),
    "a full minute may pass": ("ratelimited", Outcome.RETRY),
    "Slack's own trouble may pass": ("internal_error", Outcome.RETRY),
}


@pytest.mark.parametrize(("word", "outcome"), SLACK_WORDS.values(), ids=SLACK_WORDS)
async def test_a_slack_bot_is_refused_with_status_200(
    word: str, outcome: Outcome, proxy: InterceptingProxy
) -> None:
    proxy.answer("slack.com", wire.Reply.of_json({"ok": False, "error": word}))
    assert await send(CHANNELS["slack bot"]) == Delivery(outcome=outcome, detail=word)


async def test_the_webhook_of_slack_says_why_in_a_word(
    proxy: InterceptingProxy, text_reply: Any
) -> None:
    proxy.answer("hooks.slack.com", chats.FakeSlackWebhook("other", text_reply))
    delivery = await send(CHANNELS["slack webhook"])
    assert delivery == Delivery(outcome=Outcome.REFUSED, detail="HTTP 404: no_service")


async def test_telegram_says_why_in_a_sentence(proxy: InterceptingProxy, json_reply: Any) -> None:
    proxy.answer(chats.TELEGRAM_HOST, chats.FakeTelegram(TELEGRAM_TOKEN, (), json_reply))
    delivery = await send(CHANNELS["telegram"])
    assert delivery == Delivery(
        outcome=Outcome.REFUSED, detail="HTTP 400: Bad Request: chat not found"
    )


async def test_an_answer_that_is_no_success_of_the_service_may_pass(
    proxy: InterceptingProxy,
) -> None:
    proxy.answer("hooks.slack.com", wire.Reply(body=b"<html>Sign in to the hotel network</html>"))
    delivery = await send(CHANNELS["slack webhook"])
    assert delivery.outcome is Outcome.RETRY
    assert "not that it took the message" in delivery.detail


# -- threads --------------------------------------------------------------------------------


async def test_a_hanging_channel_delays_no_other_and_recovers(
    proxy: InterceptingProxy, text_reply: Any
) -> None:
    proxy.answer("hooks.slack.com", wire.Reply(trouble=wire.Trouble.DRIP))
    slack = make_sender(CHANNELS["slack webhook"].url, name="slack", timeout=0.2)
    for _ in range(4):
        assert "within 0.2 s" in (await slack.send(MESSAGE)).detail
    assert (await slack.send(MESSAGE)).detail == "earlier sends still hang"
    assert len(proxy.requests) == 4
    proxy.answer("discord.com", wire.Reply(status=204))
    assert (await send(CHANNELS["discord"])).outcome is Outcome.DELIVERED
    proxy.released.set()
    proxy.answer("hooks.slack.com", chats.FakeSlackWebhook(SLACK_PATH, text_reply))
    assert (await send(CHANNELS["slack webhook"])).outcome is Outcome.DELIVERED


HANGING_PROCESS = """
import asyncio, sys
from datetime import UTC, datetime
from monitor.core.messages import trial_message
from monitor.delivery.senders import make_sender

async def main():
    sender = make_sender(sys.argv[1], name="ops", timeout=0.3)
    print((await sender.send(trial_message("ops", now=datetime.now(UTC)))).detail)

asyncio.run(main())
"""


def test_a_process_ends_although_a_send_still_hangs(proxy: InterceptingProxy) -> None:
    proxy.answer("hooks.slack.com", wire.Reply(trouble=wire.Trouble.DRIP))
    started = time.monotonic()
    ended = subprocess.run(
        [sys.executable, "-c", HANGING_PROCESS, CHANNELS["slack webhook"].url],
        env={**os.environ, **proxy.environment},
        capture_output=True,
        text=True,
        timeout=30,
        check=True,
    )
    assert ended.stdout == "not delivered within 0.3 s\n"
    assert not ended.stderr
    assert time.monotonic() - started < 20


def test_the_time_of_the_trial_message_is_shown() -> None:
    message = trial_message("ops", now=datetime(2026, 5, 1, 12, tzinfo=UTC))
    assert ("Sent", "2026-05-01 12:00 UTC") in message.stories[0].facts
