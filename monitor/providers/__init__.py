"""The providers: coded ones, listed once here, and those of the catalog, which are data."""

from __future__ import annotations

from typing import Annotated

from monitor.providers import catalog, declarative, kie, kinovi, klingai, simulated, useapi
from monitor.providers.base import KeySettings, PollError, Provider, ProviderInfo
from monitor.providers.catalogued import CatalogKey
from monitor.providers.declarative import JsonKey
from monitor.providers.kie import KieKey
from monitor.providers.kinovi import KinoviKey
from monitor.providers.klingai import KlingAiKey
from monitor.providers.registry import ByProvider
from monitor.providers.simulated import SimulatedKey
from monitor.providers.useapi import UseapiKey

CODED: dict[type[KeySettings], ProviderInfo] = {
    KieKey: kie.INFO,
    KinoviKey: kinovi.INFO,
    UseapiKey: useapi.INFO,
    KlingAiKey: klingai.INFO,
    JsonKey: declarative.INFO,
    SimulatedKey: simulated.INFO,
}
"""The providers that are code: the model of their keys, and what is told about them."""

REGISTRY = ByProvider(CODED)

AnyKey = Annotated[KeySettings, REGISTRY]
"""One entry of ``keys:``, whichever its provider."""

CODED_VARIABLES = {"KIE_API_KEY": "kie", "KINOVI_API_KEY": "kinovi", "USEAPI_TOKEN": "useapi"}
"""Usual names of environment variables, and the coded provider whose key they hold."""


def environment_names() -> dict[str, str]:
    """Usual names of environment variables, and the provider whose key they hold."""
    return {**CODED_VARIABLES, **catalog.environment_names()}


__all__ = [
    "CODED",
    "CODED_VARIABLES",
    "REGISTRY",
    "AnyKey",
    "CatalogKey",
    "JsonKey",
    "KeySettings",
    "KieKey",
    "KinoviKey",
    "KlingAiKey",
    "PollError",
    "Provider",
    "ProviderInfo",
    "SimulatedKey",
    "UseapiKey",
    "environment_names",
]
