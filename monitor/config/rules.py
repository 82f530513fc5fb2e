"""How the rules of a key come about: its own, field by field over those for all keys."""

from __future__ import annotations

from typing import Any

from monitor.config.values import OFF_WORDS

_ON_WORDS = (True, "on", "yes")


def switched(rules: Any) -> Any:
    """*rules* as written, with ``off`` as None and ``on`` as a rule without further fields."""
    if not isinstance(rules, dict):
        return rules
    return {name: _switch(rule) for name, rule in rules.items()}


def merged(common: dict[str, Any], own: Any) -> Any:
    """*own* over *common*; both as :func:`switched` leaves them."""
    if not isinstance(own, dict):
        return own
    return common | {name: _over(common.get(name, {}), rule) for name, rule in own.items()}


def _switch(rule: Any) -> Any:
    if isinstance(rule, bool | str):
        if rule in OFF_WORDS:
            return None
        if rule in _ON_WORDS:
            return {}
    return rule


def _over(common: Any, own: Any) -> Any:
    if isinstance(common, dict) and isinstance(own, dict):
        return common | own
    return own
