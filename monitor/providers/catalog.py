"""The catalog: providers that are data, one entry of ``catalog.yaml`` each.

The file is one YAML mapping.  Its names stand at the beginning of a line, so that it can be cut
into entries without being read: only those that are used are parsed and compiled, once, and shared
by all their keys.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import timedelta
from functools import cache
from pathlib import Path
from typing import Annotated, Literal, Self

import yaml
from pydantic import AfterValidator, BaseModel, Field, StringConstraints, model_validator

from monitor.core.fields import STRICT, Duration
from monitor.providers.base import ProviderInfo
from monitor.providers.endpoint import OWN_ADDRESS, Endpoint, FoundName
from monitor.providers.exchange import check_url
from monitor.providers.placeholders import names_in

Text = Annotated[str, StringConstraints(min_length=1)]
Group = Literal[
    "language models", "images, video, sound", "search and data", "compute and telephony", "relays"
]


def _check_address(value: str) -> str:
    """An address over TLS; the braces of a placeholder may stand where a host does not."""
    behind = value.removeprefix(OWN_ADDRESS)
    check_url(value if behind == value else f"https://user.example{behind}")
    if behind == value and not value.startswith("https://"):
        raise ValueError("must begin with https:// or {url}")
    return value


class Setting(BaseModel):
    """What a key of this provider says beside its credential, such as the id of a team."""

    model_config = STRICT

    description: Text
    default: Text | None = None
    optional: bool = False
    environment: str = ""
    example: str = "..."

    @property
    def is_needed(self) -> bool:
        """Whether a key without it is wrong."""
        return self.default is None and not self.optional


class Entry(Endpoint):
    """One provider of the catalog: what people need to know, and how it is asked and read."""

    name: str
    title: Text
    group: Group
    key: Text
    reads: Text
    url: Annotated[str, AfterValidator(_check_address)]
    interval: Duration = timedelta(minutes=5)
    limits: Text = "none documented for this call"
    top_up: str = ""
    documentation: Text
    confidence: Literal["documented", "seen in client code", "unconfirmed"]
    environment: tuple[Text, ...] = ()
    settings: dict[FoundName, Setting] = Field(default={})
    notes: tuple[Text, ...] = ()

    @model_validator(mode="after")
    def _check_further_texts(self) -> Self:
        for lookup in self.lookup:
            _check_address(lookup.url)
        known = {"key", *self.settings}
        forms = [value.get_secret_value() for value in self.headers.values()]
        for form in (*forms, self.auth.name):
            unknown = next((name for name in names_in(form) if name not in known), None)
            if unknown is not None:
                raise ValueError(f"no setting is called {unknown}, as in {{{unknown}}}")
        return self

    @property
    def given_names(self) -> frozenset[str]:
        """The settings, and the address where it is the user's own."""
        return frozenset({"url", *self.settings})

    @property
    def has_own_address(self) -> bool:
        """Whether it is a program that many run, so that a key has to say where."""
        return self.url.startswith(OWN_ADDRESS)

    def request_line(self) -> str:
        """The request in words, with the key where it is sent."""
        asked = [f"GET {lookup.url}" for lookup in self.lookup] + [f"{self.method} {self.url}"]
        return f"{', then '.join(asked)} ({self.auth.told()})"

    def info(self) -> ProviderInfo:
        """What ``credit-monitor providers`` tells."""
        return ProviderInfo(
            name=self.name,
            title=self.title,
            key_kind=self.key,
            reads=self.reads,
            request=self.request_line(),
            limits=self.limits,
            top_up_url=self.top_up,
            documentation=self.documentation,
            confidence=self.confidence,
            notes=self.notes,
            group=self.group,
            shows_balance=not self.key_check,
            environment=self.environment,
            interval=self.interval,
        )


_ENTRY = re.compile(r"^([a-z0-9][a-z0-9.-]*):\n", re.MULTILINE)


@cache
def _texts() -> Mapping[str, str]:
    """The YAML of each entry, not read yet."""
    text = Path(__file__).with_name("catalog.yaml").read_text("utf-8")
    _, *parts = _ENTRY.split(text)
    return dict(zip(parts[::2], parts[1::2], strict=True))


def names() -> tuple[str, ...]:
    """The providers of the catalog, in the order of the file."""
    return tuple(_texts())


@cache
def entry(name: str) -> Entry:
    """The entry *name*; raises ``KeyError`` where there is none."""
    value = yaml.load(_texts()[name], Loader=yaml.CSafeLoader)
    return Entry.model_validate({"name": name, **value})


_ENVIRONMENT = re.compile(r"^  environment: \[([A-Z0-9_, ]+)\]$", re.MULTILINE)


@cache
def environment_names() -> Mapping[str, str]:
    """Usual names of environment variables, and the provider whose key they hold.

    They are picked out of the text: reading all entries would slow down every start without a file.
    """
    found = {name: _ENVIRONMENT.search(text) for name, text in _texts().items()}
    return {
        variable.strip(): name
        for name, match in found.items()
        if match is not None
        for variable in match[1].split(",")
    }


def usual_interval(name: object) -> timedelta:
    """The shortest sensible time between polls of provider *name*; 0 where the catalog has none."""
    known = isinstance(name, str) and name in _texts()
    return entry(str(name)).interval if known else timedelta(0)


def settings_in(name: str, environ: Mapping[str, str]) -> dict[str, str] | None:
    """The variables in *environ* that hold settings of provider *name*, by setting.

    None where a setting that is needed is not there; nothing for a provider that is code.
    """
    if name not in _texts():
        return {}
    settings = entry(name).settings.items()
    found = {each: s.environment for each, s in settings if environ.get(s.environment)}
    needed = {each for each, setting in settings if setting.is_needed}
    return found if needed <= found.keys() else None
