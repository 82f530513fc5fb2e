"""kie.ai keys polled at ``https://api.kie.ai``, and messages sent to the real addresses.

A proxy on loopback answers for the services over real TLS, so the program does exactly what it
would do on the internet.  The run happens once; the tests look at what it left behind.
"""

from __future__ import annotations

import asyncio
import re
import time
import urllib.request
from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path

import pytest
from fixtures.fake_chats import (
    FakeSlackApi,
    FakeSlackWebhook,
    FakeTelegram,
    slack_text,
    telegram_text,
)
from fixtures.intercepting_proxy import InterceptingProxy, Reply, Request
from support.mail import Mailbox, smtp_server
from support.patience import HANGS
from support.process import Process, run_program

SECRETS = {
    "STUDIO_KEY": "sk-studio-4f6d1b7a9c2e",
    "file": "sk-file-77e0c4d2a1b9",
    "credential": "sk-cred-0b8e5f3d6a7c",
    "HTML_KEY": "sk-html-9d2c6b1a5e4f",
    "SLACK_HOOK": "T0AAAAAAA/B0BBBBBBB/xsecretxhookxtokenx000001",
    "SLACK_BOT": "xoxb-1234567890-1234567890123-AbCdEfGhIjKlMnOpQrStUvWx",
    "TELEGRAM": "123456789:AAF-secret-bot-token-abcdefghijklm",
    "MAIL_PASSWORD": "p4ss-w0rd-of-mail",
}
UGLY = "no <b>access</b> & _permissions_ for *you* <!channel> `now`"

CONFIG = """
keys:
  - {{name: my_studio_1, key: "${{STUDIO_KEY}}", interval: 1s, account: main,
     rules: {{low_balance: {{warning: 1000, critical: 100}}}}}}
  - {{name: refused, key_file: {home}/file.key, interval: 1s}}
  - {{name: capped, key_credential: capped-key, interval: 1s}}
  - {{name: html, key: "${{HTML_KEY}}", interval: 1s}}
channels:
  - {{name: slack, url: "slack://${{SLACK_HOOK}}/#alerts"}}
  - {{name: bot, url: "slack://${{SLACK_BOT}}/#alerts"}}
  - {{name: telegram, url: "tgram://${{TELEGRAM}}/4711"}}
  - {{name: mail,
     url: "mailto://monitor:${{MAIL_PASSWORD}}@127.0.0.1:{smtp}/?from=m@example.org&to=ops@example.org"}}
notify: {{group_wait: 0.5s}}
store: sqlite:///{home}/real.db
web: {{listen: "127.0.0.1:0"}}
"""

COMMANDS = [
    ["status"],
    ["status", "--format", "json"],
    ["history", "my_studio_1"],
    ["history", "my_studio_1", "--format", "csv"],
    ["alerts"],
    ["alerts", "--format", "json"],
    ["notify", "list"],
    ["notify", "list", "--format", "json"],
    ["notify", "test"],
    ["config", "check"],
    ["config", "show"],
    ["config", "schema"],
    ["config", "init"],
    ["providers"],
    ["check"],
    ["check", "--format", "json"],
    ["check", "--format", "nagios"],
]
PAGES = [
    "",
    "keys/my_studio_1",
    "keys/refused",
    "alerts",
    "metrics",
    "readyz",
    "api/v1/keys",
    "api/v1/keys/my_studio_1",
    "api/v1/keys/my_studio_1/history",
    "api/v1/alerts",
    "api/v1/notifications",
    "api/v1/openapi.json",
]


@dataclass
class Run:
    """What one run of the program left behind."""

    home: Path
    balance: str = "1234.5"
    log: str = ""
    exit_code: int = -1
    stop_seconds: float = 0.0
    metrics: str = ""
    pages: dict[str, str] = field(default_factory=dict)
    commands: dict[str, tuple[int, str]] = field(default_factory=dict)
    proxy: InterceptingProxy = field(init=False)
    slack: FakeSlackWebhook = field(init=False)
    bot: FakeSlackApi = field(init=False)
    telegram: FakeTelegram = field(init=False)
    mailbox: Mailbox = field(default_factory=Mailbox)

    def kie(self, request: Request) -> Reply:
        token = request.headers["authorization"].removeprefix("Bearer ")
        assert (request.method, request.path) == ("GET", "/api/v1/chat/credit")
        if token == SECRETS["STUDIO_KEY"]:
            body = f'{{"code":200,"msg":"success","data":{self.balance}}}'
            return Reply(body=body.encode(), headers={"Content-Type": "application/json"})
        if token == SECRETS["credential"]:
            text = "Points used by apiKey has exceeded the hourly limit. Try again in 300 seconds."
            return Reply.of_json({"code": 433, "msg": text, "data": None})
        if token == SECRETS["HTML_KEY"]:
            return Reply(body=b"<!doctype html><h1>Just a moment</h1>")
        return Reply.of_json({"code": 401, "msg": f"{UGLY} {token}"})


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    home = tmp_path_factory.mktemp("real")
    outcome = Run(home)
    with InterceptingProxy(ca_file=home / "ca.pem") as proxy:
        outcome.proxy = proxy
        answer_for_the_internet(outcome)
        auth = ("monitor", SECRETS["MAIL_PASSWORD"])
        with smtp_server(outcome.mailbox, auth=auth) as smtp:
            (home / "config.yaml").write_text(CONFIG.format(home=home, smtp=smtp))
            asyncio.run(operate(outcome))
    return outcome


