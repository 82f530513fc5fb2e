"""How a store's URL is read."""

from __future__ import annotations

from pathlib import Path

import pytest

from monitor.store.address import Address


@pytest.mark.parametrize(
    ("url", "path"),
    [
        pytest.param("sqlite:///var/lib/x.db", "/var/lib/x.db", id="three slashes are absolute"),
        pytest.param("sqlite:////var/lib/x.db", "/var/lib/x.db", id="four slashes are too"),
        pytest.param("sqlite:///./x.db", "x.db", id="a dot begins a relative path"),
        pytest.param("sqlite:///a b/100%?.db", "/a b/100%?.db", id="the path is taken literally"),
    ],
)
def test_a_file(url: str, path: str) -> None:
    assert Address.parse(url).path == Path(path)


@pytest.mark.parametrize(
    ("url", "label"),
    [
        (
            "postgresql://user:hunter2@db.example.com/credit",
            "postgresql://db.example.com:5432/credit",
        ),
        ("postgres://user:hunter2@db:6543/credit?sslmode=require", "postgresql://db:6543/credit"),
        ("postgresql+psycopg:///credit", "postgresql://localhost:5432/credit"),
        ("postgresql://user:p%40ss@db/credit", "postgresql://db:5432/credit"),
    ],
)
def test_a_server_is_called_by_its_place_and_never_by_its_password(url: str, label: str) -> None:
    address = Address.parse(url)
    assert address.label == label
    assert "hunter2" not in repr(address)
    assert "p@ss" not in repr(address)
