"""What Prometheus sees: series of keys from memory, and the daemon's own."""

from monitor.metrics.daemon import NOTIFICATION_OUTCOMES, POLL_OUTCOMES, Metrics, OutboxState
from monitor.metrics.formats import Format, choose_format
from monitor.metrics.scrape import Scrape

__all__ = [
    "NOTIFICATION_OUTCOMES",
    "POLL_OUTCOMES",
    "Format",
    "Metrics",
    "OutboxState",
    "Scrape",
    "choose_format",
]
