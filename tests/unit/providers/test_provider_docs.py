"""docs/providers.md keeps up with the code, and its examples load."""

from __future__ import annotations

import re
import runpy
from pathlib import Path

import pytest
import yaml
from pydantic import TypeAdapter

from monitor.core.model import Reason
from monitor.providers import CODED, REGISTRY, AnyKey, JsonKey
from monitor.providers.base import KeySettings
from monitor.providers.examples import example
from monitor.providers.expressions import FUNCTION_NAMES

DOCS = Path(__file__).parents[3] / "docs"
PAGE = (DOCS / "providers.md").read_text()
LANGUAGE = (DOCS / "json.md").read_text()
EXAMPLES = re.findall(r"```yaml\n(keys:.*?)```", PAGE + LANGUAGE, re.DOTALL)


@pytest.mark.parametrize("name", [info.name for info in CODED.values()])
def test_every_provider_has_its_section(name: str) -> None:
    assert f"\n## {name}\n" in PAGE


@pytest.mark.parametrize("reason", list(Reason))
def test_every_reason_is_explained(reason: Reason) -> None:
    assert f"`{reason}`" in PAGE


@pytest.mark.parametrize(
    "field",
    sorted(set(JsonKey.model_fields) - set(KeySettings.model_fields) - {"allow_plain_http"}),
)
def test_every_field_of_json_is_explained(field: str) -> None:
    assert f"`{field}`" in LANGUAGE


@pytest.mark.parametrize("function", sorted(FUNCTION_NAMES))
def test_every_function_of_the_language_is_explained(function: str) -> None:
    assert f"`{function}(" in LANGUAGE


@pytest.mark.parametrize("text", EXAMPLES, ids=range(len(EXAMPLES)))
def test_an_example_loads_and_can_be_built(text: str) -> None:
    text = re.sub(r"\$\{\w+\}", "an-example-key", text)
    for entry in yaml.safe_load(text)["keys"]:
        settings: KeySettings = TypeAdapter(AnyKey).validate_python({"provider": "kie"} | entry)
        assert settings.build().limit_group


def test_the_catalogs_part_of_the_page_is_as_the_catalog_is_now() -> None:
    script = runpy.run_path(str(DOCS.parent / "scripts" / "provider_page.py"))

    assert script["renewed"](PAGE) == PAGE, "run: make pages"


@pytest.mark.parametrize("name", REGISTRY.names())
def test_the_example_of_a_provider_loads_and_can_be_built(name: str) -> None:
    text = re.sub(r"\$\{\w+\}", "an-example-key", example(REGISTRY.info(name)))
    for form in (text, text.replace("# ", "")):
        [entry] = yaml.safe_load(form)["keys"]
        assert TypeAdapter(AnyKey).validate_python(entry).build().limit_group
