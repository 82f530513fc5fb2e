"""Which model a key has: told by its field ``provider``, coded or of the catalog.

An open union: models of the catalog are made when a key first names them, so the entries that
nobody uses cost nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import Annotated, Any, Union, get_args

from pydantic import Field, GetJsonSchemaHandler, TypeAdapter
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, PydanticKnownError, core_schema

from monitor.providers import catalog
from monitor.providers.base import KeySettings, ProviderInfo
from monitor.providers.catalogued import any_key_model, key_model


class ByProvider:
    """The providers there are; as an annotation, validates a key by the model of its provider."""

    def __init__(self, coded: Mapping[type[KeySettings], ProviderInfo]) -> None:
        self._coded = coded
        self._models = {name: model for model in coded for name in _names(model)}

    def names(self) -> tuple[str, ...]:
        """Every provider, coded ones first."""
        return (*self._models, *catalog.names())

    def model(self, name: str) -> type[KeySettings]:
        """The model of keys of provider *name*; raises ``KeyError`` for an unknown one."""
        return self._models.get(name) or key_model(name)

    def info(self, name: str) -> ProviderInfo:
        """What is told about provider *name*; raises ``KeyError`` for an unknown one."""
        coded = self._models.get(name)
        return self._coded[coded] if coded else catalog.entry(name).info()

    def _validate(self, value: Any) -> KeySettings:
        if isinstance(value, KeySettings):
            return value
        name = value.get("provider") if isinstance(value, Mapping) else None
        if name is None:
            raise PydanticKnownError("union_tag_not_found", {"discriminator": "'provider'"})
        try:
            model = self.model(str(name))
        except KeyError:
            known = ", ".join(self.names())
            problem = PydanticKnownError(
                "union_tag_invalid",
                {"discriminator": "'provider'", "tag": "", "expected_tags": known},
            )
        else:
            return model.model_validate(value)
        raise problem

    @cached_property
    def _union(self) -> CoreSchema:
        forms: Any = Union[(*self._coded, any_key_model())]
        return TypeAdapter(Annotated[forms, Field(discriminator="provider")]).core_schema

    def __get_pydantic_core_schema__(self, _source: Any, _handler: Any) -> CoreSchema:
        return core_schema.no_info_plain_validator_function(self._validate)

    def __get_pydantic_json_schema__(
        self, _schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        return handler(self._union)


def _names(model: type[KeySettings]) -> tuple[str, ...]:
    return get_args(model.model_fields["provider"].annotation)
