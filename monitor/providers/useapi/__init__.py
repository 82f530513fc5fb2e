"""useapi.net: one token, the user's own accounts of Kling and others behind it."""

from monitor.providers.useapi.provider import UseapiProvider
from monitor.providers.useapi.settings import INFO, LinkedAccount, UseapiKey

__all__ = ["INFO", "LinkedAccount", "UseapiKey", "UseapiProvider"]
