"""``config``, ``notify test`` and ``providers``."""

from __future__ import annotations

import json
import stat
from typing import Any

import pytest
from click.testing import CliRunner

from monitor.cli import program
from monitor.config.passwords import PasswordHash
from monitor.providers import REGISTRY

KEY = {"name": "studio", "provider": "kie", "key": "sk-never-shown-2"}


def test_a_good_configuration_is_summed_up(cli: Any) -> None:
    cli.configure(keys=[KEY], channels=[{"name": "term", "url": "console:"}])
    result = cli("config", "check")
    assert result.exit_code == 0
    assert "usable, 1 key, 1 channel" in result.stdout


def test_all_problems_are_told_at_once_with_their_places(cli: Any) -> None:
    path = cli.home / "config.yaml"
    path.write_text("keys:\n  - {name: a, key: k, intervall: 1m}\n  - {name: a, key: k}\nweb: 7\n")
    result = cli("config", "check")
    assert result.exit_code == 78
    lines = result.stderr.splitlines()
    assert lines[-1] == f"{len(lines) - 1} problems found."
    assert len(lines) >= 4
    assert all(line.startswith("config.yaml:") for line in lines[:-1])
    assert any(line.startswith("config.yaml:2:") and "interval" in line for line in lines)


def test_problems_as_json_carry_line_and_column(cli: Any) -> None:
    (cli.home / "config.yaml").write_text("keys:\n  - {name: a, key: k, intervall: 1m}\n")
    result = cli("config", "check", "--format", "json")
    document = json.loads(result.stdout)
    assert result.exit_code == 78
    assert document["usable"] is False
    error = next(p for p in document["problems"] if p["level"] == "error")
    assert (error["line"], error["file"]) == (2, "config.yaml")


@pytest.mark.parametrize(
    "arguments",
    [
        ["run"],
        ["status"],
        ["history", "x"],
        ["alerts"],
        ["notify", "test"],
        ["notify", "list"],
        ["notify", "retry"],
        ["config", "check"],
        ["config", "show"],
    ],
    ids=" ".join,
)
def test_every_command_ends_with_78_on_a_wrong_configuration(
    cli: Any, arguments: list[str]
) -> None:
    (cli.home / "config.yaml").write_text("keys: 7\n")
    result = cli(*arguments)
    assert result.exit_code == 78
    assert "config.yaml:1:7: keys: " in result.stderr
    assert "Traceback" not in result.output


@pytest.mark.parametrize(
    "arguments",
    [
        pytest.param(["-c", "other.yaml", "config", "check"], id="before the command"),
        pytest.param(["config", "-c", "other.yaml", "check"], id="after the group"),
        pytest.param(["config", "check", "--config", "other.yaml"], id="after the command"),
    ],
)
def test_the_configuration_file_can_be_named_anywhere(cli: Any, arguments: list[str]) -> None:
    cli.configure(keys=[KEY]).rename(cli.home / "other.yaml")
    assert cli(*arguments).stdout == "other.yaml: usable, 1 key, 0 channels\n"


def test_a_file_that_does_not_exist_is_a_configuration_error(cli: Any) -> None:
    result = cli("-c", "nowhere.yaml", "status")
    assert result.exit_code == 78
    assert result.stderr.startswith("nowhere.yaml: cannot be read")


def test_the_effective_configuration_hides_secrets(cli: Any) -> None:
    cli.configure(keys=[KEY], channels=[{"name": "m", "url": "json://user:hush-hush@example.org"}])
    for form in ("yaml", "json"):
        result = cli("config", "show", "--format", form)
        assert result.exit_code == 0
        assert "interval" in result.stdout
        assert "sk-never-shown-2" not in result.output
        assert "hush-hush" not in result.output


def test_the_schema_is_json(cli: Any) -> None:
    document = json.loads(cli("config", "schema").stdout)
    assert document["properties"]["keys"]


def test_the_starter_is_a_configuration_that_can_be_used(cli: Any) -> None:
    key = {"KIE_API_KEY": "sk-never-shown-3"}
    result = cli("config", "init", "--output", "new.yaml", env=key)
    assert result.exit_code == 0
    assert stat.S_IMODE((cli.home / "new.yaml").stat().st_mode) == 0o600
    assert "sk-never-shown-3" not in (cli.home / "new.yaml").read_text()
    assert cli("config", "check", "-c", "new.yaml", env=key).exit_code == 0
    assert cli("config", "init", env=key).stdout == (cli.home / "new.yaml").read_text()


def test_the_starter_never_overwrites(cli: Any) -> None:
    (cli.home / "mine.yaml").write_text("precious")
    result = cli("config", "init", "--output", "mine.yaml")
    assert result.exit_code == 1
    assert "left as it is" in result.stderr
    assert (cli.home / "mine.yaml").read_text() == "precious"


def test_the_starter_needs_a_directory_that_exists(cli: Any) -> None:
    result = cli("config", "init", "--output", "no/such/place.yaml")
    assert result.exit_code == 1
    assert "cannot be written: No such file or directory" in result.stderr


