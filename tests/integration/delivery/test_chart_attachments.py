"""Charts go along where a service takes them, and never cost the message."""

from __future__ import annotations

from dataclasses import replace
from io import BytesIO
from typing import Any

import pytest
from fixtures import fake_chats as chats
from fixtures import intercepting_proxy as wire
from fixtures.intercepting_proxy import InterceptingProxy
from PIL import Image
from support.charts import PNG, chart, sample
from support.patience import HANGS

from monitor.core.messages import Message, Story
from monitor.core.model import Severity
from monitor.delivery.base import Delivery, Outcome
from monitor.delivery.charts import HEIGHT, WIDTH, draw
from monitor.delivery.senders import make_sender

SLACK_TOKEN = "xoxb-123456789012-1234567890123-4mt0t4l53cr3t"
TELEGRAM_TOKEN = "123456789:AAF-s3cr3t_telegram_token_0123456789"
TELEGRAM = f"tgram://{TELEGRAM_TOKEN}/-1001234567890"
SLACK = f"slack://{SLACK_TOKEN}/#ops"

MESSAGE = Message(
    title="CRITICAL: studio has 412 credits left",
    severity=Severity.CRITICAL,
    stories=(Story(headline="studio has 412 credits left", severity=Severity.CRITICAL),),
    charts=(chart(),),
)

TROUBLES = {
    "refuses it": wire.Reply.of_json({"ok": False, "description": "no photos here"}, status=400),
    "fails over it": wire.Reply(status=500),
    "resets the connection": wire.Reply(trouble=wire.Trouble.RESET),
    "hangs over it": wire.Reply(trouble=wire.Trouble.HANG),
}


async def send(url: str, message: Message = MESSAGE, seconds: float = HANGS) -> Delivery:
    sender = make_sender(url, name="ops", timeout=seconds)
    try:
        return await sender.send(message)
    finally:
        await sender.close()


def patience(trouble: wire.Reply) -> float:
    """Seconds for a send; what hangs takes all of them."""
    return 4 if trouble.trouble is wire.Trouble.HANG else HANGS


@pytest.fixture
def telegram(proxy: InterceptingProxy, json_reply: Any) -> chats.FakeTelegram:
    fake = chats.FakeTelegram(TELEGRAM_TOKEN, (-1001234567890,), json_reply)
    proxy.answer(chats.TELEGRAM_HOST, fake)
    return fake


@pytest.fixture
def slack(proxy: InterceptingProxy, json_reply: Any, text_reply: Any) -> chats.FakeSlackApi:
    fake = chats.FakeSlackApi(SLACK_TOKEN, ("#ops",), json_reply)
    proxy.answer(chats.SLACK_API_HOST, fake)
    proxy.answer(chats.SLACK_FILES_HOST, lambda request: text_reply(fake.upload(request), 200))
    return fake


def test_a_chart_is_a_picture_of_the_announced_size() -> None:
    png = draw(chart())
    assert png is not None
    with Image.open(BytesIO(png)) as image:
        assert (image.format, image.size) == ("PNG", (WIDTH, HEIGHT))
        colours = {colour for _, colour in image.convert("RGB").getcolors(100_000) or ()}
    assert len(colours) > 20, "the lines are smooth and of several colours"
    assert len(png) < 50_000


def test_a_chart_without_amounts_is_not_drawn() -> None:
    assert draw(chart(sample(3, None))) is None


async def test_telegram_gets_the_text_and_then_the_photo(telegram: chats.FakeTelegram) -> None:
    assert await send(TELEGRAM) == Delivery(outcome=Outcome.DELIVERED)
    assert len(telegram.messages) == 1
    [photo] = telegram.photos
    assert photo.startswith(PNG)


async def test_telegram_gets_several_charts(telegram: chats.FakeTelegram) -> None:
    told = replace(MESSAGE, charts=(chart(), chart(name="relay")))
    assert await send(TELEGRAM, told) == Delivery(outcome=Outcome.DELIVERED)
    assert (len(telegram.messages), len(telegram.photos)) == (1, 2)


@pytest.mark.parametrize("trouble", TROUBLES.values(), ids=TROUBLES)
async def test_a_photo_that_telegram_does_not_take_costs_neither_message_nor_a_second_one(
    trouble: wire.Reply, telegram: chats.FakeTelegram
) -> None:
    telegram.photo_trouble = trouble
    assert await send(TELEGRAM, seconds=patience(trouble)) == Delivery(outcome=Outcome.DELIVERED)
    assert len(telegram.messages) == 1


async def test_a_slack_bot_uploads_the_chart(slack: chats.FakeSlackApi) -> None:
    assert await send(SLACK) == Delivery(outcome=Outcome.DELIVERED)
    assert len(slack.messages) == 1
    [upload] = slack.uploads
    assert upload.startswith(PNG)
    assert slack.shown[0]["channel_id"] == "C024BE91L"


@pytest.mark.parametrize("trouble", TROUBLES.values(), ids=TROUBLES)
async def test_a_file_that_slack_does_not_take_costs_neither_message_nor_a_second_one(
    trouble: wire.Reply, slack: chats.FakeSlackApi
) -> None:
    slack.file_trouble = trouble
    assert await send(SLACK, seconds=patience(trouble)) == Delivery(outcome=Outcome.DELIVERED)
    assert len(slack.messages) == 1


async def test_a_text_that_is_refused_is_refused_with_a_chart_too(
    telegram: chats.FakeTelegram, slack: chats.FakeSlackApi
) -> None:
    telegram.chats = slack.channels = ()
    assert (await send(TELEGRAM)).outcome is Outcome.REFUSED
    assert (await send(SLACK)).outcome is Outcome.REFUSED
    assert telegram.photos == slack.uploads == []


async def test_a_slack_webhook_gets_the_text_alone(
    proxy: InterceptingProxy, text_reply: Any
) -> None:
    path = "T1JJ3T3L2/A1BRTD4JD/TIiajkdnlazkcOXrIdevi7"
    webhook = chats.FakeSlackWebhook(path, text_reply)
    proxy.answer(chats.SLACK_WEBHOOK_HOST, webhook)
    assert await send(f"slack://{path}") == Delivery(outcome=Outcome.DELIVERED)
    assert len(webhook.messages) == 1


async def test_a_chart_that_cannot_be_drawn_is_left_out(telegram: chats.FakeTelegram) -> None:
    told = replace(MESSAGE, charts=(chart(sample(3, None)), chart()))
    assert await send(TELEGRAM, told) == Delivery(outcome=Outcome.DELIVERED)
    assert (len(telegram.messages), len(telegram.photos)) == (1, 1)
