"""Alerting rules for Prometheus.

credit-monitor tells of credit itself; these are for who wants the same from Prometheus, and for
what credit-monitor cannot tell: that it is down, mute or runs another configuration than its file.
Form: https://prometheus.io/docs/prometheus/latest/configuration/alerting_rules/
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

from monitor.config.models import Settings
from monitor.core.fields import format_duration
from monitor.core.model import Reason, Severity

Rule = dict[str, Any]

LONGEST_UNPOLLED = timedelta(minutes=15)
"""A key counts as unread after three of its intervals, and not before this."""

BALANCE = "{{ $value | humanize }} {{ $labels.unit }}"


def rules(settings: Settings, job: str) -> dict[str, Any]:
    """The document of a rule file; *job* is the name that Prometheus scrapes us under.

    Where a channel shows the alerts to an Alertmanager, the rules about credit are left out: each
    alert would be there twice.
    """
    groups = [{"name": "credit-monitor", "rules": list(_of_ourselves(settings, job))}]
    if not any(channel.alertmanager for channel in settings.channels):
        groups.insert(0, {"name": "credit", "rules": list(_of_credit(settings))})
    return {"groups": groups}


def _of_credit(settings: Settings) -> Iterator[Rule]:
    if any(key.rules.low_balance for key in settings.keys):
        for severity in (Severity.WARNING, Severity.CRITICAL):
            yield _rule(
                "CreditLow",
                "credit_balance < ignoring(rule, severity) credit_threshold"
                f'{{rule="low_balance",severity="{severity}"}}',
                severity,
                f"{{{{ $labels.key }}}} has {BALANCE} left",
            )
    refusals = "|".join(reason for reason in Reason if reason.needs_person)
    yield _rule(
        "CreditKeyRefused",
        f'credit_key_state{{state=~"{refusals}"}} == 1',
        Severity.CRITICAL,
        "{{ $labels.key }} is refused by {{ $labels.provider }}: {{ $labels.state }}",
    )
    longest = max((key.interval for key in settings.keys), default=timedelta(0))
    unread = max(LONGEST_UNPOLLED, 3 * longest)
    yield _rule(
        "CreditUnreadable",
        f"time() - credit_last_success_timestamp_seconds > {unread.total_seconds():.0f}",
        Severity.WARNING,
        f"{{{{ $labels.key }}}} could not be read for {format_duration(unread)}",
    )


def _of_ourselves(settings: Settings, job: str) -> Iterator[Rule]:
    yield _rule(
        "CreditMonitorDown",
        f'up{{job="{job}"}} == 0 or absent(up{{job="{job}"}})',
        Severity.CRITICAL,
        "credit-monitor does not answer: nobody watches the credit",
        wait="5m",
    )
    yield _rule(
        "CreditMonitorMute",
        "credit_monitor_outbox_oldest_seconds > 900",
        Severity.CRITICAL,
        "A message of credit-monitor has waited for {{ $value | humanizeDuration }}",
        wait="5m",
    )
    yield _rule(
        "CreditMonitorRefused",
        'increase(credit_monitor_notifications_total{outcome=~"refused|expired"}[1h]) > 0',
        Severity.WARNING,
        "Channel {{ $labels.channel }} does not take messages: credit-monitor notify list",
    )
    yield _rule(
        "CreditMonitorStoreFails",
        "increase(credit_monitor_store_errors_total[15m]) > 0",
        Severity.WARNING,
        "credit-monitor cannot write its store",
    )
    yield _rule(
        "CreditMonitorBehind",
        'sum without (provider) (increase(credit_monitor_polls_total{outcome="missed"}[15m])) > 0',
        Severity.WARNING,
        "{{ $value | humanize }} polls were left out in 15 minutes",
        wait="15m",
    )
    yield _rule(
        "CreditMonitorConfigRefused",
        "credit_monitor_config_last_reload_successful == 0",
        Severity.WARNING,
        "credit-monitor runs another configuration than its file has: credit-monitor status",
        wait="5m",
    )
    if settings.heartbeat is not None:
        late = 3 * settings.heartbeat.every
        yield _rule(
            "CreditMonitorHeartbeatLate",
            "time() - credit_monitor_heartbeat_last_success_timestamp_seconds"
            f" > {late.total_seconds():.0f}",
            Severity.WARNING,
            "The outside switch was not pinged for {{ $value | humanizeDuration }}",
        )


def _rule(name: str, expression: str, severity: Severity, summary: str, wait: str = "") -> Rule:
    lasting = {"for": wait} if wait else {}
    return {
        "alert": name,
        "expr": expression,
        **lasting,
        "labels": {"severity": str(severity)},
        "annotations": {"summary": summary},
    }
