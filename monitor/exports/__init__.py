"""Files for other programs that fit one configuration: Prometheus' rules, Grafana's dashboard."""

from monitor.exports.grafana import dashboard
from monitor.exports.prometheus import rules

__all__ = ["dashboard", "rules"]
