"""The configuration: from YAML and the environment to checked, frozen settings."""

from monitor.config.load import Loaded, find, from_environment, load
from monitor.config.models import ChannelSettings, Limit, Notify, Settings
from monitor.config.problems import ConfigError, Level, Problem
from monitor.config.schema import schema
from monitor.config.show import show
from monitor.config.starter import starter

__all__ = [
    "ChannelSettings",
    "ConfigError",
    "Level",
    "Limit",
    "Loaded",
    "Notify",
    "Problem",
    "Settings",
    "find",
    "from_environment",
    "load",
    "schema",
    "show",
    "starter",
]
