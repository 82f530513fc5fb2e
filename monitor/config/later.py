"""Fields that only later versions have: told as such, because nothing about them is misspelt."""

from __future__ import annotations

from collections.abc import Mapping

from monitor.config.problems import Path

_RULES = frozenset({"runway", "spike", "expiring", "overdue_top_up"})

_FIELDS: Mapping[Path, frozenset[str]] = {
    ("rules",): _RULES,
    ("keys", "rules"): _RULES,
}
"""By the path of the mapping they stand in, without positions in lists."""


def is_later(path: Path) -> bool:
    """Whether the field at *path* is one of a later version."""
    place = tuple(step for step in path[:-1] if isinstance(step, str))
    return path[-1] in _FIELDS.get(place, ())
