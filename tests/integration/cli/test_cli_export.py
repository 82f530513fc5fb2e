"""What is exported fits the configuration, Prometheus and the metrics there are."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

KEY = {"name": "studio", "provider": "kie", "key": "sk-12345678"}
METRICS_PAGE = Path(__file__).parents[3] / "docs" / "metrics.md"
NAME = re.compile(r"\b(?:credit|process)_[a-z0-9_]+\b")
SUFFIX = re.compile(r"_(?:bucket|sum|count)$")

needs_promtool = pytest.mark.skipif(
    shutil.which("promtool") is None, reason="promtool is not installed"
)


def exported(cli: Any, *arguments: str, **settings: Any) -> str:
    cli.configure(**{"keys": [KEY], **settings})
    result = cli("export", *arguments)
    assert result.exit_code == 0, result.output
    text: str = result.stdout
    return text


def alerts(text: str) -> dict[str, dict[str, Any]]:
    groups = yaml.safe_load(text)["groups"]
    return {rule["alert"]: rule for group in groups for rule in group["rules"]}


def firing(name: str) -> str:
    return f'count by (severity) (ALERTS{{alertname="{name}",alertstate="firing"}})'


def known_metrics() -> set[str]:
    return set(NAME.findall(METRICS_PAGE.read_text(encoding="utf-8")))


@needs_promtool
def test_promtool_takes_the_rules(cli: Any, tmp_path: Path) -> None:
    heartbeat = {"url": "https://example.org/ping"}
    file = tmp_path / "rules.yml"
    file.write_text(exported(cli, "prometheus-rules", heartbeat=heartbeat))
    command = ("promtool", "check", "rules", "--lint-fatal", str(file))
    told = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert told.returncode == 0, told.stdout + told.stderr


@needs_promtool
def test_promtool_understands_the_queries_of_the_dashboard(cli: Any, tmp_path: Path) -> None:
    panels = json.loads(exported(cli, "grafana-dashboard"))["panels"]
    asked = [target["expr"] for panel in panels for target in panel["targets"]]
    queries = [text.replace("$__rate_interval", "5m").replace("$key", ".*") for text in asked]
    assert not [text for text in queries if "$" in text]
    rules = [{"record": f"panel:{n}", "expr": text} for n, text in enumerate(queries)]
    file = tmp_path / "queries.yml"
    file.write_text(yaml.safe_dump({"groups": [{"name": "panels", "rules": rules}]}))
    command = ("promtool", "check", "rules", "--lint=none", str(file))
    told = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert told.returncode == 0, told.stdout + told.stderr


@needs_promtool
def test_in_prometheus_the_rules_fire_when_they_should(cli: Any, tmp_path: Path) -> None:
    (tmp_path / "rules.yml").write_text(exported(cli, "prometheus-rules"))
    labels = 'key="studio",provider="kie",account="",meter="balance",unit="credits"'
    low = 'rule="low_balance",severity='
    series = {
        f"credit_balance{{{labels}}}": "900x30",
        f'credit_threshold{{{labels},{low}"warning"}}': "1000x30",
        f'credit_threshold{{{labels},{low}"critical"}}': "100x30",
        'credit_key_state{key="studio",provider="kie",account="",state="unauthorized"}': "1x30",
        'credit_key_state{key="studio",provider="kie",account="",state="ok"}': "0x30",
        'credit_last_success_timestamp_seconds{key="studio"}': "0x30",
        'up{job="credit-monitor"}': "0x30",
        "credit_monitor_config_last_reload_successful": "0x30",
        "credit_monitor_outbox_oldest_seconds": "0x30",
    }
    expected = {
        "CreditLow": [("severity", "warning")],
        "CreditKeyRefused": [("severity", "critical")],
        "CreditUnreadable": [("severity", "warning")],
        "CreditMonitorDown": [("severity", "critical")],
        "CreditMonitorConfigRefused": [("severity", "warning")],
        "CreditMonitorMute": [],
    }
    document = {
        "rule_files": ["rules.yml"],
        "tests": [
            {
                "interval": "1m",
                "input_series": [{"series": s, "values": v} for s, v in series.items()],
                "promql_expr_test": [
                    {
                        "expr": firing(name),
                        "eval_time": "25m",
                        "exp_samples": [
                            {"labels": f'{{{key}="{value}"}}', "value": 1} for key, value in found
                        ],
                    }
                    for name, found in expected.items()
                ],
            }
        ],
    }
    (tmp_path / "test.yml").write_text(yaml.safe_dump(document))
    command = ("promtool", "test", "rules", "test.yml")
    told = subprocess.run(
        command, capture_output=True, text=True, check=False, timeout=60, cwd=tmp_path
    )
    assert told.returncode == 0, told.stdout + told.stderr


def test_the_rules_fit_intervals_heartbeat_and_job(cli: Any) -> None:
    heartbeat = {"url": "https://example.org/ping", "every": "10m"}
    slow = {**KEY, "interval": "2h"}
    text = exported(cli, "prometheus-rules", "--job", "cm", keys=[slow], heartbeat=heartbeat)
    found = alerts(text)
    assert found["CreditUnreadable"]["expr"].endswith("> 21600")
    assert found["CreditMonitorHeartbeatLate"]["expr"].endswith("> 1800")
    assert 'job="cm"' in found["CreditMonitorDown"]["expr"]
    assert "CreditMonitorHeartbeatLate" not in alerts(exported(cli, "prometheus-rules"))


def test_where_an_alertmanager_is_shown_the_alerts_they_are_not_ruled_again(cli: Any) -> None:
    channel = {"name": "am", "alertmanager": "http://127.0.0.1:9093"}
    found = alerts(exported(cli, "prometheus-rules", channels=[channel]))
    assert not [name for name in found if not name.startswith("CreditMonitor")]
    assert "CreditMonitorDown" in found


def test_rules_and_dashboard_ask_only_for_metrics_that_exist(cli: Any) -> None:
    heartbeat = {"url": "https://example.org/ping"}
    rules = alerts(exported(cli, "prometheus-rules", heartbeat=heartbeat)).values()
    panels = json.loads(exported(cli, "grafana-dashboard"))["panels"]
    asked = [rule["expr"] for rule in rules]
    asked += [target["expr"] for panel in panels for target in panel["targets"]]
    names = {SUFFIX.sub("", name) for text in asked for name in NAME.findall(text)}
    documented = known_metrics()
    assert {n for n in names if not n.startswith("process_")} <= documented


def test_the_panels_of_the_dashboard_lie_beside_each_other(cli: Any) -> None:
    panels = json.loads(exported(cli, "grafana-dashboard"))["panels"]
    taken: set[tuple[int, int]] = set()
    for panel in panels:
        at = panel["gridPos"]
        cells = {
            (x, y)
            for x in range(at["x"], at["x"] + at["w"])
            for y in range(at["y"], at["y"] + at["h"])
        }
        assert not taken & cells, panel["title"]
        taken |= cells
    assert max(x for x, _ in taken) == 23
    assert len({panel["id"] for panel in panels}) == len(panels)


def test_no_secret_is_exported(cli: Any) -> None:
    heartbeat = {"url": "https://example.org/s3cret"}
    text = exported(cli, "prometheus-rules", heartbeat=heartbeat)
    assert "s3cret" not in text
    assert "sk-1234" not in text
