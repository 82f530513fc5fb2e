"""From the plain values of a document to settings: defaults, rules and secrets put in place.

Entries are validated one by one, so that a mistake in one hides nothing about the others.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path as FilePath
from typing import Any, TypeVar

from pydantic import TypeAdapter, ValidationError

from monitor.config import checks, wording
from monitor.config.channels import ChannelSettings
from monitor.config.credentials import Credentials
from monitor.config.models import Defaults, Heartbeat, Settings
from monitor.config.problems import Findings, Path
from monitor.config.rules import merged, switched
from monitor.config.schema import description_at, fields_at
from monitor.config.secrets import FromEnvironment
from monitor.core.rules import Rules
from monitor.delivery.senders import CONSOLE_URLS
from monitor.providers import AnyKey
from monitor.providers.base import KeySettings
from monitor.providers.catalog import usual_interval

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.@-]{0,62}", re.ASCII)
_TIMES = frozenset({"interval", "timeout"})
_DEFAULTS = TypeAdapter(Defaults)
_RULES = TypeAdapter(Rules)
_KEY: TypeAdapter[KeySettings] = TypeAdapter(AnyKey)
_CHANNEL = TypeAdapter(ChannelSettings)
_HEARTBEAT = TypeAdapter(Heartbeat)
_SETTINGS = TypeAdapter(Settings)
_SECRETS = (("keys", "key"), ("channels", "url"), ("heartbeat", "url"))
_DEFAULT_PROVIDER = "kie"

Value = TypeVar("Value")


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What a document is read against: never looked up anywhere else.

    Relative paths start from ``directory``; ``store`` is the URL when the document gives none;
    ``now`` is the present.
    """

    environ: Mapping[str, str]
    directory: FilePath
    store: str
    check_url: checks.CheckUrl
    now: datetime


@dataclass(slots=True)
class _Common:
    """What keys take over, and rules that were put together before: keys share equal ones."""

    defaults: Defaults
    rules: Rules
    written: dict[str, Any]
    known: dict[str, Rules] = field(default_factory=dict)


