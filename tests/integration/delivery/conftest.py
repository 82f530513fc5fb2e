"""Real servers on loopback for the channels to send to."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from fixtures.intercepting_proxy import InterceptingProxy, Reply


@pytest.fixture
def proxy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[InterceptingProxy]:
    """A proxy that answers for the internet; this process sends and trusts accordingly."""
    with InterceptingProxy(ca_file=tmp_path / "ca.pem") as running:
        for name in [n for n in os.environ if n.lower().endswith("_proxy")]:
            monkeypatch.delenv(name)
        for name, value in running.environment.items():
            monkeypatch.setenv(name, value)
        yield running


@pytest.fixture
def json_reply() -> Callable[[object, int], Reply]:
    return lambda value, status: Reply.of_json(value, status=status)


@pytest.fixture
def text_reply() -> Callable[[bytes, int], Reply]:
    return lambda body, status: Reply(body=body, status=status)
