"""Which channel URLs are usable: said in a sentence, without secrets, without the network."""

from __future__ import annotations

import socket
import subprocess
import sys
from typing import Any

import pytest
from apprise.manager_plugins import NotificationManager

from monitor.core.markup import Flavour
from monitor.delivery.apprise import FREQUENT_SERVICES, flavour_of, load_target
from monitor.delivery.senders import check_url, make_sender

USABLE = {
    "the console": "console:",
    "the console, spelled as a URL": "console://",
    "a Slack webhook": "slack://T1JJ3T3L2/A1BRTD4JD/TIiajkdnlazkcOXrIdevi7",
    "a Slack webhook as Slack shows it": (
        "https://hooks.slack.com/services/T1JJ3T3L2/A1BRTD4JD/TIiajkdnlazkcOXrIdevi7"
    ),
    "a Slack bot": "slack://xoxb-1234-1234-abc124/#general",
    "Telegram": "tgram://123456789:abcdefg_hijklmnop/-1001",
    "mail": "mailtos://robot:secret@example.org?to=ops@example.net",
    "mail to oneself": "mailtos://robot:secret@example.org",
    "an own webhook": "jsons://hooks.example.org/alerts",
}


@pytest.fixture
def no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any, **__: Any) -> Any:
        raise AssertionError("looked at the network")

    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    monkeypatch.setattr(socket.socket, "connect", refuse)


@pytest.mark.usefixtures("no_network")
@pytest.mark.parametrize("url", USABLE.values(), ids=USABLE)
def test_a_usable_url_has_no_problem(url: str) -> None:
    assert check_url(url) is None
    make_sender(url, name="ops", timeout=1)


UNUSABLE = {
    "no scheme": ("s3cr3t-token", "begins with its service"),
    "nothing": ("", "begins with its service"),
    "a scheme nobody knows": ("slakc://s3cr3t/s3cr3t", "did you mean slack://?"),
    "a web page": ("https://example.org/s3cr3t", "for a webhook of yours use jsons://"),
    "half a Slack webhook": ("slack://T1JJ3T3L2/s3cr3t", "this Slack URL is incomplete"),
    "half a Telegram token": ("tgram://s3cr3t", "this Telegram URL is incomplete"),
    "mail without a host": ("mailtos://?to=s3cr3t@example.org", "this E-Mail URL is incomplete"),
    "Telegram without a chat": (
        "tgram://123456789:s3cr3t_hijklmnop/",
        "names no chat",
    ),
    "Telegram with a chat that is none": (
        "tgram://123456789:s3cr3t_hijklmnop/-1001/!!!",
        "a part of this Telegram URL is not valid",
    ),
    "two chats": ("tgram://123456789:s3cr3t_hijklmnop/-1001/-1002", "names 2 recipients"),
    "two Slack channels": ("slack://xoxb-1234-1234-s3cr3t/#a/#b", "names 2 recipients"),
    "two mail recipients": (
        "mailtos://robot:s3cr3t@example.org?to=a@example.net,b@example.net",
        "names 2 recipients",
    ),
    "a copy of a mail": (
        "mailtos://robot:s3cr3t@example.org?to=a@example.net&cc=b@example.net",
        "names 2 recipients",
    ),
    "a blind copy of a mail": (
        "mailtos://robot:s3cr3t@example.org?to=a@example.net&bcc=b@example.net",
        "names 2 recipients",
    ),
    "a format nobody knows": (
        "jsons://example.org/s3cr3t?format=s3cr3t",
        "a part of this JSON URL is not valid",
    ),
}


@pytest.mark.usefixtures("no_network")
@pytest.mark.parametrize(("url", "problem"), UNUSABLE.values(), ids=UNUSABLE)
def test_an_unusable_url_is_told_without_its_secrets(
    url: str, problem: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG")
    said = check_url(url)
    assert said is not None
    assert problem in said
    with pytest.raises(ValueError, match=r"URL|service|group") as raised:
        make_sender(url, name="ops", timeout=1)
    for text in (said, str(raised.value), caplog.text):
        assert "s3cr3t" not in text


FLAVOURS = {
    "slack://T1JJ3T3L2/A1BRTD4JD/TIiajkdnlazkcOXrIdevi7": Flavour.SLACK,
    "tgram://123456789:abcdefg_hijklmnop/-1001": Flavour.TELEGRAM,
    "mailtos://robot:secret@example.org": Flavour.EMAIL,
    "mailtos://robot:secret@example.org?format=text": Flavour.TEXT,
    "discord://4174216298/JHMHI8qBe7bk2ZwO5U711o3dV_js": Flavour.MARKDOWN,
    "ntfys://ntfy.example.org/topic": Flavour.TEXT,
    "jsons://example.org/alerts": Flavour.TEXT,
    "pover://12345678901234567890123456abcd@abcdefghijklmnopqrstuvwxyz1234": Flavour.TEXT,
}


@pytest.mark.parametrize(("url", "flavour"), FLAVOURS.items())
def test_a_service_gets_the_markup_it_shows_best(url: str, flavour: Flavour) -> None:
    assert flavour_of(load_target(url)) is flavour


def test_apprise_is_not_loaded_without_a_channel_that_needs_it() -> None:
    program = (
        "import sys; from monitor.delivery.senders import check_url, make_sender;"
        "make_sender('console:', name='c', timeout=1); check_url('console:');"
        "sys.exit('apprise' in sys.modules)"
    )
    subprocess.run([sys.executable, "-c", program], check=True)


def test_frequent_services_are_where_apprise_has_them() -> None:
    manager: Any = NotificationManager()  # type: ignore[no-untyped-call]  # Apprise is untyped here
    manager.load_modules()
    places = {scheme: manager[scheme].__module__ for scheme in FREQUENT_SERVICES}
    assert {scheme: place.split(".")[2] for scheme, place in places.items()} == FREQUENT_SERVICES


def test_a_frequent_service_is_loaded_without_the_others_until_one_of_those_is_asked_for() -> None:
    program = """
import sys
from monitor.delivery.apprise import load_target
plugins = lambda: sum(name.startswith("apprise.plugins.") for name in sys.modules)
load_target("slack://T1JJ3T3L2/A1BRTD4JD/TIiajkdnlazkcOXrIdevi7")
load_target("jsons://hooks.example.org/alerts")
few = plugins()
load_target("gotify://example.org/abcdefghijklmno")
load_target("slack://T1JJ3T3L2/A1BRTD4JD/TIiajkdnlazkcOXrIdevi7")
print(few, plugins())
"""
    ran = subprocess.run(
        [sys.executable, "-c", program], check=False, capture_output=True, text=True
    )
    assert ran.returncode == 0, ran.stderr
    few, all_of_them = map(int, ran.stdout.split())
    assert few < 10
    assert all_of_them > 100
