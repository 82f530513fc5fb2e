"""The program: global options, commands imported only when used, and the one error boundary."""

from __future__ import annotations

import contextlib
import importlib
import os
import sys
import traceback
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

import click

from monitor import __version__
from monitor.cli.exits import CheckExit, CommandError, Exit

DEBUG_VARIABLE = "CREDIT_MONITOR_DEBUG"

COMMANDS = {
    "run": "Run the daemon: poll, record, alert, serve the web page.",
    "check": "Poll now and tell, by table and exit code, how the keys stand.",
    "status": "Show what the daemon has recorded: balances, alerts, undelivered messages.",
    "history": "Show how a key's balance went.",
    "alerts": "List open and past alerts, each with its deliveries.",
    "ack": "Take an alert on: no more reminders for it.",
    "replay": "Show which alerts there would have been, over history or a CSV.",
    "silence": "Add, list and end silences: no notifications for a while.",
    "report": "Show or send the digest of the last day or week.",
    "notify": "Send a test message, list the outbox, retry dead letters, show who is told.",
    "kie": "Make download links for files that kie.ai has generated; download them.",
    "store": "Look after what is recorded: size, check, backup, restore, prune.",
    "providers": "List the providers and the settings each takes.",
    "kling": "List, add and log in again to the Kling accounts of a useapi.net token.",
    "config": "Check, show and start a configuration.",
    "export": "Print Prometheus rules and a Grafana dashboard that fit.",
    "demo": "Show everything at once without an account.",
}
"""Every command with its line in the help, so that the help imports none of them."""


@dataclass(slots=True)
class Globals:
    """The global options, wherever on the command line they stood, and the command's name."""

    config: Path | None = None
    debug: bool = False
    command: str = ""


class LazyGroup(click.Group):
    """A group that imports ``monitor.cli.<name>_command`` when the command is used."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        """All commands, in the order an operator meets them."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import the module of *cmd_name* and take its ``command``."""
        if cmd_name not in COMMANDS:
            return None
        ctx.ensure_object(Globals).command = cmd_name
        command: click.Command = importlib.import_module(f"monitor.cli.{cmd_name}_command").command
        for each in _with_subcommands(command):
            _add_global_options(each)
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """As click does, with a suggestion where the name is a near miss."""
        name = args[0]
        if name not in COMMANDS and not name.startswith("-"):
            ctx.fail(f"No such command {name!r}.{did_you_mean(name, COMMANDS)}")
        return super().resolve_command(ctx, args)

    def format_commands(
        self,
        ctx: click.Context,  # noqa: ARG002 - click's signature
        formatter: click.HelpFormatter,
    ) -> None:
        """The list of commands in the help, without importing any."""
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))

    def main(self, args: Sequence[str] | None = None, *_: Any, **__: Any) -> NoReturn:
        """Run, turn whatever happens into lines on stderr and an exit code, and exit."""
        sys.exit(_run(self, list(sys.argv[1:] if args is None else args)))


def did_you_mean(word: str, known: Sequence[str] | dict[str, str]) -> str:
    """`` Did you mean 'x'?`` where *word* is close to one of *known*, else nothing."""
    from difflib import get_close_matches  # noqa: PLC0415 - only needed after a mistake

    close = get_close_matches(word, list(known), n=1)
    return f" Did you mean {close[0]!r}?" if close else ""


def _with_subcommands(command: click.Command) -> list[click.Command]:
    if isinstance(command, click.Group):
        return [command, *command.commands.values()]
    return [command]


def _add_global_options(command: click.Command) -> None:
    have = {param.name for param in command.params}
    command.params.extend(option for option in _global_options() if option.name not in have)


def _global_options() -> list[click.Option]:
    config = click.Option(
        ["--config", "-c"],
        type=click.Path(path_type=Path),
        metavar="FILE",
        help="Configuration file.",
        expose_value=False,
        callback=_set_config,
    )
    debug = click.Option(
        ["--debug"],
        is_flag=True,
        help="Show where an unexpected error came from.",
        expose_value=False,
        callback=_set_debug,
    )
    return [config, debug]


