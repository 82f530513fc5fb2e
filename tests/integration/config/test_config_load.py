"""Loading as an operator meets it: files, environment, systemd, and nothing leaked."""

from __future__ import annotations

import logging
import os
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from monitor.config import (
    ConfigError,
    Level,
    Loaded,
    find,
    from_environment,
    load,
    show,
    starter,
)
from monitor.config.load import default_store
from monitor.core.fields import Threshold

SECRET = "s3cr3t-0123456789-abcdef"
HOME = {"HOME": "/home/operator"}


def write(directory: Path, text: str, mode: int = 0o600) -> Path:
    file = directory / "config.yaml"
    file.write_text(text, encoding="utf-8")
    file.chmod(mode)
    return file


@contextmanager
def bound_by_permissions() -> Iterator[None]:
    """Root may read everything, so it becomes another user meanwhile."""
    if os.geteuid() != 0:
        yield
        return
    os.setresuid(65534, 65534, 0)
    try:
        yield
    finally:
        os.setresuid(0, 0, 0)


@pytest.fixture
def open_path() -> Iterator[Path]:
    """A directory that others may enter too, unlike ``tmp_path``."""
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory)
        path.chmod(0o755)
        yield path


def messages(caught: pytest.ExceptionInfo[ConfigError]) -> list[str]:
    return [f"{each.path}: {each.message}" for each in caught.value.problems]


def warnings(loaded: Loaded) -> list[str]:
    return [f"{each.line}: {each.path}: {each.message}" for each in loaded.warnings]


def loaded(directory: Path, text: str, **environ: str) -> Loaded:
    return load(write(directory, text), HOME | environ)


def test_five_lines_are_a_configuration(tmp_path: Path) -> None:
    found = loaded(
        tmp_path,
        "keys:\n  - name: studio\n    key: ${KIE_API_KEY}\n"
        "channels:\n  - {name: ops, url: ${OPS_URL}}\n",
        KIE_API_KEY=SECRET,
        OPS_URL="console:",
    )
    (key,) = found.settings.keys
    assert key.provider == "kie"
    assert key.key is not None
    assert key.key.get_secret_value() == SECRET
    assert found.settings.channels[0].messages_to == "console:"
    assert found.warnings == ()
    assert found.settings.source == str(tmp_path / "config.yaml")


def test_a_key_takes_over_defaults_and_rules_field_by_field(tmp_path: Path) -> None:
    settings = loaded(
        tmp_path,
        """
        defaults: {interval: 2m, timeout: 7s}
        rules: {low_balance: {warning: 30%, critical: 10%}, silent: off}
        keys:
          - {name: one, key: a}
          - {name: two, key: b, interval: 1h, rules: {low_balance: {critical: 0.5}, silent: {}}}
        """,
    ).settings
    one, two = settings.keys
    assert (one.interval, one.timeout) == (timedelta(minutes=2), timedelta(seconds=7))
    assert one.rules is settings.rules
    assert one.rules.silent is None
    assert two.interval == timedelta(hours=1)
    assert two.rules.silent is not None
    assert two.rules.low_balance is not None
    assert two.rules.low_balance.warning == Threshold(share=Decimal("0.3"))
    assert two.rules.low_balance.critical == Threshold(amount=Decimal("0.5"))


def test_keys_with_equal_rules_share_them(tmp_path: Path) -> None:
    rules = "rules: {low_balance: {warning: 100, critical: 10}}"
    one, two = loaded(
        tmp_path, f"keys: [{{name: a, key: a, {rules}}}, {{name: b, key: b, {rules}}}]"
    ).settings.keys
    assert one.rules is two.rules


def test_amounts_are_exact(tmp_path: Path) -> None:
    text = "keys: [{name: a, key: a}]\nrules: {low_balance: {warning: 0.1, critical: 1e-2}}"
    rule = loaded(tmp_path, text).settings.rules.low_balance
    assert rule is not None
    assert rule.warning == Threshold(amount=Decimal("0.1"))
    assert rule.critical == Threshold(amount=Decimal("0.01"))


def test_a_section_with_everything_commented_out_is_as_if_absent(tmp_path: Path) -> None:
    found = loaded(tmp_path, "keys: [{name: a, key: a}]\nchannels:\n  # none\nweb:\nnotify:\n")
    assert found.settings.channels == ()
    assert found.settings.web is not None


