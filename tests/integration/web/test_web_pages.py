"""The pages as a browser gets them, parsed."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import timedelta
from html.parser import HTMLParser

import httpx
from support import recorded
from support.scene import MINUTE, NOW, Scene

from monitor.core.events import Ack, Facts, Suppression
from monitor.core.messages import Message
from monitor.core.model import KeyState, MeterReading, Reason, Severity, Subject
from monitor.core.notifications import NotificationState
from monitor.store.base import Changes
from monitor.world import LiveMeter

VOID = {"meta", "link", "img", "br", "hr", "input"}


class Page(HTMLParser):
    """A parsed page that insists on well-nested elements."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []
        self._open: list[str] = []
        self.feed(text)
        self.close()
        assert self._open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self._open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.words.append(data)

    @property
    def text(self) -> str:
        return re.sub(r"\s+", " ", " ".join(self.words))

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.elements if name == tag]


async def get(client: httpx.AsyncClient, path: str, status: int = 200) -> Page:
    answer = await client.get(path)
    assert answer.status_code == status
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    return Page(answer.text)


# -- the dashboard --------------------------------------------------------------------------------


async def test_without_keys_the_dashboard_says_what_to_do(client: httpx.AsyncClient) -> None:
    page = await get(client, "/")
    assert "No keys are watched yet" in page.text
    assert "credit-monitor config init" in page.text


async def test_keys_in_trouble_stand_first(client: httpx.AsyncClient, full_scene: Scene) -> None:
    page = await get(client, "/")
    names = [a["href"] for a in page.all("a") if str(a["href"]).startswith("/keys/")]
    table = [str(name).removeprefix("/keys/") for name in names][-6:]
    assert table == ["empty", "refused", "low", "new", "calm", "small"]


async def test_a_row_tells_balance_state_and_age_in_words(
    client: httpx.AsyncClient, full_scene: Scene
) -> None:
    page = await get(client, "/")
    assert "4,637 credits" in page.text
    assert "0.90 USD" in page.text
    assert "880 credits last known" in page.text
    assert "key refused" in page.text
    assert "not polled yet" in page.text
    assert "4 s ago" in page.text
    assert "studio-main" in page.text


async def test_open_alerts_and_lost_notifications_are_banners(
    client: httpx.AsyncClient, full_scene: Scene
) -> None:
    page = await get(client, "/")
    assert "3 open alerts" in page.text
    assert "1 notification could not be delivered" in page.text
    assert "1 notification is waiting to be delivered" in page.text
    assert len([s for s in page.all("section") if s.get("role") == "alert"]) == 2


async def test_when_all_is_well_it_says_so(client: httpx.AsyncClient, scene: Scene) -> None:
    scene.key("calm", 5000)
    page = await get(client, "/")
    assert "No open alerts." in page.text
    assert not [s for s in page.all("section") if s.get("role") == "alert"]


async def test_what_is_wrong_with_the_monitor_itself_is_a_banner_on_every_page(
    client: httpx.AsyncClient, scene: Scene
) -> None:
    scene.key("calm", 5000)
    scene.problems.append("the store fails: disk full")
    for path in ("/", "/keys/calm", "/alerts"):
        assert "the store fails: disk full" in (await get(client, path)).text


async def test_a_refused_configuration_is_told_on_every_page_with_its_reasons(
    client: httpx.AsyncClient, scene: Scene
) -> None:
    scene.key("calm", 5000)
    assert "refused" not in (await get(client, "/")).text
    scene.configuration = replace(
        scene.configuration,
        refused_at=NOW - 5 * MINUTE,
        problems=tuple(f"config.yaml:{n}:1: keyz: unknown field {XSS}" for n in range(1, 13)),
    )
    for path, status in (("/", 200), ("/keys/calm", 200), ("/alerts", 200), ("/keys/no", 404)):
        text = (await get(client, path, status)).text
        assert "The configuration was refused 5 min ago" in text
        assert "The one read 2 d ago is in use" in text
        assert f"config.yaml:10:1: keyz: unknown field {XSS}" in text
        assert "config.yaml:11:1" not in text
        assert "And 2 more: credit-monitor config check" in text


async def test_old_times_are_called_old(client: httpx.AsyncClient, scene: Scene) -> None:
    scene.key("calm", 5000, age=timedelta(days=1))
    assert "No key has been polled lately" in (await get(client, "/")).text


async def test_no_cap_is_not_a_number(client: httpx.AsyncClient, scene: Scene) -> None:
    scene.key("free", 1)
    reading = MeterReading(unit="credits", balance=None)
    scene.world.keys["free"].meters["balance"] = LiveMeter(reading=reading, at=NOW)
    assert "no cap" in (await get(client, "/")).text


