"""A dashboard for Grafana over what ``/metrics`` tells.

Form: https://grafana.com/docs/grafana/latest/dashboards/build-dashboards/view-dashboard-json-model/
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

Panel = dict[str, Any]

SCHEMA_VERSION = 39
"""Of Grafana 10.4 and 11; newer ones bring it up to date when they read it."""

UID = "credit-monitor"
COLUMNS = 24
_SOURCE = {"type": "prometheus", "uid": "${datasource}"}
_KEYS = 'key=~"$key"'
_GREEN_RED = [{"color": "green", "value": None}, {"color": "red", "value": 1}]


def dashboard() -> dict[str, Any]:
    """The dashboard's document, to be imported or provisioned.

    Keys, providers and channels are found in the metrics, so it fits every configuration.
    """
    rows = [_state(), _credit(), _alerts(), _ourselves()]
    return {
        "uid": UID,
        "title": "credit-monitor",
        "tags": ["credit"],
        "timezone": "",
        "schemaVersion": SCHEMA_VERSION,
        "refresh": "1m",
        "time": {"from": "now-7d", "to": "now"},
        "templating": {"list": _variables()},
        "panels": _placed(rows),
    }


def _state() -> list[Panel]:
    return [
        _stat("Keys", "count(credit_key_up)"),
        _stat("Without a reading", "count(credit_key_up == 0) or vector(0)", alarming=True),
        _stat("Open alerts", "count(credit_alert_firing) or vector(0)", alarming=True),
        _stat("Undelivered", "sum(credit_monitor_outbox_pending)", alarming=True),
    ]


def _credit() -> list[Panel]:
    return [
        _lines("Balance", f"credit_balance{{{_KEYS}}}", "{{key}} {{meter}} ({{unit}})"),
        _lines(
            "Used per hour",
            f"rate(credit_consumed_total{{{_KEYS}}}[$__rate_interval]) * 3600",
            "{{key}} {{meter}} ({{unit}})",
        ),
    ]


def _alerts() -> list[Panel]:
    return [
        _table("Open alerts", "credit_alert_firing"),
        _lines("Keys that answer", f"credit_key_up{{{_KEYS}}}", "{{key}}"),
    ]


def _ourselves() -> list[Panel]:
    lag = "sum by (le) (rate(credit_monitor_poll_lag_seconds_bucket[$__rate_interval]))"
    return [
        _lines(
            "Polls per minute",
            "sum by (outcome) (rate(credit_monitor_polls_total[$__rate_interval])) * 60",
            "{{outcome}}",
        ),
        _lines("Polls start late, p99", f"histogram_quantile(0.99, {lag})", "seconds", unit="s"),
        _lines(
            "Messages",
            "sum by (channel, outcome) (increase(credit_monitor_notifications_total[1h]))",
            "{{channel}} {{outcome}}",
        ),
        _lines("Memory", "process_resident_memory_bytes", "{{instance}}", unit="bytes"),
    ]


def _variables() -> list[dict[str, Any]]:
    source = {"name": "datasource", "type": "datasource", "query": "prometheus", "label": "Source"}
    query = "label_values(credit_key_up, key)"
    key = {
        "name": "key",
        "type": "query",
        "label": "Key",
        "datasource": _SOURCE,
        "query": {"query": query, "refId": "key"},
        "definition": query,
        "refresh": 2,
        "multi": True,
        "includeAll": True,
        "current": {"text": "All", "value": "$__all"},
    }
    return [source, key]


def _placed(rows: Sequence[Sequence[Panel]]) -> list[Panel]:
    """The panels of each row beside each other, the rows below each other."""
    panels: list[Panel] = []
    top = 0
    for row in rows:
        width, height = COLUMNS // len(row), max(panel["gridPos"]["h"] for panel in row)
        for place, panel in enumerate(row):
            where = {"x": place * width, "y": top, "w": width, "h": height}
            panels.append({**panel, "id": len(panels) + 1, "gridPos": where})
        top += height
    return panels


def _panel(kind: str, title: str, expression: str, *, height: int, **more: Any) -> Panel:
    target = {"refId": "A", "expr": expression, "datasource": _SOURCE, **more.pop("target", {})}
    return {
        "type": kind,
        "title": title,
        "datasource": _SOURCE,
        "targets": [target],
        "gridPos": {"h": height},
        **more,
    }


def _stat(title: str, expression: str, *, alarming: bool = False) -> Panel:
    steps = _GREEN_RED if alarming else _GREEN_RED[:1]
    field = {"defaults": {"thresholds": {"mode": "absolute", "steps": steps}}, "overrides": []}
    return _panel("stat", title, expression, height=4, fieldConfig=field)


def _lines(title: str, expression: str, legend: str, *, unit: str = "short") -> Panel:
    field = {"defaults": {"unit": unit, "min": 0}, "overrides": []}
    return _panel(
        "timeseries",
        title,
        expression,
        height=9,
        target={"legendFormat": legend},
        fieldConfig=field,
        options={"legend": {"displayMode": "list", "placement": "bottom"}},
    )


def _table(title: str, expression: str) -> Panel:
    hidden = {"Time": True, "Value": True, "__name__": True, "instance": True, "job": True}
    return _panel(
        "table",
        title,
        expression,
        height=9,
        target={"format": "table", "instant": True},
        transformations=[{"id": "organize", "options": {"excludeByName": hidden}}],
        fieldConfig={"defaults": {}, "overrides": []},
    )