def test_secrets_come_from_files_beside_the_configuration(tmp_path: Path) -> None:
    for name, text in (("studio.key", f"{SECRET}\r\n"), ("ops.url", "console:\n")):
        (tmp_path / name).write_text(text)
        (tmp_path / name).chmod(0o600)
    settings = loaded(
        tmp_path,
        "keys: [{name: a, key_file: studio.key}]\nchannels: [{name: ops, url_file: ops.url}]",
    ).settings
    assert settings.keys[0].key is not None
    assert settings.keys[0].key.get_secret_value() == SECRET
    assert settings.channels[0].messages_to == "console:"
    assert "key_file: studio.key" in show(settings)


def test_secrets_come_from_systemd_credentials(tmp_path: Path) -> None:
    (tmp_path / "studio").write_text(SECRET)
    (tmp_path / "studio").chmod(0o400)
    text = "keys: [{name: a, key_credential: studio}]"
    settings = loaded(tmp_path, text, CREDENTIALS_DIRECTORY=str(tmp_path)).settings
    assert settings.keys[0].key is not None
    assert settings.keys[0].key.get_secret_value() == SECRET


@pytest.mark.parametrize(
    ("content", "message"),
    [
        pytest.param(b"", "the file is empty", id="empty"),
        pytest.param(b"\n \n", "the file is empty", id="only blanks"),
        pytest.param(b"\xff\xfe" + SECRET.encode(), "the file is not text", id="binary"),
        pytest.param(b"x" * 70_000, "the file is larger than 64 KiB", id="too large"),
        pytest.param(f"{SECRET}\n{SECRET}\n".encode(), "holds a line break", id="two lines"),
        pytest.param(f"KEY={SECRET} x".encode(), "holds a blank", id="an inner blank"),
    ],
)
def test_a_file_that_holds_no_credential_is_told(
    tmp_path: Path, content: bytes, message: str
) -> None:
    (tmp_path / "studio.key").write_bytes(content)
    with pytest.raises(ConfigError) as caught:
        loaded(tmp_path, "keys: [{name: a, key_file: studio.key}]")
    assert message in str(caught.value)
    assert SECRET not in str(caught.value)


