"""What settings answer once they are there."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from pydantic import SecretStr, ValidationError

import monitor.limits
from monitor.config.channels import ChannelSettings
from monitor.config.models import Defaults, Settings, Web
from monitor.config.notify import Notify
from monitor.config.rules import merged, switched
from monitor.core.model import Severity
from monitor.core.routing import Concern
from monitor.providers.base import KeySettings


def channel(**fields: Any) -> ChannelSettings:
    return ChannelSettings.model_validate({"name": "ops", "url": "console:", **fields})


def settings(**fields: Any) -> Settings:
    key = {"name": "studio", "provider": "kie", "key": "sk-1"}
    return Settings.model_validate({"keys": [key], "store": "sqlite:///x.db", **fields})


@pytest.mark.parametrize(
    ("fields", "severity", "names", "tags", "expected"),
    [
        pytest.param({}, "info", ["studio"], [], True, id="a channel without filters takes all"),
        pytest.param({"severities": ["critical"]}, "warning", ["studio"], [], False, id="severity"),
        pytest.param({"keys": ["st*"]}, "info", ["relay"], [], False, id="a glob that matches not"),
        pytest.param({"keys": ["st*"]}, "info", ["relay", "studio"], [], True, id="any key of it"),
        pytest.param({"keys": ["ST*"]}, "info", ["studio"], [], False, id="case counts"),
        pytest.param({"tags": ["a", "b"]}, "info", ["studio"], ["b"], True, id="one common tag"),
        pytest.param({"tags": ["a"]}, "info", ["studio"], [], False, id="no common tag"),
        pytest.param({}, "info", [], [], False, id="an alert of no configured key"),
    ],
)
def test_a_channel_takes_what_its_filters_let_through(
    fields: dict[str, Any], severity: str, names: list[str], tags: list[str], *, expected: bool
) -> None:
    concern = Concern(rule="silent", provider="kie", keys=tuple(names), tags=tuple(tags))
    assert (not channel(**fields).why_not(Severity(severity), concern)) is expected


def test_quiet_hours_are_those_of_the_file() -> None:
    quiet = {"from": "22:00", "to": "07:00", "timezone": "Europe/Berlin", "except": "critical"}
    night = datetime(2026, 11, 1, 23, tzinfo=UTC)
    held = channel(quiet=quiet).held_until(Severity.WARNING, night)
    assert held == datetime(2026, 11, 2, 6, tzinfo=UTC)
    assert channel(quiet=quiet).held_until(Severity.CRITICAL, night) is None
    assert channel().held_until(Severity.WARNING, night) is None


@pytest.mark.parametrize(
    ("listen", "host", "port"),
    [
        ("127.0.0.1:9750", "127.0.0.1", 9750),
        ("[::1]:9750", "::1", 9750),
        ("localhost:0", "localhost", 0),
        ("0.0.0.0:80", "0.0.0.0", 80),
    ],
)
def test_an_address_to_listen_at_has_host_and_port(listen: str, host: str, port: int) -> None:
    web = Web(listen=listen)
    assert (web.host, web.port) == (host, port)


@pytest.mark.parametrize(
    "listen", ["9750", "::1:9750", "[::1]", "[1.2.3]:80", "host:", "host:99999", "a b:1", ":80"]
)
def test_what_is_no_address_to_listen_at_is_refused(listen: str) -> None:
    with pytest.raises(ValidationError):
        Web(listen=listen)


@pytest.mark.parametrize(
    "url",
    [
        "sqlite:///var/lib/credit-monitor/credit-monitor.db",
        "sqlite:////var/lib/x.db",
        "postgresql://user:pass@db.example.com:5432/credit",
        "postgresql://db/credit?sslmode=require",
    ],
)
def test_a_store_is_sqlite_or_postgresql(url: str) -> None:
    assert settings(store=url).store.get_secret_value() == url


@pytest.mark.parametrize(
    "url",
    [
        "",
        "x.db",
        "sqlite://x.db",
        "sqlite:///",
        "postgresql://",
        "postgresql://h",
        "postgresql://h:port/d",
        "postgres://h/d",
        "mysql://h/d",
    ],
)
def test_another_store_is_refused(url: str) -> None:
    with pytest.raises(ValidationError, match="must be sqlite:///"):
        settings(store=url)


@pytest.mark.parametrize("off", [False, "off", "no", None])
def test_the_web_page_can_be_switched_off(off: object) -> None:
    assert settings(web=off).web is None


def test_limits_come_from_the_group_then_the_provider_then_the_default() -> None:
    limits = {
        "default": {"rate": 7, "concurrency": 3},
        "kie": {"rate": 5},
        "api.kie.ai": {"concurrency": 1},
    }
    found = settings(limits=limits)
    assert found.limit("kie", "api.kie.ai").model_dump() == {"rate": 7, "concurrency": 1}
    assert found.limit("kie", "mirror").model_dump() == {"rate": 5, "concurrency": 3}
    assert found.limit("json", "elsewhere").model_dump() == {"rate": 7, "concurrency": 3}


def test_without_any_entry_the_rate_follows_the_schedule() -> None:
    assert settings().limit("kie", "api.kie.ai").model_dump() == {"rate": None, "concurrency": 100}


def test_an_empty_rate_is_as_if_it_were_not_there() -> None:
    found = settings(limits={"default": {"rate": 7}, "kie": {"rate": None, "concurrency": 1}})
    assert found.limit("kie", "api.kie.ai").model_dump() == {"rate": 7, "concurrency": 1}


def test_limits_are_by_default_those_of_the_poller() -> None:
    found = settings().limit("kie", "api.kie.ai")
    assert monitor.limits.Limit(**found.model_dump()) == monitor.limits.Limit()


def test_the_defaults_of_keys_are_bounded_as_the_keys_themselves() -> None:
    for name, field in Defaults.model_fields.items():
        same = KeySettings.model_fields[name]
        assert (field.default, field.metadata) == (same.default, same.metadata), name


def test_settings_never_show_a_secret() -> None:
    found = settings(
        store="postgresql://user:pa55@h/d", channels=[channel(url=SecretStr("slack://t0ken"))]
    )
    shown = repr(found) + str(found) + found.model_dump_json()
    assert not [secret for secret in ("sk-1", "pa55", "t0ken") if secret in shown]


@pytest.mark.parametrize(
    ("common", "own", "expected"),
    [
        pytest.param({}, {}, {}, id="nothing over nothing"),
        pytest.param(
            {"low_balance": {"warning": 1}},
            {"low_balance": {"critical": 2}},
            {"low_balance": {"warning": 1, "critical": 2}},
            id="field by field",
        ),
        pytest.param({"silent": {}}, {"silent": "off"}, {"silent": None}, id="off for one key"),
        pytest.param({"silent": "off"}, {"silent": {}}, {"silent": {}}, id="on for one key"),
        pytest.param({"silent": False}, {}, {"silent": None}, id="off for all"),
        pytest.param(
            {"silent": {"after": "5m"}}, {"silent": "on"}, {"silent": {"after": "5m"}}, id="on"
        ),
        pytest.param({"silent": {}}, {"silent": 5}, {"silent": 5}, id="nonsense is kept to tell"),
        pytest.param({"silent": {}}, "off", "off", id="no mapping is kept to tell"),
    ],
)
def test_rules_of_a_key_lie_over_those_for_all(common: Any, own: Any, expected: Any) -> None:
    assert merged(switched(common), switched(own)) == expected


@pytest.mark.parametrize(
    ("written", "at", "weekday"),
    [
        pytest.param({}, "09:00", None, id="nothing written: weekly, Monday at nine"),
        pytest.param({"every": "week", "at": "Tue 07:30"}, "07:30", 1, id="another weekday"),
        pytest.param({"every": "day", "at": "23:59"}, "23:59", None, id="every day"),
    ],
)
def test_a_report_is_sent_at(written: dict[str, str], at: str, weekday: int | None) -> None:
    found = Notify.model_validate({"report": written}).report
    assert found is not None
    assert f"{found.send_time.clock:%H:%M}" == at
    assert found.send_time.weekday == weekday


@pytest.mark.parametrize("word", ["off", False, None])
def test_reports_are_off_unless_configured(word: object) -> None:
    assert Notify().report is None
    assert Notify.model_validate({"report": word}).report is None


def test_times_in_messages_are_utc_unless_a_zone_is_named() -> None:
    assert settings().notify.zone == ZoneInfo("UTC")
    assert settings(notify={"timezone": "Europe/Berlin"}).notify.zone == ZoneInfo("Europe/Berlin")


@pytest.mark.parametrize(
    ("name", "message"),
    [
        pytest.param("Europe/Berln", "did you mean Europe/Berlin?", id="a slip"),
        pytest.param("Middle-earth", "is no time zone", id="no such place"),
        pytest.param("Europe", "is no time zone", id="a directory of zones"),
        pytest.param("../etc/passwd", "is no time zone", id="a path"),
        pytest.param("a\0b", "is no time zone", id="no name at all"),
        pytest.param("", "at least 1 character", id="nothing"),
    ],
)
def test_what_is_no_time_zone_is_refused(name: str, message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        settings(notify={"timezone": name})


@pytest.mark.parametrize(
    ("written", "charts"),
    [("off", False), ("no", False), (False, False), ("on", True), (True, True)],
)
def test_charts_can_be_switched_off(written: object, *, charts: bool) -> None:
    assert settings(notify={"charts": written}).notify.charts is charts


def test_charts_are_on_or_off_and_nothing_else() -> None:
    with pytest.raises(ValidationError):
        settings(notify={"charts": "sometimes"})


def test_services_on_one_host_have_limits_of_their_own_or_those_of_the_host() -> None:
    found = settings(limits={"localhost": {"rate": 5}, "localhost:2": {"rate": 9}})
    assert found.limit("kie", "localhost:1").rate == 5
    assert found.limit("kie", "localhost:2").rate == 9
