"""Every field of the configuration wrong in turn: told at its place, and never with its value."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from monitor.config import ConfigError, load, schema, show

SECRET = "s3cr3t-0123456789-abcdef"
HOME = {"HOME": "/home/operator"}


def write(directory: Path, text: str) -> Path:
    file = directory / "config.yaml"
    file.write_text(text, encoding="utf-8")
    file.chmod(0o600)
    return file


def fields(node: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Every field of the schema with its path; list entries and map values are ``*``."""
    whole = schema()

    def walk(node: Any, path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], Any]]:
        if "$ref" in node:
            yield from walk(whole["$defs"][node["$ref"].rpartition("/")[2]], path)
        for form in (*node.get("anyOf", ()), *node.get("oneOf", ())):
            yield from walk(form, path)
        for name, child in node.get("properties", {}).items():
            yield (*path, name), child
            yield from walk(child, (*path, name))
        for name in ("items", "additionalProperties"):
            if isinstance(node.get(name), dict):
                yield from walk(node[name], (*path, "*"))

    yield from walk(node, path)


FIELDS = sorted({".".join(path) for path, _ in fields(schema())})
TEMPLATE: dict[str, Any] = {
    "keys": [
        {"name": "studio", "key": "sk"},
        {
            "name": "relay",
            "provider": "json",
            "key": "sk",
            "url": "https://api.example.com",
            "balance": "data",
            "unit": "USD",
            "method": "POST",
            "failures": [{"status": 404, "reason": "not_found"}],
            "lookup": [{"url": "https://api.example.com/me", "take": {"id": "id"}}],
        },
        {
            "name": "pool",
            "provider": "json",
            "key": "sk",
            "url": "https://api.example.com",
            "meters": [{"balance": "data", "unit": "USD"}],
        },
        {
            "name": "lab",
            "provider": "kinovi",
            "key": "sk",
            "balance": {"manual": 1, "at": "2025-11-01"},
        },
        {
            "name": "tools",
            "provider": "useapi",
            "key": "sk",
            "linked": [{"login": "a", "password": "p"}],
        },
    ],
    "channels": [{"name": "ops", "url": "console:"}],
    "limits": {"kie": {}},
    "rules": {},
}
USEAPI_FIELDS = {"linked", "points_scale", "renew_sessions", "dreamina_daily_claim"}
ANYTHING_GOES = {"keys.*.body", "keys.*.headers"}  # where no mapping is wrong


NONSENSE = {"no-such-field-" + SECRET: SECRET}


def with_wrong(path: str, value: Any = NONSENSE) -> dict[str, Any]:
    """The template with *value* at *path*: by default a mapping, which no field takes."""
    document: dict[str, Any] = json.loads(json.dumps(TEMPLATE))
    node: Any = document
    *parents, last = path.split(".")
    for depth, step in enumerate(parents, 1):
        following = path.split(".")[depth]
        if step != "*":
            node = node.setdefault(step, {})
        elif isinstance(node, list):
            rest = ".".join(path.split(".")[depth:])
            name = rest if rest.startswith("balance.") else following
            node = next((each for each in node if _takes(each, name)), node[0])
        else:
            node = node["kie"]
    node[last] = value
    return document


def _takes(entry: dict[str, Any], name: str) -> bool:
    if name.startswith("balance."):
        return entry.get("provider") == "kinovi"
    if name in USEAPI_FIELDS:
        return entry.get("provider") == "useapi"
    if name == "meters":
        return name in entry
    return entry.get("provider") == "json" or name in {"name", "key"}


@pytest.mark.parametrize("path", [path for path in FIELDS if path not in ANYTHING_GOES])
def test_every_field_that_is_wrong_is_told_at_its_place_without_its_value(
    tmp_path: Path, path: str
) -> None:
    file = write(tmp_path, yaml.safe_dump(with_wrong(path)))
    with pytest.raises(ConfigError) as caught:
        load(file, HOME, check_channel_url=lambda _: None)
    text = str(caught.value)
    parent, _, last = path.rpartition(".")
    around = {last, parent.rpartition(".")[2]}  # auth tells of its parts together
    assert any(around & set(each.path.split(".")) for each in caught.value.problems), text
    assert all(each.line for each in caught.value.problems), text
    assert SECRET not in text
    assert "is not valid (" not in text


@pytest.mark.parametrize("path", FIELDS)
@pytest.mark.parametrize(
    "value",
    [
        pytest.param(f"{SECRET}\n\0é", id="a text"),
        pytest.param("", id="an empty text"),
        pytest.param([[SECRET]], id="a list of lists"),
        pytest.param([None], id="a list of nothing"),
        pytest.param(True, id="a boolean"),
        pytest.param(None, id="null"),
        pytest.param(-1, id="a negative number"),
        pytest.param(10**29, id="a huge number"),
        pytest.param(0.5, id="a fraction"),
    ],
)
def test_whatever_a_field_holds_it_is_taken_or_told(tmp_path: Path, path: str, value: Any) -> None:
    file = write(tmp_path, yaml.safe_dump(with_wrong(path, value)))
    try:
        load(file, HOME, check_channel_url=lambda _: None)
    except ConfigError as error:
        assert SECRET not in str(error)  # noqa: PT017 - both ways out are looked at
        assert "is not valid (" not in str(error)  # noqa: PT017 - as above
        assert all(each.line for each in error.problems)  # noqa: PT017 - as above


@pytest.mark.parametrize("path", [path for path in FIELDS if path not in ANYTHING_GOES])
def test_a_secret_in_the_place_of_any_field_is_never_shown(tmp_path: Path, path: str) -> None:
    document = with_wrong(path)
    text = yaml.safe_dump(document).replace("? no-such", "no-such")
    text = text.replace(f"no-such-field-{SECRET}: {SECRET}", "${MISPLACED}")
    file = write(tmp_path, text)
    try:
        found = load(file, HOME | {"MISPLACED": SECRET}, check_channel_url=lambda _: None)
    except ConfigError as error:
        assert SECRET not in str(error)  # noqa: PT017 - both ways out are looked at
    else:
        assert SECRET not in show(found.settings)
