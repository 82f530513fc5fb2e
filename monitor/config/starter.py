"""A file to start from: what the environment offers, and what one would want to change next."""

from __future__ import annotations

from collections.abc import Mapping

from monitor.config.environment import FoundKey, keys_in

_HEAD = """\
# credit-monitor configuration; every field: docs/configuration.md and config.example.yaml
# Check it with: credit-monitor config check

keys:
"""

_KEY = """\
  - name: {provider}
    provider: {provider}
    key: ${{{variable}}}     # taken from the environment; or key_file: PATH
{settings}    # account: main           # keys that draw on the same balance carry the same account
    # interval: 1m
"""

_REST = """
# Every rule is on, with defaults that need no thinking. For example:
# rules:
#   low_balance: {warning: 2000, critical: 500}     # or shares of the last top-up: 20%, 5%

# Who is told: Apprise URLs (github.com/caronc/apprise), one channel each. Without any, alerts
# are recorded and shown, but sent to nobody.
channels:
  - name: terminal
    url: "console:"           # prints; replace it by a way to people, for example:
  # - name: ops
  #   url: ${SLACK_URL}       # slack://TokenA/TokenB/TokenC/#channel
  #   severities: [warning, critical]
  # - name: mail
  #   url: ${MAIL_URL}        # mailtos://user:password@mail.example.com?to=ops@example.com
"""


def starter(environ: Mapping[str, str]) -> str:
    """The text of a first configuration file; secrets stay references.

    It watches the keys found under their usual names in *environ*; if there is none, it names the
    variable to set.
    """
    found = list(keys_in(environ)) or [_FIRST]
    return _HEAD + "\n".join(map(_entry, found)) + _REST


_FIRST = FoundKey("kie", {"key": "KIE_API_KEY"})


def _entry(found: FoundKey) -> str:
    settings = "".join(
        f"    {name}: ${{{variable}}}\n"
        for name, variable in found.variables.items()
        if name != "key"
    )
    return _KEY.format(provider=found.provider, variable=found.variables["key"], settings=settings)
