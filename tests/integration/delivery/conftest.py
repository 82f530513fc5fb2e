"""Real servers on loopback for the channels to send to."""

from __future__ import annotations

import importlib.util
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from tests.fixtures.intercepting_proxy import InterceptingProxy

FIXTURES = Path(__file__).parents[2] / "fixtures"


def load(name: str) -> ModuleType:
    """A module of tests/fixtures, by path: the tests are no package."""
    if name not in sys.modules:
        spec = importlib.util.spec_from_file_location(name, FIXTURES / f"{name}.py")
        assert spec is not None
        assert spec.loader is not None
        module = sys.modules[name] = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
    return sys.modules[name]


@pytest.fixture
def wire() -> ModuleType:
    """Replies and troubles of the intercepting proxy."""
    return load("intercepting_proxy")


@pytest.fixture
def chats() -> ModuleType:
    """Fake Telegram and Slack."""
    return load("fake_chats")


@pytest.fixture
def proxy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, wire: ModuleType
) -> Iterator[InterceptingProxy]:
    """A proxy that answers for the internet; this process sends and trusts accordingly."""
    with wire.InterceptingProxy(ca_file=tmp_path / "ca.pem") as running:
        for name in [n for n in os.environ if n.lower().endswith("_proxy")]:
            monkeypatch.delenv(name)
        for name, value in running.environment.items():
            monkeypatch.setenv(name, value)
        yield running


@pytest.fixture
def json_reply(wire: ModuleType) -> Any:
    return lambda value, status: wire.Reply.of_json(value, status=status)


@pytest.fixture
def text_reply(wire: ModuleType) -> Any:
    return lambda body, status: wire.Reply(body=body, status=status)
