"""The web side: pages without scripts, a JSON API, ``/metrics`` and probes.  Read-only."""

from monitor.web.app import create_app
from monitor.web.context import WebContext
from monitor.web.entry import Entry
from monitor.web.server import WebServer, WebServerError
from monitor.web.tls import Certificate

__all__ = ["Certificate", "Entry", "WebContext", "WebServer", "WebServerError", "create_app"]
