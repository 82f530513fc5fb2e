"""From a file, or from the environment alone, to checked settings or all problems at once."""

from __future__ import annotations

import os
import stat
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from monitor.clock import Clock
from monitor.config import secrets
from monitor.config.assemble import Assembly, Surroundings
from monitor.config.checks import CheckUrl
from monitor.config.document import (
    Place,
    UnreadableError,
    decode,
    locate,
    parse,
)
from monitor.config.environment import FoundKey, entry_of, keys_in
from monitor.config.models import Settings
from monitor.config.problems import (
    ConfigError,
    Finding,
    Findings,
    Mark,
    NothingConfiguredError,
    Problem,
)
from monitor.config.problems import Path as ValuePath
from monitor.config.wording import shown
from monitor.providers import environment_names

ENVIRONMENT = "environment"
"""What stands for the file's name where there is no file."""

FILE_LIMIT = 64 * 1024 * 1024
"""Bytes of a configuration file; 10,000 keys take about 2 MB."""

_DIRECTORY = "credit-monitor"
_FILE = "config.yaml"
_DATABASE = "credit-monitor.db"
SERVICE_STORE = Path("/var/lib") / _DIRECTORY / _DATABASE
"""Where the service keeps its store: systemd's ``StateDirectory=credit-monitor``."""


@dataclass(frozen=True, slots=True)
class Loaded:
    """Settings that can be used, and what an operator would still want to know."""

    settings: Settings
    warnings: tuple[Problem, ...] = ()


def find(path: str | Path | None, environ: Mapping[str, str]) -> Path | None:
    """The configuration file to use, None if there is none.

    *path* (the option ``--config``) or ``$CREDIT_MONITOR_CONFIG`` is taken without a look;
    otherwise the first that exists of ``./config.yaml``,
    ``$XDG_CONFIG_HOME/credit-monitor/config.yaml`` and ``/etc/credit-monitor/config.yaml``.
    """
    chosen = path or environ.get("CREDIT_MONITOR_CONFIG")
    if chosen:
        return Path(chosen)
    home = _base_directory(environ, "XDG_CONFIG_HOME", ".config")
    directories = (Path(), home / _DIRECTORY, Path("/etc") / _DIRECTORY)
    return next((each / _FILE for each in directories if _is_there(each / _FILE)), None)


def default_store(environ: Mapping[str, str], service: Path = SERVICE_STORE) -> str:
    """The SQLite store of this process: the service's for itself and for root, else one's own.

    systemd tells the service where its state directory is, see systemd.exec(5).  Who may write to
    what is there (*service*), and has no store, is taken to ask about the service.
    """
    state = environ.get("STATE_DIRECTORY", "").split(":")[0]
    if state:
        return f"sqlite://{Path(state) / _DATABASE}"
    own = _base_directory(environ, "XDG_STATE_HOME", ".local/state") / _DIRECTORY / _DATABASE
    is_asked_for = not _is_there(own) and os.access(service, os.W_OK)
    return f"sqlite://{service if is_asked_for else own}"


def load(
    path: Path,
    environ: Mapping[str, str],
    *,
    check_channel_url: CheckUrl | None = None,
    secrets_needed: bool = True,
    now: datetime | None = None,
) -> Loaded:
    """The settings in the file at *path*; raises :class:`ConfigError` with all problems.

    *check_channel_url* judges the URLs of channels; None takes that of the senders.  Without
    *secrets_needed* a credential that cannot be had here (it is the service's) is no problem: for
    who neither polls nor sends.  *now* is the present, None by the host's clock.  Nothing here
    touches the network.
    """
    text = _read(path)
    findings = Findings(secrets_needed=secrets_needed)
    try:
        document = parse(text, lambda each: secrets.expand(each, environ), findings)
    except UnreadableError as error:
        findings.error((), error.message, mark=error.mark)
        raise ConfigError(_placed(findings, str(path), text, {})) from None
    surroundings = Surroundings(
        environ,
        path.parent,
        default_store(environ),
        check_channel_url or _check_by_senders,
        now or Clock().now(),
    )
    assembly = Assembly(document, surroundings, findings)
    settings = assembly.settings()
    if assembly.holds_literal_secrets() and path.stat().st_mode & stat.S_IROTH:
        findings.warning((), "holds secrets, and every user of this host can read it: chmod o-r it")
    problems = _placed(findings, str(path), text, assembly.labels())
    if settings is None:
        raise ConfigError(problems)
    return Loaded(settings.with_origin(str(path), assembly.from_environment()), problems)