# -- notify test ----------------------------------------------------------------------------


def test_a_test_message_goes_through_the_real_sender(cli: Any) -> None:
    cli.configure(keys=[KEY], channels=[{"name": "term", "url": "console:"}])
    result = cli("notify", "test")
    assert result.exit_code == 0
    assert "Test message through term" in result.stdout
    assert "delivered" in result.stdout


def test_a_channel_that_fails_is_told_and_fails_the_command(cli: Any) -> None:
    url = "json://user:hush-hush@127.0.0.1:9/"
    channels = [{"name": "term", "url": "console:"}, {"name": "dead-end", "url": url}]
    cli.configure(keys=[KEY], channels=channels)
    result = cli("notify", "test", "--format", "json")
    assert result.exit_code == 1
    outcomes = json.loads(result.stdout)
    assert [(o["channel"], o["outcome"]) for o in outcomes] == [
        ("term", "delivered"),
        ("dead-end", "retry"),
    ]
    assert "hush-hush" not in result.output


def test_a_channel_that_prints_does_not_spoil_the_json(cli: Any) -> None:
    cli.configure(keys=[KEY], channels=[{"name": "term", "url": "console:"}])
    result = cli("notify", "test", "--format", "json")
    assert [trial["channel"] for trial in json.loads(result.stdout)] == ["term"]
    assert "Test message through term" in result.stderr


def test_only_the_named_channels_get_a_test_message(cli: Any) -> None:
    channels = [{"name": name, "url": "console:"} for name in ("one", "two")]
    cli.configure(keys=[KEY], channels=channels)
    result = cli("notify", "test", "two", "two")
    assert result.stdout.count("Test message through two") == 1
    assert "Test message through one" not in result.stdout


def test_an_unknown_channel_is_a_usage_error(cli: Any) -> None:
    cli.configure(keys=[KEY], channels=[{"name": "ops", "url": "console:"}])
    result = cli("notify", "test", "osp")
    assert result.exit_code == 64
    assert "Did you mean 'ops'?" in result.stderr


def test_without_channels_there_is_nothing_to_test(cli: Any) -> None:
    cli.configure(keys=[KEY])
    result = cli("notify", "test")
    assert result.exit_code == 78
    assert "no channels are configured" in result.stderr


# -- providers ------------------------------------------------------------------------------


def test_providers_are_listed_without_any_configuration(cli: Any) -> None:
    listed = [line.split()[0] for line in cli("providers").stdout.splitlines()[1:]]
    assert listed == list(REGISTRY.names())
    names = [info["name"] for info in json.loads(cli("providers", "--format", "json").stdout)]
    assert names == listed


def test_the_list_of_providers_stays_readable_in_a_pipe(cli: Any) -> None:
    lines = cli("providers").stdout.splitlines()
    assert max(map(len, lines)) <= 120
    assert "groq               seen in client code  whether the key works" in "\n".join(lines)


def test_providers_are_found_by_a_word(cli: Any) -> None:
    found = cli("providers", "--search", "ELEVEN").stdout
    assert [line.split()[0] for line in found.splitlines()] == ["PROVIDER", "elevenlabs"]
    assert "No provider has 'xyzzy' in it" in cli("providers", "--search", "xyzzy").stdout
    assert json.loads(cli("providers", "--search", "xyzzy", "--format", "json").stdout) == []
    assert cli("providers", "kie", "--search", "kie").exit_code == 64


def test_a_key_check_says_that_its_balance_is_unsupported(cli: Any) -> None:
    text = cli("providers", "groq").stdout
    assert "balance:       unsupported" in text
    assert "    key: ${GROQ_API_KEY}\n" in text


def test_one_provider_is_told_in_full_with_its_settings(cli: Any) -> None:
    text = cli("providers", "kie").stdout
    assert "https://docs.kie.ai/" in text
    assert "setting:       url: " in text
    assert "setting:       interval" not in text
    document = json.loads(cli("providers", "simulated", "--format", "json").stdout)
    assert document["settings"][0]["name"] == "url"
    assert document["settings"][0]["required"] is True


def test_an_unknown_provider_is_a_usage_error(cli: Any) -> None:
    result = cli("providers", "kei")
    assert result.exit_code == 64
    assert "Did you mean 'kie'?" in result.stderr


# -- config hash-password -------------------------------------------------------------------


def test_a_password_from_standard_input_becomes_a_hash() -> None:
    result = CliRunner().invoke(program, ["config", "hash-password"], input="correct horse\n")
    assert result.exit_code == 0, result.stderr
    assert PasswordHash.parse(result.stdout.strip()).matches("correct horse")
    assert "correct" not in result.output


def test_an_empty_password_is_refused() -> None:
    result = CliRunner().invoke(program, ["config", "hash-password"], input="\n")
    assert result.exit_code == 64
    assert "empty" in result.stderr