def answer_for_the_internet(run: Run) -> None:
    def reply(value: object, status: int) -> Reply:
        return Reply.of_json(value, status=status)

    run.slack = FakeSlackWebhook(SECRETS["SLACK_HOOK"], lambda b, s: Reply(body=b, status=s))
    run.bot = FakeSlackApi(SECRETS["SLACK_BOT"], ("#alerts", "alerts"), reply)
    run.telegram = FakeTelegram(SECRETS["TELEGRAM"], (4711,), reply)
    run.proxy.answer("api.kie.ai", run.kie)
    run.proxy.answer("hooks.slack.com", run.slack)
    run.proxy.answer("slack.com", run.bot)
    run.proxy.answer("files.slack.com", lambda request: Reply(body=run.bot.upload(request)))
    run.proxy.answer("api.telegram.org", run.telegram)


async def operate(run: Run) -> None:
    """What an operator and a bad day do: start, look around, run low, look again, stop."""
    home = run.home
    (home / "file.key").write_text(SECRETS["file"] + "\n")
    (home / "credentials").mkdir()
    (home / "credentials" / "capped-key").write_text(SECRETS["credential"])
    names = ("STUDIO_KEY", "HTML_KEY", "SLACK_HOOK", "SLACK_BOT", "TELEGRAM", "MAIL_PASSWORD")
    env = run.proxy.environment | {name: SECRETS[name] for name in names}
    env |= {"CREDENTIALS_DIRECTORY": str(home / "credentials")}
    config = ("--config", str(home / "config.yaml"))
    daemon = Process("run", *config, "--log-level", "debug", home=home, env=env)
    await daemon.start()
    line = await daemon.until("http://127.0.0.1:")
    page = re.search(r"http://127\.0\.0\.1:\d+/", line)
    assert page is not None, line
    seen = ('credit_balance{key="my_studio_1"', 'state="bad_response"} 1')
    await until(lambda: all(text in fetch(page[0] + "metrics") for text in seen))
    run.metrics = fetch(page[0] + "metrics")
    run.balance = "90.25"
    await until(lambda: any("90.25" in text for _, text in run.mailbox.got))
    await until(lambda: "90.25" in str(run.slack.messages))
    await until(lambda: "90.25" in str(run.bot.messages))
    await until(lambda: "90.25" in str(run.telegram.messages))
    await until(lambda: run.telegram.photos and run.bot.shown)
    run.pages = {path: await asyncio.to_thread(fetch, page[0] + path) for path in PAGES}
    for command in COMMANDS:
        run.commands[" ".join(command)] = await run_program(
            *command, *config, "--debug", home=home, env=env
        )
    began = time.monotonic()
    run.exit_code = await daemon.stop()
    run.stop_seconds = time.monotonic() - began
    run.log = daemon.output


def fetch(url: str) -> str:
    with urllib.request.urlopen(url, timeout=HANGS) as answer:  # noqa: S310 - our own page on loopback
        text: str = answer.read().decode()
        return text


async def until(condition: object, seconds: float = HANGS) -> None:
    assert callable(condition)
    deadline = time.monotonic() + seconds
    while not await asyncio.to_thread(condition):
        assert time.monotonic() < deadline, "it did not happen"
        await asyncio.sleep(0.1)


def test_the_gauges_are_right(run: Run) -> None:
    labels = 'key="my_studio_1",provider="kie",account="main"'
    assert f'credit_balance{{{labels},meter="balance",unit="credits"}} 1234.5' in run.metrics
    assert f"credit_key_up{{{labels}}} 1" in run.metrics
    refused = 'key="refused",provider="kie",account=""'
    assert f"credit_key_up{{{refused}}} 0" in run.metrics
    assert f'credit_key_state{{{refused},state="unauthorized"}} 1' in run.metrics
    assert 'key="capped",provider="kie",account="",state="key_capped"} 1' in run.metrics
    assert 'key="html",provider="kie",account="",state="bad_response"} 1' in run.metrics
    assert re.search(r'credit_balance\{key="(refused|capped|html)"', run.metrics) is None