class Assembly:
    """One document on its way to settings; everything wrong with it goes to *findings*."""

    def __init__(self, document: Any, surroundings: Surroundings, findings: Findings) -> None:
        self._raw: dict[str, Any] = {}
        self._surroundings = surroundings
        self._findings = findings
        self._credentials = Credentials(surroundings.environ, surroundings.directory, findings)
        if document is None:
            findings.error((), "is empty: at least keys is needed")
        elif not isinstance(document, dict):
            findings.error((), "must be a mapping (name: value) at the top, such as keys: [...]")
        else:
            # A section whose fields are all commented out reads as null: as if it were not there.
            self._raw = {name: value for name, value in document.items() if value is not None}
            self._raw.setdefault("store", surroundings.store)

    def settings(self) -> Settings | None:
        """The settings, or None when there are errors."""
        if not self._raw:
            return None
        common = self._common()
        keys = self._keys(common)
        channels = self._channels()
        settings = self._whole(common, keys, channels)
        groups = self._check_entries(keys, channels)
        if settings is not None:
            checks.report(settings, self._findings)
        if settings is None or self._findings.has_errors():
            return None
        checks.helpers(settings, self._findings)
        if self._findings.has_errors():
            return None
        unsaid = {
            groups[at]
            for at, entry in self._mappings("keys")
            if isinstance(entry.get("url"), FromEnvironment)
        }
        checks.rates(settings, groups, unsaid, self._findings)
        checks.limits(settings, groups, unsaid, self._findings)
        checks.told_to_nobody(settings, self._findings)
        checks.exposure(settings.web, self._findings)
        return settings

    def labels(self) -> dict[Path, str]:
        """The names of keys and channels that can stand for their position in a path."""
        labels: dict[Path, str] = {}
        for section in ("keys", "channels"):
            names = self._names(section)
            count = Counter(names.values())
            labels |= {(section, at): name for at, name in names.items() if count[name] == 1}
        return labels

    def from_environment(self) -> frozenset[Path]:
        """Where texts hold what a variable stood for, apart from the credentials themselves."""
        paths = (path for path, _ in _expanded(self._raw, ()))
        return frozenset(path for path in paths if (path[0], path[-1]) not in _SECRETS)

    def holds_literal_secrets(self) -> bool:
        """Whether a credential is written into the document itself."""
        values = (
            entry.get(name) for section, name in _SECRETS for _, entry in self._mappings(section)
        )
        linked = (entry.get("linked") for _, entry in self._mappings("keys"))
        accounts = (a for each in linked if isinstance(each, list) for a in each)
        passwords = (a.get("password") for a in accounts if isinstance(a, dict))
        found = (*values, *passwords)
        texts = (each for each in found if isinstance(each, str) and each not in CONSOLE_URLS)
        return any(not isinstance(each, FromEnvironment) for each in texts)

    def _common(self) -> _Common:
        written = switched(self._raw.get("rules", {}))
        defaults = self._validated(_DEFAULTS, self._raw.get("defaults", {}), ("defaults",))
        rules = self._validated(_RULES, written, ("rules",))
        return _Common(defaults or Defaults(), rules or Rules(), written if rules else {})

    def _keys(self, common: _Common) -> dict[int, KeySettings]:
        """The keys that are valid by themselves, by their position."""
        keys: dict[int, KeySettings] = {}
        for position, written in self._entries("keys"):
            path = ("keys", position)
            entry = self._key_entry(common, written, path)
            own = repr(entry["rules"]) if "rules" in written else ""
            entry["rules"] = common.known.get(own, entry["rules"])
            key = self._validated(_KEY, entry, path)
            if key is not None:
                keys[position] = key.with_secrets(_secrets_sent(written, key.sent_fields))
                common.known[own] = key.rules
        return keys

    def _key_entry(self, common: _Common, written: dict[str, Any], path: Path) -> dict[str, Any]:
        """The entry as written, over what it takes from the defaults."""
        entry = {
            "provider": _DEFAULT_PROVIDER,
            "interval": max(common.defaults.interval, usual_interval(written.get("provider"))),
            "timeout": common.defaults.timeout,
            **written,
        }
        own_rules = merged(common.written, switched(written.get("rules", {})))
        entry["rules"] = own_rules if "rules" in written else common.rules
        self._credentials.resolve(entry, "key", path)
        if isinstance(entry.get("linked"), list):
            entry["linked"] = self._logins(entry["linked"], (*path, "linked"))
        return entry

    def _logins(self, written: list[Any], path: Path) -> list[Any]:
        """Linked accounts with their passwords, wherever these are."""
        found = []
        for position, each in enumerate(written):
            account = dict(each) if isinstance(each, dict) else each
            if isinstance(account, dict):
                self._credentials.resolve(account, "password", (*path, position))
            found.append(account)
        return found

    def _channels(self) -> dict[int, ChannelSettings]:
        """The channels that are valid by themselves, by their position."""
        channels: dict[int, ChannelSettings] = {}
        for position, written in self._entries("channels"):
            path = ("channels", position)
            entry = dict(written)
            self._credentials.resolve(entry, "url", path, instead="alertmanager")
            channel = self._validated(_CHANNEL, entry, path)
            if channel is not None:
                channels[position] = channel
        return channels

    def _whole(
        self,
        common: _Common,
        keys: Mapping[int, KeySettings],
        channels: Mapping[int, ChannelSettings],
    ) -> Settings | None:
        """Everything together; what was validated by itself is not looked at again."""
        value = self._raw | {"defaults": common.defaults, "rules": common.rules}
        if isinstance(self._raw.get("http"), dict):
            value["http"] = self._http(self._raw["http"])
        if isinstance(self._raw.get("heartbeat"), dict):
            value["heartbeat"] = self._heartbeat(self._raw["heartbeat"])
        if isinstance(self._raw.get("web"), dict):
            value["web"] = self._web(self._raw["web"])
        if self._raw.get("keys"):
            value["keys"] = tuple(keys.values())
        if "channels" in self._raw:
            value["channels"] = tuple(channels.values())
        if keys or not self._raw.get("keys"):
            return self._validated(_SETTINGS, value, ())
        self._validated(_SETTINGS, value, (), told_already="keys")
        return None

    def _heartbeat(self, written: dict[str, Any]) -> Heartbeat | None:
        """The section with its URL; None if it is not valid."""
        entry = dict(written)
        self._credentials.resolve(entry, "url", ("heartbeat",))
        heartbeat = self._validated(_HEARTBEAT, entry, ("heartbeat",))
        checks.heartbeat(heartbeat, self._findings)
        return heartbeat

    def _http(self, written: dict[str, Any]) -> dict[str, Any]:
        """The section with an absolute path that was looked at."""
        name = written.get("ca_file")
        if not isinstance(name, str) or not name:
            return written
        file = self._surroundings.directory / name
        problem = checks.certificates(file)
        if problem is not None:
            self._findings.error(("http", "ca_file"), problem)
        return written | {"ca_file": str(file.absolute())}

    def _web(self, written: dict[str, Any]) -> dict[str, Any]:
        """The section with absolute paths; the files are looked at where they will be used."""
        tls = written.get("tls")
        if not isinstance(tls, dict):
            return written
        names = [name for name in (tls.get("certificate"), tls.get("key")) if name]
        if len(names) < 2 or not all(isinstance(name, str) for name in names):  # noqa: PLR2004 - both
            return written
        certificate, key = ((self._surroundings.directory / name).absolute() for name in names)
        if self._findings.secrets_needed:
            problem = checks.shown_certificate(certificate, key)
            if problem is not None:
                self._findings.error(("web", "tls"), problem)
        return written | {"tls": {**tls, "certificate": str(certificate), "key": str(key)}}

    def _check_entries(
        self, keys: Mapping[int, KeySettings], channels: Mapping[int, ChannelSettings]
    ) -> dict[int, str]:
        """Check entries against each other; returns the limit groups of keys by position."""
        key_names = self._names("keys") | {at: key.name for at, key in keys.items()}
        channel_names = self._names("channels") | {at: each.name for at, each in channels.items()}
        checks.unique_names("keys", key_names, self._findings)
        checks.unique_names("channels", channel_names, self._findings)
        checks.accounts(keys, self._findings)
        checks.by_hand(keys, self._surroundings.now, self._findings)
        own_times = {at for at, entry in self._mappings("keys") if _TIMES & entry.keys()}
        checks.polls(keys, own_times, self._findings)
        names = tuple(key_names.values())
        checks.channels(channels, names, self._surroundings.check_url, self._findings)
        checks.templates(channels, self._findings)
        checks.alertmanagers(channels, self._findings)
        return checks.builds(keys, self._findings)

    def _validated(
        self, model: TypeAdapter[Value], value: Any, path: Path, told_already: str = ""
    ) -> Value | None:
        """*value* as *model*; None, with the reasons noted, when it is not valid."""
        try:
            return model.validate_python(value)
        except ValidationError as error:
            errors = error.errors(include_url=False, include_input=False)
        errors = [each for each in errors if each["loc"][:1] != (told_already,)]
        document = value
        for step in reversed(path):
            document = {step: document}
        wording.report(
            errors,
            value,
            path,
            self._findings,
            fields=lambda at: fields_at(at, document),
            description=lambda at: description_at(at, document),
        )
        return None

    def _entries(self, section: str) -> Iterator[tuple[int, dict[str, Any]]]:
        """The entries of *section* with their position; what is no mapping is told."""
        entries = self._raw.get(section, [])
        if not isinstance(entries, list):
            self._findings.error((section,), "must be a list (- name: ...)")
            return
        for position, entry in enumerate(entries):
            if isinstance(entry, dict):
                yield position, entry
            else:
                self._findings.error((section, position), "must be a mapping (name: value)")

    def _mappings(self, section: str) -> Iterator[tuple[int, dict[str, Any]]]:
        entries = self._raw.get(section)
        if isinstance(entries, dict):
            entries = [entries]  # the heartbeat: there is only one
        if isinstance(entries, list):
            yield from ((at, each) for at, each in enumerate(entries) if isinstance(each, dict))

    def _names(self, section: str) -> dict[int, str]:
        """Names that may be shown: well formed, and not what a variable stood for."""
        names = ((at, entry.get("name")) for at, entry in self._mappings(section))
        return {
            at: name
            for at, name in names
            if isinstance(name, str)
            and not isinstance(name, FromEnvironment)
            and _NAME.fullmatch(name)
        }


def _secrets_sent(entry: Mapping[str, Any], fields: frozenset[str]) -> tuple[str, ...]:
    """What variables stood for in the *fields* that are sent to the provider."""
    sent = {name: entry[name] for name in fields & entry.keys()}
    return tuple(value for _, text in _expanded(sent, ()) for value in text.values)


def _expanded(value: Any, path: Path) -> Iterator[tuple[Path, FromEnvironment]]:
    """The texts in *value* that hold what a variable stood for, each with its place."""
    if isinstance(value, FromEnvironment):
        yield path, value
    elif isinstance(value, dict):
        for name, each in value.items():
            yield from _expanded(each, (*path, name))
    elif isinstance(value, list):
        for position, each in enumerate(value):
            yield from _expanded(each, (*path, position))
