"""``demo``: the whole product on simulated accounts, with time sped up."""

from __future__ import annotations

from datetime import timedelta

import click

from monitor.cli.options import DurationType

EPILOG = """\b
Examples:
  credit-monitor demo
  credit-monitor demo --for 1m --speed 120
  credit-monitor demo --keep --port 8080
"""


@click.command(epilog=EPILOG)
@click.option(
    "--speed",
    type=click.FloatRange(1, 10_000),
    default=60,
    show_default=True,
    help="How many times faster than the wall clock time goes.",
)
@click.option(
    "--for",
    "length",
    type=DurationType(),
    metavar="DURATION",
    help="Stop after this long on the wall clock, such as 1m; else with Ctrl-C.",
)
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=9750,
    show_default=True,
    help="Port of the web page on loopback; 0 takes any free one.",
)
@click.option("--keep", is_flag=True, help="Keep what the demo recorded, and say where it is.")
def command(speed: float, length: timedelta | None, port: int, keep: bool) -> None:  # noqa: FBT001 - click passes by name
    """Show everything at once without an account.

    Starts a simulated provider on loopback, the daemon and the web page; alerts appear in the
    terminal as they would be sent.
    """
    from monitor import demo  # noqa: PLC0415 - the help must not wait for the daemon's imports

    duration = None if length is None else length.total_seconds()
    raise click.exceptions.Exit(demo.run(speed=speed, duration=duration, port=port, keep=keep))
