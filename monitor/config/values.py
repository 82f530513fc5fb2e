"""Kinds of values that the configuration's fields share, each checked with its own words."""

from __future__ import annotations

import ipaddress
import re
from typing import Annotated, Any
from urllib.parse import urlsplit

from pydantic import AfterValidator, SecretStr, StringConstraints

from monitor.config.passwords import PasswordHash

OFF_WORDS = (False, "off", "no")
"""What switches a rule or the web page off; ``off`` is plain text to our reading of YAML."""

Text = Annotated[str, StringConstraints(min_length=1)]

_HOST = re.compile(r"[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*", re.ASCII)
_GROUP = re.compile(r"[A-Za-z0-9_.:\[\]-]{1,253}", re.ASCII)


def _check_store(secret: SecretStr) -> SecretStr:
    url = secret.get_secret_value()
    try:
        parts = urlsplit(url)
        parts.port  # noqa: B018 - raises for a port that is none
    except ValueError:
        parts = urlsplit("")
    if parts.scheme == "sqlite" and url.startswith("sqlite:///") and parts.path.strip("/"):
        return secret
    if parts.scheme == "postgresql" and parts.hostname and parts.path.strip("/"):
        return secret
    raise ValueError("must be sqlite:///absolute/path.db or postgresql://user:password@host/name")


def _check_listen(value: str) -> str:
    host, port = split_listen(value)
    if not host:
        raise ValueError("must name the host too, such as 127.0.0.1:9750 or [::1]:9750")
    if not 0 <= port <= 65535:  # noqa: PLR2004 - ports have 16 bits
        raise ValueError("the port lies between 0 (any free one) and 65535")
    return value


def split_listen(value: str) -> tuple[str, int]:
    """Host and port of ``127.0.0.1:9750`` or ``[::1]:9750``; raises ``ValueError``."""
    match = re.fullmatch(r"(?:\[([0-9A-Fa-f:.]+)\]|([A-Za-z0-9.-]*)):(\d{1,5})", value, re.ASCII)
    if match is None:
        raise ValueError("must be host:port, such as 127.0.0.1:9750 or [::1]:9750")
    if match[1] is not None and not _is_ipv6(match[1]):
        raise ValueError("has brackets around what is no IPv6 address")
    return match[1] or match[2], int(match[3])


def _is_ipv6(text: str) -> bool:
    try:
        ipaddress.IPv6Address(text)
    except ValueError:
        return False
    return True


def _check_group(value: str) -> str:
    if not _GROUP.fullmatch(value):
        raise ValueError("must be the name of a provider, a host, or default")
    return value


def _check_host(value: str) -> str:
    if not _HOST.fullmatch(value):
        raise ValueError("must be the name of a host, without scheme and port")
    return value.lower()


def _check_user(value: str) -> str:
    if not value or ":" in value or not value.isprintable():
        raise ValueError("must be a name without a colon")
    return value


def _check_password(secret: SecretStr) -> SecretStr:
    PasswordHash.parse(secret.get_secret_value())
    return secret


StoreUrl = Annotated[SecretStr, AfterValidator(_check_store)]
"""Where the store is; it may hold a password."""

Listen = Annotated[str, AfterValidator(_check_listen)]
Group = Annotated[str, AfterValidator(_check_group)]
HostName = Annotated[str, AfterValidator(_check_host)]
UserName = Annotated[str, AfterValidator(_check_user)]

Password = Annotated[SecretStr, AfterValidator(_check_password)]
"""The hash of a password: whoever has it can try passwords at leisure."""


def switched_off(value: Any) -> Any:
    """*value*, or None where it is a word for off."""
    return None if value in OFF_WORDS else value