def from_environment(environ: Mapping[str, str]) -> Loaded:
    """Settings without a file: a key for each usual variable that is set, named as its provider.

    Raises :class:`NothingConfiguredError` if there is none, :class:`ConfigError` if one holds no
    key.
    """
    found = list(keys_in(environ))
    _check_variables(found, environ)
    keys = [entry_of(key, lambda name: secrets.FromEnvironment(environ[name])) for key in found]
    findings = Findings()
    surroundings = Surroundings(
        environ, Path(), default_store(environ), _check_by_senders, Clock().now()
    )
    assembly = Assembly({"keys": keys}, surroundings, findings)
    settings = assembly.settings()
    problems = _placed(findings, ENVIRONMENT, "", assembly.labels())
    if settings is None:
        raise ConfigError(problems)
    return Loaded(settings.with_origin(ENVIRONMENT, assembly.from_environment()), problems)


VARIABLES_NAMED = 3
"""So many of the usual variables stand in the error; all would be a page."""


def _check_variables(found: Sequence[FoundKey], environ: Mapping[str, str]) -> None:
    variables = (key.variables["key"] for key in found)
    complaints = {name: secrets.complaint_about_key(environ[name]) for name in variables}
    problems = [
        Problem(file=ENVIRONMENT, path=name, message=complaint)
        for name, complaint in complaints.items()
        if complaint is not None
    ]
    if not found:
        names = ", ".join(list(environment_names())[:VARIABLES_NAMED])
        text = (
            "there is no configuration file, and no key in the usual variables"
            f" ({names}, ...: credit-monitor providers tells those of each provider)"
        )
        raise NothingConfiguredError([Problem(file=ENVIRONMENT, message=text)])
    if problems:
        raise ConfigError(problems)


def _base_directory(environ: Mapping[str, str], name: str, default: str) -> Path:
    """A directory of the XDG base directory specification, which ignores relative ones."""
    given = environ.get(name, "")
    if given.startswith("/"):
        return Path(given)
    return Path(environ.get("HOME") or Path.home()) / default


def _is_there(path: Path) -> bool:
    """Whether *path* exists; one that may not be looked at does, and loading says so."""
    try:
        path.stat()
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError:
        return True
    return True


def _read(path: Path) -> str:
    try:
        return decode(_content(path))
    except OSError as error:
        problem = Problem(
            file=str(path), message=f"cannot be read: {os.strerror(error.errno or 0)}"
        )
    except UnreadableError as error:
        line, column = error.mark or (0, 0)
        problem = Problem(file=str(path), line=line, column=column, message=error.message)
    raise ConfigError([problem])


def _content(path: Path) -> bytes:
    if not stat.S_ISREG(path.stat().st_mode):
        raise UnreadableError("is not a regular file")
    with path.open("rb") as file:
        content = file.read(FILE_LIMIT + 1)
    if len(content) > FILE_LIMIT:
        raise UnreadableError(f"is larger than {FILE_LIMIT >> 20} MiB")
    return content


def _check_by_senders(url: str) -> str | None:
    from monitor.delivery.senders import check_url  # noqa: PLC0415 - loads Apprise, 20 MB

    return check_url(url)


def _placed(
    findings: Findings, file: str, text: str, labels: Mapping[ValuePath, str]
) -> tuple[Problem, ...]:
    """What was found, each at its place in *text*, in the order of the file."""
    wanted = {item.path[:end] for item in findings.items for end in range(len(item.path) + 1)}
    places = locate(text, wanted) if wanted and text else {}
    problems = []
    for item in findings.items:
        line, column = item.mark or _mark(item, places)
        problems.append(
            Problem(
                file=file,
                line=line,
                column=column,
                path=shown(item.path, labels),
                message=item.message,
                level=item.level,
            )
        )
    return tuple(sorted(problems, key=lambda each: (each.line, each.column)))


def _mark(item: Finding, places: Mapping[ValuePath, Place]) -> Mark:
    """The place of the value at fault; of the nearest around it where it is not written down."""
    for end in range(len(item.path), -1, -1):
        place = places.get(item.path[:end])
        if place is not None:
            at_name = item.on_name and end == len(item.path)
            return place.name if at_name and place.name else place.value
    return (0, 0)
