"""Which model a key has, by the name of its provider."""

from __future__ import annotations

from typing import Any, get_args

import pytest
from pydantic import TypeAdapter, ValidationError

from monitor.providers import CODED, CODED_VARIABLES, REGISTRY, AnyKey, environment_names
from monitor.providers.base import KeySettings, ProviderInfo
from monitor.providers.kie import KieKey

KEYS: TypeAdapter[KeySettings] = TypeAdapter(AnyKey)
KIE = {"name": "studio", "provider": "kie", "key": "k"}


@pytest.mark.parametrize(("model", "info"), CODED.items(), ids=[i.name for i in CODED.values()])
def test_a_coded_provider_is_listed_under_the_name_its_keys_use(
    model: type[KeySettings], info: ProviderInfo
) -> None:
    assert info.name in get_args(model.model_fields["provider"].annotation)
    assert REGISTRY.model(info.name) is model


def test_the_names_of_providers_and_of_their_variables_are_unique() -> None:
    names = REGISTRY.names()
    assert len(set(names)) == len(names)
    assert set(environment_names().values()) <= set(names)
    assert set(CODED_VARIABLES.values()) <= {info.name for info in CODED.values()}


def test_keys_of_one_provider_of_the_catalog_share_its_entry() -> None:
    entry = {"provider": "deepseek", "key": "k"}
    one, other = (KEYS.validate_python({"name": name, **entry}).build() for name in "ab")

    assert one.endpoint is other.endpoint  # type: ignore[attr-defined]  # of a JsonProvider


def test_a_key_that_was_checked_is_taken_as_it_is() -> None:
    key = KEYS.validate_python(KIE)

    assert isinstance(key, KieKey)
    assert KEYS.validate_python(key) is key


@pytest.mark.parametrize(
    ("change", "kind", "place"),
    [
        pytest.param({"provider": "kei"}, "union_tag_invalid", (), id="an unknown provider"),
        pytest.param({"provider": {}}, "union_tag_invalid", (), id="no name at all"),
        pytest.param({"provider": None}, "union_tag_not_found", (), id="no provider"),
        pytest.param({"interval": "5"}, "value_error", ("interval",), id="a wrong field"),
        pytest.param({"team": "x"}, "extra_forbidden", ("team",), id="a field of another provider"),
    ],
)
def test_what_is_wrong_is_told_at_its_place(
    change: dict[str, Any], kind: str, place: tuple[str, ...]
) -> None:
    with pytest.raises(ValidationError) as caught:
        KEYS.validate_python(KIE | change)

    [error] = caught.value.errors(include_url=False)
    assert (error["type"], error["loc"]) == (kind, place)


def test_the_schema_for_editors_knows_every_provider() -> None:
    schema = KEYS.json_schema()

    assert set(schema["discriminator"]["mapping"]) == set(REGISTRY.names())
