"""docs/providers.md keeps up with the code, and its examples load."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml
from pydantic import TypeAdapter

from monitor.core.model import Reason
from monitor.providers import PROVIDERS, AnyKey, JsonKey
from monitor.providers.base import KeySettings

PAGE = (Path(__file__).parents[3] / "docs" / "providers.md").read_text()
EXAMPLES = re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)


@pytest.mark.parametrize("name", [info.name for info in PROVIDERS])
def test_every_provider_has_its_section(name: str) -> None:
    assert f"\n## {name}\n" in PAGE


@pytest.mark.parametrize("reason", list(Reason))
def test_every_reason_is_explained(reason: Reason) -> None:
    assert f"`{reason}`" in PAGE


@pytest.mark.parametrize("field", sorted(set(JsonKey.model_fields) - set(KeySettings.model_fields)))
def test_every_field_of_json_is_explained(field: str) -> None:
    assert f"`{field}`" in PAGE


@pytest.mark.parametrize("text", EXAMPLES, ids=range(len(EXAMPLES)))
def test_an_example_loads_and_can_be_built(text: str) -> None:
    text = re.sub(r"\$\{\w+\}", "an-example-key", text)
    for entry in yaml.safe_load(text)["keys"]:
        settings: KeySettings = TypeAdapter(AnyKey).validate_python({"provider": "kie"} | entry)
        assert settings.build().limit_group
