"""The configuration: from YAML and the environment to checked, frozen settings."""

from monitor.config.channels import ChannelSettings
from monitor.config.load import Loaded, find, from_environment, load
from monitor.config.models import Limit, Settings
from monitor.config.notify import Notify
from monitor.config.problems import ConfigError, Level, NothingConfiguredError, Problem
from monitor.config.schema import schema
from monitor.config.show import show
from monitor.config.starter import starter

__all__ = [
    "ChannelSettings",
    "ConfigError",
    "Level",
    "Limit",
    "Loaded",
    "NothingConfiguredError",
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