async def test_many_keys_come_in_pages(client: httpx.AsyncClient, scene: Scene) -> None:
    for number in range(201):
        scene.key(f"key-{number:03}")
    first, second = await get(client, "/"), await get(client, "/?page=2")
    assert "page 1 of 2" in first.text
    assert "key-200" not in first.text
    assert "key-200" in second.text
    assert "There is no page 3" in (await get(client, "/?page=3")).text


async def test_the_dashboard_outlives_the_store(
    client: httpx.AsyncClient, full_scene: Scene
) -> None:
    full_scene.store.close()
    page = await get(client, "/")
    assert "The store does not answer" in page.text
    assert "4,637 credits" in page.text
    assert "3 open alerts" in page.text


# -- the page of a key ----------------------------------------------------------------------------


async def test_the_page_of_a_key_tells_its_meters_history_and_alerts(
    client: httpx.AsyncClient, full_scene: Scene
) -> None:
    page = await get(client, "/keys/low")
    assert "411 credits" in page.text
    assert "2,189 credits" in page.text  # used
    assert "low: low balance" in page.text
    assert "ops delivered" in page.text
    (line,) = [p["d"] for p in page.all("path") if p.get("class") == "line"]
    assert re.fullmatch(r"M[\d.]+ [\d.]+L[\d. ]+", str(line))
    limits = [p["class"] for p in page.all("path") if str(p.get("class")).startswith("limit")]
    assert limits == ["limit critical", "limit warning"]


async def test_a_refused_key_says_why_and_since_when(
    client: httpx.AsyncClient, full_scene: Scene
) -> None:
    page = await get(client, "/keys/refused")
    assert "You do not have access permissions" in page.text
    assert "3 h ago , 3 polls" in page.text
    assert "Outages" in page.text
    assert [r for r in page.all("rect") if r.get("class") == "gap"]


async def test_a_key_that_was_never_read_has_a_page(
    client: httpx.AsyncClient, full_scene: Scene
) -> None:
    page = await get(client, "/keys/new")
    assert "There has been no reading yet." in page.text


async def test_a_key_check_is_shown_without_a_balance(
    client: httpx.AsyncClient, scene: Scene
) -> None:
    scene.key("checked")
    scene.world.keys["checked"].state = KeyState(
        key="checked", last_poll_at=NOW, last_success_at=NOW
    )
    assert "unsupported" in (await get(client, "/")).text
    page = await get(client, "/keys/checked")
    assert "The provider shows no balance" in page.text
    assert "There is no balance to record." in page.text


async def test_the_length_of_the_history_can_be_chosen(
    client: httpx.AsyncClient, full_scene: Scene
) -> None:
    page = await get(client, "/keys/low?since=7d")
    assert page.all("svg"), "the balance is drawn"
    assert "2026-04-24 12:00" not in page.text, "it was not watched yet: no empty days"
    first = NOW - timedelta(minutes=199)
    assert f"{first:%Y-%m-%d %H:%M}" in page.text
    assert {"?since=24h", "?since=30d", "?since=90d"} <= {a["href"] for a in page.all("a")}


async def test_an_unknown_key_is_not_found(client: httpx.AsyncClient, full_scene: Scene) -> None:
    assert "No key of this name is watched." in (await get(client, "/keys/nobody", 404)).text


async def test_a_bad_parameter_of_a_page_is_named(
    client: httpx.AsyncClient, full_scene: Scene
) -> None:
    page = await get(client, "/keys/low?since=yesterday", 400)
    assert "since: must be a length such as 24h" in page.text


async def test_without_the_store_the_page_of_a_key_says_so(
    client: httpx.AsyncClient, full_scene: Scene
) -> None:
    full_scene.store.close()
    page = await get(client, "/keys/low", 503)
    assert "503" in page.text


# -- alerts ---------------------------------------------------------------------------------------


async def test_alerts_are_listed_with_their_course_and_deliveries(
    client: httpx.AsyncClient, full_scene: Scene
) -> None:
    page = await get(client, "/alerts")
    assert "empty: exhausted" in page.text
    assert "not delivered, given up" in page.text
    assert "invalid_auth: the channel refused the token" in page.text
    assert "account studio-main: low balance" in page.text
    assert "lasted 5 h" in page.text
    assert page.text.index("Open") < page.text.index("Past")


async def test_an_alert_that_nobody_is_told_of_says_so(
    client: httpx.AsyncClient, scene: Scene
) -> None:
    scene.alert(scene.key("quiet", 5).subject, delivery=None)
    assert "No notification" in (await get(client, "/alerts")).text


