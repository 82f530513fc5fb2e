"""The example, the reference page and the models say the same."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from monitor.config import load, schema
from monitor.providers import catalog

ROOT = Path(__file__).parents[3]
EXAMPLE = ROOT / "config.example.yaml"
REFERENCE = ROOT / "docs" / "configuration.md"
ENVIRON = {
    "HOME": "/home/operator",
    "KIE_API_KEY": "sk-1",
    "KIE_BATCH_KEY": "sk-2",
    "MIRROR_KEY": "sk-3",
    "RELAY_KEY": "sk-4",
    "KINOVI_API_KEY": "kv-1",
    "USEAPI_TOKEN": "user:1-a",
    "ANNA_PASSWORD": "correct horse",
    "DEEPGRAM_API_KEY": "sk-5",
    "DEEPSEEK_API_KEY": "sk-6",
    "HEARTBEAT_URL": "https://ping.example.com/0123",
    "SLACK_URL": f"slack://{'T' * 9}/{'B' * 9}/{'c' * 24}/#ops",
    "MAIL_URL": "mailtos://user:password@mail.example.com?to=ops@example.com",
}


def fields() -> Iterator[tuple[str, str]]:
    """Every (model, field) of the configuration, but for what docs/providers.md tells of single
    providers of the catalog.
    """
    document = schema()
    models: dict[str, Any] = {"Settings": document, **document["$defs"]}
    own = {name for each in catalog.names() for name in catalog.entry(each).settings}
    for model, definition in models.items():
        for name in definition.get("properties", ()):
            if model != "CatalogKey" or name not in own:
                yield model, name


FIELDS = sorted(set(fields()))


def test_the_example_loads_without_a_warning() -> None:
    found = load(EXAMPLE, ENVIRON)
    assert found.warnings == ()
    assert {key.provider for key in found.settings.keys} == {
        "kie",
        "useapi",
        "kinovi",
        "json",
        "simulated",
        "deepgram",
        "deepseek",
    }


@pytest.mark.parametrize(("model", "name"), FIELDS)
def test_every_field_is_in_the_example(model: str, name: str) -> None:
    assert re.search(rf"(?m)(^|[\s{{#]){name}:", EXAMPLE.read_text()), f"{model}.{name}"


@pytest.mark.parametrize(("model", "name"), FIELDS)
def test_every_field_is_in_the_reference_page(model: str, name: str) -> None:
    assert f"| `{name}` |" in REFERENCE.read_text(), f"{model}.{name}"


def test_every_field_has_a_description_for_editors() -> None:
    document = schema()
    missing = [
        f"{model}.{name}"
        for model, definition in document["$defs"].items()
        for name, field in definition.get("properties", {}).items()
        if "description" not in field and model != "Rules"
    ]
    assert missing == []


def test_defaults_in_the_schema_are_written_as_in_a_file() -> None:
    definitions = schema()["$defs"]
    assert definitions["Defaults"]["properties"]["interval"]["default"] == "5m"
    assert definitions["LowBalance"]["properties"]["warning"]["default"] == "20%"