def _set_config(ctx: click.Context, _param: click.Parameter, value: Path | None) -> None:
    if value is not None:
        ctx.ensure_object(Globals).config = value


def _set_debug(ctx: click.Context, _param: click.Parameter, value: bool) -> None:  # noqa: FBT001 - click's signature
    if value:
        ctx.ensure_object(Globals).debug = True


def _run(group: click.Group, args: list[str]) -> int:
    state = Globals(debug=os.environ.get(DEBUG_VARIABLE, "") not in {"", "0"})
    _survive_narrow_encodings()
    try:
        result = click.Group.main(
            group, args, prog_name="credit-monitor", standalone_mode=False, obj=state
        )
    except click.UsageError as error:
        error.show()
        return _code(state, Exit.USAGE)
    except click.Abort:
        return Exit.INTERRUPTED
    except CommandError as error:
        _complain(*error.lines)
        return _code(state, error.code)
    except OSError as error:
        # What a command reads and writes tells its own errors; what is left is standard output.
        _complain(f"The output cannot be written: {error.strerror or type(error).__name__}.")
        _complain(*(_frames(error) if state.debug else ()))
        _discard_output()
        return _code(state, Exit.STORE)
    except Exception as error:  # noqa: BLE001 - no traceback may reach a user; --debug shows it
        _complain(*_unexpected(error, debug=state.debug))
        return _code(state, Exit.SOFTWARE)
    return int(result) if isinstance(result, int) else Exit.OK


def _code(state: Globals, code: Exit) -> int:
    return CheckExit.UNKNOWN if state.command == "check" else code


def _complain(*lines: str) -> None:
    for line in lines:
        click.echo(line, err=True)


def _unexpected(error: Exception, *, debug: bool) -> list[str]:
    """What a person gets to see: the type only, or with --debug where it came from.

    The text of a foreign error may quote a URL or a header, so it is never shown.
    """
    name = type(error).__name__
    if not debug:
        return [
            f"Unexpected error: {name}. This is a bug in credit-monitor.",
            "Run the same command with --debug and report what it prints.",
        ]
    return [*_frames(error), f"{name} (its text is left out: it may hold a secret)"]


def _frames(error: BaseException) -> list[str]:
    frames = traceback.format_list(traceback.extract_tb(error.__traceback__))
    return "".join(frames).splitlines()


def _discard_output() -> None:
    """Let what is left in the buffer go nowhere, or Python complains again when it ends."""
    with contextlib.suppress(OSError, ValueError):  # ValueError: a stream without a file behind it
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _survive_narrow_encodings() -> None:
    """Replace what the terminal's encoding cannot show instead of failing on it."""
    for stream in (sys.stdout, sys.stderr):
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure is not None:
            reconfigure(errors="replace")


EPILOG = """\b
Examples:
  KIE_API_KEY=... credit-monitor check      one key, no configuration file
  credit-monitor config init > config.yaml  a file to start from
  credit-monitor run                        the daemon
  credit-monitor status --watch             what it knows, kept up to date
"""


@click.command(
    cls=LazyGroup,
    epilog=EPILOG,
    context_settings={"help_option_names": ["--help", "-h"], "max_content_width": 100},
)
@click.version_option(__version__, prog_name="credit-monitor")
def program() -> None:
    """Watch prepaid API credit: how much is left, and that somebody was told.

    The configuration is --config FILE, else $CREDIT_MONITOR_CONFIG, ./config.yaml,
    $XDG_CONFIG_HOME/credit-monitor/config.yaml or /etc/credit-monitor/config.yaml. Without any of
    them the keys found in the environment (KIE_API_KEY, ...) are watched.
    """


_add_global_options(program)


def main() -> NoReturn:
    """The entry point of ``credit-monitor``."""
    program.main()
