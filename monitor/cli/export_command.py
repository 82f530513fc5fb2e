"""``export``: files for Prometheus and Grafana that fit the configuration."""

from __future__ import annotations

import json

import click
import yaml

from monitor.cli.sources import settings_to_read
from monitor.exports import dashboard, rules


@click.group(name="export")
def command() -> None:
    """Print files for Prometheus and Grafana that fit this configuration."""


@command.command(
    epilog="\b\nExamples:\n"
    "  credit-monitor export prometheus-rules > /etc/prometheus/rules/credit.yml\n"
    "  promtool check rules /etc/prometheus/rules/credit.yml"
)
@click.option(
    "--job",
    default="credit-monitor",
    show_default=True,
    metavar="NAME",
    help="The name of the scrape job in Prometheus.",
)
def prometheus_rules(job: str) -> None:
    """Print alerting rules: low credit, refused keys, and a monitor that is down or mute.

    With a channel that shows alerts to an Alertmanager, only the latter.
    """
    document = rules(settings_to_read(), job)
    click.echo(yaml.safe_dump(document, sort_keys=False, width=100), nl=False)


@command.command(
    epilog="\b\nExamples:\n  credit-monitor export grafana-dashboard > credit-monitor.json\n\n"
    "Import the file in Grafana, or put it where its provisioning looks."
)
def grafana_dashboard() -> None:
    """Print a dashboard: balances, use, alerts, and the monitor itself."""
    click.echo(json.dumps(dashboard(), indent=2))
