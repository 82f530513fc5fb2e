"""The page about the metrics names every metric and state, and no others."""

from __future__ import annotations

import re
from pathlib import Path

from monitor.core.model import Reason
from monitor.metrics import Format, Metrics
from monitor.metrics.families import ALERT_FAMILY, KEY_FAMILIES

PAGE = (Path(__file__).parents[2] / "docs" / "metrics.md").read_text(encoding="utf-8")
DOCUMENTED = set(re.findall(r"credit_[a-z_]+", PAGE))


def test_every_metric_is_documented() -> None:
    own = re.findall(r"# TYPE (credit_\S+)", Metrics("1").render(Format.TEXT).decode())
    exported = {family.sample_name for family in KEY_FAMILIES} | {ALERT_FAMILY[0], *own}
    assert exported <= DOCUMENTED


def test_nothing_is_documented_that_is_not_exported() -> None:
    own = re.findall(r"# TYPE (credit_\S+)", Metrics("1").render(Format.TEXT).decode())
    exported = {family.sample_name for family in KEY_FAMILIES} | {ALERT_FAMILY[0], *own}
    assert exported >= DOCUMENTED


def test_every_state_is_documented() -> None:
    assert all(reason in PAGE for reason in Reason)