def test_a_pipe_is_no_file_of_a_credential_and_blocks_nothing(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(ConfigError, match="no regular file"):
        loaded(tmp_path, "keys: [{name: a, key_file: pipe}]")


@pytest.mark.parametrize(
    ("forbidden", "message"),
    [
        pytest.param(
            "studio.key",
            "2:25: keys.a.key_file: the file cannot be read: Permission denied",
            id="of a secret",
        ),
        pytest.param("config.yaml", "cannot be read: Permission denied", id="itself"),
    ],
)
def test_a_file_that_may_not_be_read_is_told(open_path: Path, forbidden: str, message: str) -> None:
    (open_path / "studio.key").write_text(SECRET)
    config = write(open_path, "keys:\n  - {name: a, key_file: studio.key}\n", mode=0o644)
    (open_path / forbidden).chmod(0o000)
    with pytest.raises(ConfigError) as caught, bound_by_permissions():
        load(config, HOME)
    assert message in str(caught.value)


def test_files_that_everybody_can_read_are_warned_about(tmp_path: Path) -> None:
    (tmp_path / "studio.key").write_text(SECRET)
    (tmp_path / "studio.key").chmod(0o644)
    text = f"keys:\n  - {{name: a, key_file: studio.key}}\n  - {{name: b, key: {SECRET}}}\n"
    found = load(write(tmp_path, text, 0o644), HOME)
    assert "2: keys.a.key_file: every user of this host can read the file: chmod o-r it" in (
        warnings(found)
    )
    assert "1: : holds secrets, and every user of this host can read it: chmod o-r it" in (
        warnings(found)
    )


def test_a_configuration_with_references_only_may_be_public(tmp_path: Path) -> None:
    text = "keys: [{name: a, key: ${K}}]\nchannels: [{name: ops, url: ${U}}]"
    found = load(write(tmp_path, text, 0o644), HOME | {"K": SECRET, "U": "console:"})
    assert found.warnings == ()


@pytest.mark.parametrize(
    ("text", "warning"),
    [
        pytest.param(
            "keys: [{name: a, key: a}]",
            "1: : no channels: alerts are recorded and shown, but sent to nobody",
            id="no channels",
        ),
        pytest.param(
            "keys:\n  - {name: a, key: a}\n  - {name: b, key: b}\n"
            "channels: [{name: ops, url: 'console:', keys: [a]}]",
            "3: keys.b: no channel takes alerts about this key",
            id="a key that no channel takes",
        ),
        pytest.param(
            "keys: [{name: a, key: a}, {name: b, key: b}, {name: c, key: c}, {name: d, key: d},"
            " {name: e, key: e}]\n"
            "channels: [{name: ops, url: 'console:', keys: [e], severities: [warning, critical]},\n"
            " {name: mail, url: 'console:', severities: [critical]}]",
            "2: channels: no channel takes info and warning alerts about 4 of 5 keys,"
            " such as a, b, c",
            id="many keys that no channel takes are summed up",
        ),
        pytest.param(
            "keys:\n  - {name: a, key: a, interval: 5s}",
            "2: keys.a: timeout is longer than interval: a slow poll delays the next one",
            id="a timeout longer than the interval of a key",
        ),
        pytest.param(
            "defaults: {interval: 5s}\nkeys: [{name: a, key: a}, {name: b, key: b}]",
            "1: defaults: timeout is longer than interval: a slow poll delays the next one",
            id="a timeout longer than the interval of all keys is told once",
        ),
        pytest.param(
            "keys: [{name: a, key: a, interval: 1s}]\nlimits: {kie: {rate: 0.5}}",
            "2: limits.kie: the keys of api.kie.ai ask for 1 polls per second and its rate is 0.5:"
            " polls will be late; raise interval or limits.api.kie.ai.rate",
            id="more polls than the limit lets through",
        ),
        pytest.param(
            "keys: [{name: a, key: a}]\nlimits: {kei: {rate: 1}}",
            "2: limits.kei: no key belongs to it; did you mean kie?",
            id="a limit for nobody",
        ),
        pytest.param(
            "keys: [{name: a, key: a}]\nweb: {listen: '0.0.0.0:9750'}",
            "2: web.listen: reachable from other hosts, without a password: set web.users",
            id="a page that others reach",
        ),
    ],
)
def test_what_an_operator_would_want_to_know_is_a_warning(
    tmp_path: Path, text: str, warning: str
) -> None:
    found = warnings(loaded(tmp_path, text))
    assert found.count(warning) == 1, found


def test_ten_thousand_keys_every_half_minute_need_no_limits(tmp_path: Path) -> None:
    entries = "".join(f"  - {{name: k-{n}, key: ${{K}}, interval: 30s}}\n" for n in range(10_000))
    channels = "channels: [{name: ops, url: 'console:'}]\n"
    assert loaded(tmp_path, f"{channels}keys:\n{entries}", K=SECRET).warnings == ()


def test_a_mistake_hides_no_other(tmp_path: Path) -> None:
    text = """
keys:
  - {name: a, key: a, interval: 5}
  - {name: a, key: b}
  - {name: c, key: ${NOPE}, rules: {silent: {after: soon}}}
channels:
  - {name: ops, url: "console:", keys: [d]}
notify: {group_wait: 1}
nonsense: true
"""
    with pytest.raises(ConfigError) as caught:
        loaded(tmp_path, text)
    assert [each.line for each in caught.value.problems] == [3, 4, 5, 5, 7, 8, 9]


@pytest.mark.parametrize(
    ("place", "message"),
    [
        pytest.param("missing.yaml", "cannot be read: No such file", id="a file that is missing"),
        pytest.param(".", "is not a regular file", id="a directory"),
    ],
)
def test_a_file_that_cannot_be_read_is_told(tmp_path: Path, place: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        load(tmp_path / place, HOME)


def test_bytes_that_are_no_text_are_told_with_their_place(tmp_path: Path) -> None:
    file = tmp_path / "config.yaml"
    file.write_bytes(b"keys:\n  - name: caf\xe9\n")
    with pytest.raises(ConfigError, match=r"config\.yaml:2:14: is not UTF-8 text"):
        load(file, HOME)


def test_a_channel_url_is_judged_by_what_is_handed_in(tmp_path: Path) -> None:
    text = "keys: [{name: a, key: a}]\nchannels:\n  - name: ops\n    url: slack://x\n"
    with pytest.raises(ConfigError, match=r":4:10: channels\.ops\.url: nobody home"):
        load(write(tmp_path, text), HOME, check_channel_url=lambda _: "nobody home")


# nothing leaks


def test_no_secret_shows_anywhere(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level(logging.DEBUG)
    (tmp_path / "file.key").write_text(f"file-{SECRET}")
    text = f"""
keys:
  - {{name: a, key: literal-{SECRET}}}
  - {{name: b, key: ${{K}}}}
  - {{name: c, key_file: file.key}}
  - name: d
    provider: json
    key: ${{K}}
    url: https://api.example.com/${{K}}
    method: POST
    headers: {{X-Token: "${{K}}"}}
    body: {{token: "${{K}}", list: [1, "${{K}}"]}}
    balance: data
    unit: USD
channels:
  - {{name: ops, url: "slack://AAAAAAAAA/BBBBBBBBB/{"c" * 24}/#x"}}
store: postgresql://user:pass-{SECRET}@db/credit?password={SECRET}
"""
    found = loaded(tmp_path, text, K=f"env-{SECRET}")
    shown = show(found.settings)
    told = "".join(map(str, found.warnings))
    output = caplog.text + "".join(capfd.readouterr())
    for where in (shown, told, output):
        assert SECRET not in where
        assert "c" * 24 not in where
    assert "postgresql://***@db/credit" in shown


def test_what_is_shown_is_a_configuration_again(tmp_path: Path) -> None:
    text = """
    keys: [{name: a, key: "x", account: m, tags: ["no"]}]
    rules: {silent: off, low_balance: {warning: 2000, critical: 0.5}}
    limits: {default: {rate: 2}, kie: {concurrency: 3}}
    web: off
    """
    settings = loaded(tmp_path, text).settings
    again = loaded(tmp_path, show(settings)).settings
    assert show(again) == show(settings)
    assert again.rules == settings.rules == again.keys[0].rules
    assert again.limit("kie", "") == settings.limit("kie", "")


# ten thousand keys


def test_ten_thousand_keys_load_in_seconds_with_and_without_mistakes(tmp_path: Path) -> None:
    entries = "".join(
        f"  - {{name: k-{n}, key: ${{K}}, account: a-{n}, tags: [t{n % 7}], interval: 10m}}\n"
        for n in range(10_000)
    )
    started = time.process_time()
    found = loaded(tmp_path, "keys:\n" + entries, K=SECRET)
    assert len(found.settings.keys) == 10_000
    with pytest.raises(ConfigError) as caught:
        loaded(tmp_path, "keys:\n" + entries.replace("tags", "tgas"), K=SECRET)
    assert len(caught.value.problems) == 10_000
    assert str(caught.value.problems[-1]).endswith(
        ":10001:48: keys.k-9999.tgas: unknown field; did you mean tags?"
    )
    assert time.process_time() - started < 30  # about 3 s: this is against quadratic work


@pytest.mark.parametrize(
    ("at", "usable"),
    [
        pytest.param("2026-11-22", True, id="a day that has begun further east"),
        pytest.param("2026-11-23", False, id="a day that has begun nowhere"),
        pytest.param("2026-11-21T11:59Z", True, id="a time that has just passed"),
        pytest.param("2026-11-21T12:01Z", False, id="a time that is still to come"),
        pytest.param("2026-11-21T13:30+02:00", True, id="a time that has passed where it is said"),
    ],
)
def test_a_balance_entered_by_hand_is_not_of_the_future(
    tmp_path: Path, at: str, *, usable: bool
) -> None:
    file = write(
        tmp_path,
        f"keys: [{{name: lab, provider: kinovi, key: ${{K}}, balance: {{manual: 1, at: {at}}}}}]",
    )
    now = datetime(2026, 11, 21, 12, tzinfo=UTC)
    if usable:
        assert load(file, HOME | {"K": SECRET}, now=now).settings.keys[0].manual
        return
    with pytest.raises(ConfigError, match=r"keys\.lab\.balance\.at: is in the future"):
        load(file, HOME | {"K": SECRET}, now=now)


# where it comes from


def test_the_file_is_looked_for_in_the_order_of_the_manual(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    environ = {"HOME": str(tmp_path), "XDG_CONFIG_HOME": str(tmp_path / "xdg")}
    user = tmp_path / "xdg" / "credit-monitor" / "config.yaml"
    user.parent.mkdir(parents=True)
    assert find(None, environ) in {None, Path("/etc/credit-monitor/config.yaml")}
    user.touch()
    assert find(None, environ) == user
    Path("config.yaml").touch()
    assert find(None, environ) == Path("config.yaml")
    assert find(None, environ | {"CREDIT_MONITOR_CONFIG": "other.yaml"}) == Path("other.yaml")
    assert find("chosen.yaml", environ | {"CREDIT_MONITOR_CONFIG": "o"}) == Path("chosen.yaml")


@pytest.mark.parametrize(
    ("environ", "store"),
    [
        pytest.param(
            {"STATE_DIRECTORY": "/var/lib/credit-monitor"},
            "sqlite:///var/lib/credit-monitor/credit-monitor.db",
            id="systemd's state directory",
        ),
        pytest.param(
            {"STATE_DIRECTORY": "/var/lib/one:/var/lib/two"},
            "sqlite:///var/lib/one/credit-monitor.db",
            id="the first of several",
        ),
        pytest.param(
            {"XDG_STATE_HOME": "/state"},
            "sqlite:///state/credit-monitor/credit-monitor.db",
            id="the user's state directory",
        ),
        pytest.param(
            {"XDG_STATE_HOME": "relative"},
            "sqlite:///home/operator/.local/state/credit-monitor/credit-monitor.db",
            id="below the home directory",
        ),
    ],
)
def test_the_store_is_in_the_state_directory(environ: dict[str, str], store: str) -> None:
    settings = from_environment(HOME | {"KIE_API_KEY": "sk"} | environ).settings
    assert settings.store.get_secret_value() == store


@pytest.mark.parametrize(
    ("there", "environ", "expected"),
    [
        pytest.param(["system"], {}, "system", id="root looks at what the service wrote"),
        pytest.param(["system", "own"], {}, "own", id="a store of one's own comes first"),
        pytest.param([], {}, "own", id="without a service it is one's own"),
        pytest.param(["system"], {"STATE_DIRECTORY": "/state"}, "/state", id="the service itself"),
    ],
)
def test_the_store_of_the_service_is_found(
    tmp_path: Path, there: list[str], environ: dict[str, str], expected: str
) -> None:
    places = {
        "system": tmp_path / "system" / "credit-monitor.db",
        "own": tmp_path / "credit-monitor" / "credit-monitor.db",
        "/state": Path("/state/credit-monitor.db"),
    }
    for name in there:
        places[name].parent.mkdir()
        places[name].touch()
    environ = {"XDG_STATE_HOME": str(tmp_path), **environ}
    assert default_store(environ, service=places["system"]) == f"sqlite://{places[expected]}"


def test_the_store_of_the_service_is_left_alone_by_whom_it_does_not_concern(tmp_path: Path) -> None:
    service = tmp_path / "service" / "service.db"
    service.parent.mkdir()
    service.touch()
    service.parent.chmod(0o000)
    environ = {"XDG_STATE_HOME": "/nowhere"}
    with bound_by_permissions():
        found = default_store(environ, service=service)
    assert found == "sqlite:///nowhere/credit-monitor/credit-monitor.db"


def test_the_environment_alone_is_a_configuration() -> None:
    found = from_environment(HOME | {"KIE_API_KEY": SECRET})
    assert [key.name for key in found.settings.keys] == ["kie"]
    assert found.settings.source == "environment"
    assert [each.level for each in found.warnings] == [Level.WARNING]
    assert SECRET not in repr(found) + show(found.settings)


def test_the_environment_holds_keys_of_every_provider_under_their_usual_names() -> None:
    environ = {
        "KIE_API_KEY": "sk-0",
        "DEEPSEEK_API_KEY": "sk-1",
        "KIMI_API_KEY": "sk-2",
        "MOONSHOT_API_KEY": "sk-3",
        "TWILIO_AUTH_TOKEN": "sk-4",
        "XAI_MANAGEMENT_KEY": "sk-5",
        "XAI_TEAM_ID": "t-1",
    }
    found = from_environment(HOME | environ).settings.keys

    assert [key.name for key in found] == ["kie", "deepseek", "moonshot", "xai"]
    assert found[2].key
    assert found[2].key.get_secret_value() == "sk-3"
    assert found[3].values == {"team": "t-1"}  # type: ignore[attr-defined]  # of a CatalogKey


def test_a_setting_in_the_environment_makes_a_key_whole(tmp_path: Path) -> None:
    environ = {"TWILIO_AUTH_TOKEN": SECRET, "TWILIO_ACCOUNT_SID": "AC-hidden-1"}
    found = from_environment(HOME | environ)
    assert "AC-hidden-1" not in repr(found) + show(found.settings)

    again = loaded(tmp_path, starter(environ), **environ)
    assert [key.name for key in again.settings.keys] == ["twilio"]


@pytest.mark.parametrize(
    ("provider", "defaults", "own", "expected"),
    [
        pytest.param("xai", "", "", 15, id="the shortest sensible one of the provider"),
        pytest.param("xai", "1m", "", 15, id="not shorter by a default"),
        pytest.param("xai", "1h", "", 60, id="longer by a default"),
        pytest.param("xai", "1h", "2m", 2, id="as the key says"),
        pytest.param("deepseek", "", "", 5, id="the usual one"),
        pytest.param("kie", "1m", "", 1, id="a provider that is code"),
    ],
)
def test_the_interval_keeps_to_what_a_provider_publishes(
    tmp_path: Path, provider: str, defaults: str, own: str, expected: int
) -> None:
    text = f"defaults: {{interval: {defaults}}}\n" if defaults else ""
    interval = f", interval: {own}" if own else ""
    text += f"keys: [{{name: a, provider: {provider}, key: k{interval}}}]\n"

    assert loaded(tmp_path, text).settings.keys[0].interval == timedelta(minutes=expected)


@pytest.mark.parametrize(
    ("environ", "message"),
    [
        pytest.param({}, "environment: there is no configuration file, and no key", id="nothing"),
        pytest.param({"KIE_API_KEY": ""}, "no key in the usual variables", id="an empty variable"),
        pytest.param(
            {"KIE_API_KEY": f"Bearer {SECRET}"},
            "environment: KIE_API_KEY: holds a blank",
            id="a variable with more than the key",
        ),
    ],
)
def test_an_environment_without_a_key_is_told(environ: dict[str, str], message: str) -> None:
    with pytest.raises(ConfigError, match=message) as caught:
        from_environment(HOME | environ)
    assert SECRET not in str(caught.value)


def test_the_starter_file_loads_and_holds_no_secret(tmp_path: Path) -> None:
    text = starter({"KIE_API_KEY": SECRET})
    assert SECRET not in text
    found = loaded(tmp_path, text, KIE_API_KEY=SECRET)
    assert [key.name for key in found.settings.keys] == ["kie"]
    assert found.warnings == ()


def test_without_a_key_in_the_environment_the_starter_file_says_what_to_set(
    tmp_path: Path,
) -> None:
    with pytest.raises(ConfigError) as caught:
        loaded(tmp_path, starter({}))
    assert messages(caught) == ["keys.kie.key: environment variable KIE_API_KEY is not set"]


def test_a_template_that_cannot_work_is_told_at_its_place(tmp_path: Path) -> None:
    text = """\
keys: [{name: studio, key: k}]
channels:
  - name: ops
    url: "console:"
    template:
      title: "{{ titel }}"
      body: |
        {% for story in stories %}
        {{ story.fact.Threshold }}
        {% endfor %}
"""
    with pytest.raises(ConfigError) as caught:
        loaded(tmp_path, text)
    assert [(each.line, each.column) for each in caught.value.problems] == [(6, 14), (7, 13)]
    assert messages(caught) == [
        "channels.ops.template.title: template: line 1: 'titel' is undefined",
        "channels.ops.template.body: template: line 2: 'dict object' has no attribute 'Threshold'",
    ]


OUTSIDE = """
keys: [{name: studio, key: abc}]
channels:
  - {name: one, alertmanager: "${AM_URL}"}
  - {name: two, alertmanager: ["http://127.0.0.1:9093", "${AM_URL}"]}
heartbeat: {url: "${PING_URL}"}
"""


def test_addresses_outside_are_secrets_that_only_those_who_send_need(tmp_path: Path) -> None:
    file = tmp_path / "config.yaml"
    file.write_text(OUTSIDE)
    with pytest.raises(ConfigError) as caught:
        load(file, {})
    assert [problem.path for problem in caught.value.problems if "not set" in problem.message] == [
        "channels.one.alertmanager",
        "channels.two.alertmanager[1]",
        "heartbeat.url",
    ]
    assert len(caught.value.problems) == 4, "besides, the key is readable by everybody"
    load(file, {}, check_channel_url=lambda _url: None, secrets_needed=False)
    environ = {"AM_URL": "https://u:hush@am.example.com", "PING_URL": "https://ping.example/hush"}
    settings = load(file, environ).settings
    assert [len(channel.alertmanager) for channel in settings.channels] == [1, 2]
    assert "hush" not in repr(settings)
    assert "hush" not in show(settings)


def test_the_url_of_the_heartbeat_may_be_in_a_file(tmp_path: Path) -> None:
    (tmp_path / "ping.url").write_text("https://ping.example/hush\n")
    file = tmp_path / "config.yaml"
    file.write_text("keys: [{name: studio, key: abc}]\nheartbeat: {url_file: ping.url}\n")
    heartbeat = load(file, {}).settings.heartbeat
    assert heartbeat is not None
    assert heartbeat.url.get_secret_value() == "https://ping.example/hush"
