"""The HTTP side: pages, API, probes and metrics; read-only."""