async def test_alerts_show_who_took_them_on_and_who_was_not_told(
    client: httpx.AsyncClient, full_scene: Scene
) -> None:
    store = full_scene.store
    (alert,) = (a for a in store.alerts(only_open=True) if a.rule == "low_balance")
    (fired,) = store.events([alert.id])
    quiet = recorded.suppressed(fired.id, "mail", Suppression.QUIET)
    silenced = recorded.suppressed(fired.id, "", Suppression.SILENCED)
    store.write([Changes(suppressed=[quiet, silenced])])
    store.acknowledge([alert.id], NOW - MINUTE, "<anna>", "top-up ordered")
    store.add_silence(recorded.silence(0, NOW - MINUTE, keys="low*"))
    store.add_silence(recorded.silence(0, NOW - MINUTE, keys="gone", until=NOW))
    page = await get(client, "/alerts")
    assert "Acknowledged by <anna> 1 min ago : top-up ordered" in page.text
    assert "mail raised held during quiet hours" in page.text
    assert "all channels raised silenced" in page.text
    assert "key low* · until 2026-05-01 15:59 UTC · anna · top-up ordered" in page.text
    assert "gone" not in page.text


async def test_a_report_that_waits_is_named_by_its_title(
    client: httpx.AsyncClient, scene: Scene
) -> None:
    report = Message(title="Weekly report <of> all", severity=None, stories=())
    scene.store.write([Changes(notifications=[recorded.message("mail", report, NOW)])])
    assert "Weekly report <of> all" in (await get(client, "/alerts")).text


async def test_every_page_says_who_silences_or_has_acknowledged_an_open_alert(
    client: httpx.AsyncClient, full_scene: Scene
) -> None:
    world = full_scene.world
    (alert,) = (a for a in world.alerts.values() if a.rule == "low_balance")
    world.silences = (recorded.silence(7, NOW - MINUTE, keys="low*"),)
    world.acks = {alert.id: Ack(alert_id=alert.id, at=NOW - MINUTE, by="<bo>", reason="on it")}
    full_scene.store.acknowledge([alert.id], NOW - MINUTE, "<bo>", "on it")
    for address in ("/", "/alerts", "/keys/low"):
        page = await get(client, address)
        assert page.text.count("Silenced until 2026-05-01 15:59 UTC by anna: top-up ordered") == 1
        assert "Acknowledged by <bo> 1 min ago : on it" in page.text
    assert "1 silence is in force" in (await get(client, "/")).text
    assert "Silenced" not in (await get(client, "/keys/empty")).text


async def test_without_alerts_the_page_says_so(client: httpx.AsyncClient) -> None:
    page = await get(client, "/alerts")
    assert "No open alerts." in page.text
    assert "None among the newest" in page.text


# -- whatever comes from outside ------------------------------------------------------------------

XSS = "<script>alert(1)</script><img src=x onerror=alert(1)>\"'"


async def test_nothing_from_outside_becomes_markup(client: httpx.AsyncClient, scene: Scene) -> None:
    watched = scene.key(
        XSS, 5, 4, provider=XSS, account=XSS, unit=XSS, reason=Reason.BAD_RESPONSE, detail=XSS
    )
    facts = Facts(unit=XSS, detail=XSS, reason=Reason.BAD_RESPONSE)
    for subject in (watched.subject, watched.balance_subject, Subject(XSS)):
        scene.alert(
            subject,
            XSS,
            Severity.CRITICAL,
            meter=XSS,
            facts=facts,
            delivery=NotificationState.DEAD,
            error=XSS,
        )
    scene.problems.append(XSS)
    name = "%3Cscript%3Ealert(1)%3C%2Fscript%3E"
    for path in ("/", "/alerts", f"/keys/{name}", f"/?{name}=1", f"/keys/low?since={name}"):
        answer = await client.get(path)
        page = Page(answer.text)
        assert not page.all("script")
        assert all("onerror" not in attributes for _, attributes in page.elements)
        assert [image["src"] for image in page.all("img")] == ["/static/icon.svg"]


async def test_pages_need_nothing_but_this_server(
    client: httpx.AsyncClient, full_scene: Scene
) -> None:
    for path in ("/", "/alerts", "/keys/low"):
        page = await get(client, path)
        assert not page.all("script")
        assert not page.all("style")
        addresses = [
            str(attributes[name])
            for _, attributes in page.elements
            for name in ("src", "href", "action")
            if name in attributes
        ]
        assert addresses
        assert all(address.startswith(("/", "?")) for address in addresses)
        assert all("style" not in attributes for _, attributes in page.elements)
        for address in {a for a in addresses if not a.startswith("?")}:
            assert (await client.get(address)).status_code == 200
