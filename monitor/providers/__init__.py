"""The providers: one module each, listed once here; the union is registry and schema at once."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from monitor.providers import declarative, kie, simulated, useapi
from monitor.providers.base import KeySettings, PollError, Provider, ProviderInfo
from monitor.providers.declarative import JsonKey
from monitor.providers.kie import KieKey
from monitor.providers.simulated import SimulatedKey
from monitor.providers.useapi import UseapiKey

AnyKey = Annotated[KieKey | UseapiKey | JsonKey | SimulatedKey, Field(discriminator="provider")]
"""One entry of ``keys:``, whichever its provider."""

ENVIRONMENT_NAMES = {"KIE_API_KEY": "kie", "USEAPI_TOKEN": "useapi"}
"""Usual names of environment variables, and the provider whose key they hold."""

PROVIDERS: tuple[ProviderInfo, ...] = (
    kie.INFO,
    useapi.INFO,
    declarative.INFO,
    simulated.INFO,
)
"""What ``credit-monitor providers`` lists."""

__all__ = [
    "ENVIRONMENT_NAMES",
    "PROVIDERS",
    "AnyKey",
    "JsonKey",
    "KeySettings",
    "KieKey",
    "PollError",
    "Provider",
    "ProviderInfo",
    "SimulatedKey",
    "UseapiKey",
]
