"""The program around the commands: help, global options and the one error boundary."""

from __future__ import annotations

from typing import Any

import click
import pytest
from click.testing import CliRunner

from monitor.cli import program
from monitor.cli.app import COMMANDS, LazyGroup, did_you_mean
from monitor.cli.exits import CommandError, Exit


def commands() -> dict[str, click.Command]:
    """Every command and subcommand by what is typed for it."""
    found: dict[str, click.Command] = {}
    context = click.Context(program)
    for name in COMMANDS:
        command = program.get_command(context, name)
        assert command is not None
        found[name] = command
        if isinstance(command, click.Group):
            found |= {f"{name} {sub}": each for sub, each in command.commands.items()}
    return found


@pytest.mark.parametrize("name", ["", *commands()])
def test_every_command_has_help(name: str) -> None:
    result = CliRunner().invoke(program, [*name.split(), "--help"])
    assert result.exit_code == 0
    assert f"Usage: credit-monitor {name}".rstrip() in result.stdout
    assert "--config" in result.stdout
    assert max(map(len, result.stdout.splitlines())) <= 80, "fits a terminal of 80 columns"


@pytest.mark.parametrize("name", [n for n, c in commands().items() if not hasattr(c, "commands")])
def test_every_command_tells_what_it_does_and_gives_an_example(name: str) -> None:
    command = commands()[name]
    assert command.help
    assert command.epilog
    assert "Example" in command.epilog
    assert "credit-monitor " + name in command.epilog


@pytest.mark.parametrize("name", list(commands()))
def test_every_option_has_a_help_text(name: str) -> None:
    for param in commands()[name].params:
        if isinstance(param, click.Option):
            assert param.help, f"{name} {param.name}"


def test_every_listing_has_a_json_form() -> None:
    without = {
        "run",
        "demo",
        "kie",
        "kling",
        "kling add",
        "notify",
        "silence",
        "config",
        "config schema",
        "config init",
        "store",
    }
    without |= {"export", "export prometheus-rules", "export grafana-dashboard"}
    without |= {"store backup", "store restore", "store prune", "config hash-password"}
    for name, command in commands().items():
        forms = next((p.type for p in command.params if p.name == "output_format"), None)
        assert (isinstance(forms, click.Choice) and "json" in forms.choices) is (
            name not in without
        ), name


def test_a_misspelt_command_gets_a_suggestion() -> None:
    result = CliRunner().invoke(program, ["chek"])
    assert result.exit_code == 64
    assert "Did you mean 'check'?" in result.stderr


@pytest.mark.parametrize(
    ("word", "expected"), [("studoi", " Did you mean 'studio'?"), ("completely-else", "")]
)
def test_only_a_near_miss_gets_a_suggestion(word: str, expected: str) -> None:
    assert did_you_mean(word, ["studio", "relay"]) == expected


SECRET = "sk-in-the-text-of-a-foreign-error"


def failing(error: BaseException) -> LazyGroup:
    """A program whose command ``alerts`` ends with *error*."""

    @click.command()
    def command() -> None:
        raise error

    class Failing(LazyGroup):
        def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
            super().get_command(ctx, cmd_name)
            return command

    return Failing(name="credit-monitor", params=program.params)


def outcome(error: BaseException, *arguments: str, **env: str) -> Any:
    return CliRunner().invoke(failing(error), list(arguments) or ["alerts"], env=env)


def test_an_unexpected_error_is_told_without_its_text_and_without_traceback() -> None:
    result = outcome(RuntimeError(SECRET))
    assert result.exit_code == 70
    assert "Unexpected error: RuntimeError" in result.stderr
    assert "--debug" in result.stderr
    assert "Traceback" not in result.stderr
    assert SECRET not in result.output


@pytest.mark.parametrize("how", ["option", "variable"])
def test_debug_shows_where_it_happened_but_not_the_text(how: str) -> None:
    if how == "option":
        result = outcome(RuntimeError(SECRET), "--debug", "alerts")
    else:
        result = outcome(RuntimeError(SECRET), "alerts", CREDIT_MONITOR_DEBUG="1")
    assert result.exit_code == 70
    assert "test_app.py" in result.stderr
    assert SECRET not in result.output


def test_a_command_s_own_error_is_told_line_by_line_with_its_code() -> None:
    result = outcome(CommandError("first", "second", code=Exit.STORE))
    assert (result.exit_code, result.stderr) == (74, "first\nsecond\n")


@pytest.mark.parametrize(
    "error",
    [
        pytest.param(RuntimeError(SECRET), id="an unexpected error"),
        pytest.param(CommandError("no", code=Exit.CONFIG), id="a configuration error"),
        pytest.param(click.UsageError("no"), id="a usage error"),
        pytest.param(OSError(28, "No space left on device"), id="a full disk"),
    ],
)
def test_check_is_unknown_whatever_goes_wrong(error: Exception) -> None:
    assert outcome(error, "check").exit_code == 3


def test_ctrl_c_is_quiet() -> None:
    result = outcome(KeyboardInterrupt())
    assert result.exit_code == 130
    assert result.output.strip() == ""


def test_an_exit_code_of_a_command_is_the_program_s() -> None:
    assert outcome(click.exceptions.Exit(5)).exit_code == 5
