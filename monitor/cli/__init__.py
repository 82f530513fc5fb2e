"""The command line: one module per command group; each parses, calls, prints and exits."""

from monitor.cli.app import main, program

__all__ = ["main", "program"]