def test_slack_shows_what_is_left_and_nothing_that_slack_would_interpret(run: Run) -> None:
    for messages in (run.slack.messages, run.bot.messages):
        raw = [text for m in messages for text in texts_of(m)]
        seen = "\n".join(slack_text(text) for text in raw)
        assert "CRITICAL: account main has 90.25 credits left" in seen
        assert UGLY in loosely(seen)


def loosely(text: str) -> str:
    """With the signs that look like Slack's markup but are none taken for those they stand for."""
    return text.translate({0x2CD: "_", 0x2217: "*", 0x2CB: "`"})


def texts_of(message: object) -> list[str]:
    """All readable texts of a Slack payload, wherever they stand in it."""
    if isinstance(message, dict):
        found = [v for k, v in message.items() if k in ("text", "title") and isinstance(v, str)]
        return found + [t for v in message.values() if not isinstance(v, str) for t in texts_of(v)]
    if isinstance(message, list):
        return [t for v in message for t in texts_of(v)]
    return []


def test_telegram_takes_every_message_and_shows_the_text_as_it_is(run: Run) -> None:
    refused = [
        r for r in run.proxy.requests_to("api.telegram.org") if b"sendMessage" in r.path.encode()
    ]
    assert len(refused) == len(run.telegram.messages), "none was rejected"
    seen = "\n".join(telegram_text(m["text"]) for m in run.telegram.messages)
    assert "CRITICAL: account main has 90.25 credits left" in seen
    assert UGLY in seen


class Words(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.text = ""

    def handle_data(self, data: str) -> None:
        self.text += data


def test_mail_has_a_subject_that_says_it_and_both_kinds_of_body(run: Run) -> None:
    mails = [mail for mail in run.mailbox.mails if "90.25" in str(mail["subject"])]
    assert mails
    assert "CRITICAL: account main has 90.25 credits left" in str(mails[0]["subject"])
    html = mails[0].get_body(("html",))
    assert html is not None
    words = Words()
    words.feed(html.get_content())
    assert "90.25 credits" in words.text
    assert mails[0].get_body(("plain",)) is not None


def test_the_chart_of_the_balance_goes_along(run: Run) -> None:
    [mail] = [mail for mail in run.mailbox.mails if "90.25" in str(mail["subject"])]
    page = mail.get_body(("html",))
    assert page is not None
    assert 'src="cid:chart-1.png" alt="Balance of account main"' in page.get_content()
    inline = [p.get_payload(decode=True) for p in mail.walk() if p.get("Content-ID")]
    for picture in (*inline, *run.telegram.photos, *run.bot.uploads):
        assert isinstance(picture, bytes)
        assert picture.startswith(b"\x89PNG")
    assert len(inline) == len(run.telegram.photos) == len(run.bot.shown) == 1


def test_sigterm_ends_it_cleanly_and_soon(run: Run) -> None:
    assert run.exit_code == 0
    assert run.stop_seconds < 10
    assert "Traceback" not in run.log


def test_every_command_says_what_it_should(run: Run) -> None:
    codes = {name: code for name, (code, _) in run.commands.items()}
    assert {n: c for n, c in codes.items() if c and not n.startswith("check")} == {}
    assert {c for n, c in codes.items() if n.startswith("check")} == {2}
    assert "90.25" in run.commands["status"][1]
    assert "my_studio_1" in run.commands["check --format nagios"][1]


@pytest.mark.parametrize("name", SECRETS)
def test_no_secret_shows_anywhere(run: Run, name: str) -> None:
    places = {f"page {k}": v for k, v in run.pages.items()}
    places |= {f"command {k}": v for k, (_, v) in run.commands.items()}
    places |= {"log at debug": run.log, "metrics": run.metrics}
    places |= {"mail": "\n".join(text for _, text in run.mailbox.got)}
    places |= {"slack": str(run.slack.messages), "bot": str(run.bot.messages)}
    places |= {"telegram": str(run.telegram.messages)}
    for file in run.home.glob("real.db*"):
        places[file.name] = file.read_bytes().decode("latin-1")
    secret = SECRETS[name]
    parts = [secret, *(p for p in secret.split("/") if len(p) > 15)]
    assert [place for place, text in places.items() if any(p in text for p in parts)] == []
