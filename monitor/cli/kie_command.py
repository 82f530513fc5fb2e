"""``kie``: what only kie.ai offers; ``kie link`` makes download links, and downloads."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import aclosing
from pathlib import Path
from typing import Any

import click

from monitor.cli import output
from monitor.cli.exits import CommandError, Exit
from monitor.cli.kie_inputs import chosen_key, given_urls
from monitor.cli.kie_saving import Options, make_links, save
from monitor.cli.options import format_option
from monitor.downloads.links import Made, make_all
from monitor.downloads.outcome import Quiet, shown
from monitor.providers import KieKey
from monitor.providers.certificates import CertificatesError
from monitor.providers.http import HttpClient

EPILOG = """\b
Examples:
  credit-monitor kie link https://tempfile.aiquickdraw.com/s/a.mp4
  credit-monitor kie link --file urls.txt --save ./videos
  jq -r '.urls[]' result.json | credit-monitor kie link - --save ./videos

\b
Exit code:
  0    every link was made, every file is there
  1    some were not: standard error tells which, and why
  74   DIR cannot be written, or its disk is full
  130  Ctrl-C; what has come is kept, and the same command goes on from there
"""


@click.group()
def command() -> None:
    """Make download links for files that kie.ai has generated, and download them."""


@command.command(epilog=EPILOG)
@click.argument("urls", nargs=-1, metavar="[URL]...")
@click.option("--file", metavar="FILE", help="Take URLs from FILE, too, one a line; - is stdin.")
@click.option(
    "--save",
    "directory",
    metavar="DIR",
    type=click.Path(file_okay=False, path_type=Path),
    help="Download the files to DIR; what is there already is left out.",
)
@click.option("--key", "name", metavar="NAME", help="Key to ask with, if several are of kie.ai.")
@click.option(
    "--parallel",
    type=click.IntRange(1, 32),
    metavar="NUMBER",
    default=4,
    show_default=True,
    help="Files to download, or links to ask for, at a time.",
)
@click.option(
    "--rate",
    type=click.FloatRange(0.1, 10),
    metavar="NUMBER",
    default=2.0,
    show_default=True,
    help="Links to ask for in a second, at most.",
)
@click.option(
    "--retries",
    type=click.IntRange(0, 100),
    metavar="NUMBER",
    default=5,
    show_default=True,
    help="Further attempts after failures in a row, for each file.",
)
@format_option("text", "json")
def link(
    *,
    urls: tuple[str, ...],
    file: str | None,
    directory: Path | None,
    name: str | None,
    parallel: int,
    rate: float,
    retries: int,
    output_format: str,
) -> None:
    """Make temporary download links for the generated files at the URLs.

    A URL of - reads them from standard input, one a line. A link is good for 20 minutes, without
    the key. With --save the files are downloaded: in parallel, going on where an earlier run was
    cut, and checked against what the host tells of them. kie.ai deletes files after 14 days.
    """
    wanted = given_urls(urls, file)
    settings, key = chosen_key(name)
    options = Options(parallel, rate, retries, output_format)
    try:
        http = HttpClient(ca_file=settings.http.ca_file)
    except CertificatesError as error:
        raise CommandError(f"{error}.", code=Exit.CONFIG) from None
    if directory is None:
        code = asyncio.run(_print_links(wanted, key, http, options))
    else:
        code = save(wanted, key, http, directory, options)
    raise click.exceptions.Exit(code)


async def _print_links(
    urls: Sequence[str], key: KieKey, http: HttpClient, options: Options
) -> Exit:
    """One link a line, as they come; what could not be made goes to standard error."""
    results = []
    try:
        links = make_links(key, http, options, Quiet())
        async with aclosing(make_all(urls, links, parallel=options.parallel)) as coming:
            async for made in coming:
                results.append(made)
                if options.output_format == "text":
                    _print_link(made)
    finally:
        await http.aclose()
    if options.output_format == "json":
        output.print_json([_as_json(made) for made in results])
    return Exit.FAILED if any(made.error for made in results) else Exit.OK


def _print_link(made: Made) -> None:
    if made.link:
        click.echo(made.link.url)
    elif made.error:
        click.echo(f"{shown(made.url)}: {output.printable(made.error.detail)}", err=True)


def _as_json(made: Made) -> dict[str, Any]:
    return {
        "url": shown(made.url),
        "link": made.link.url if made.link else None,
        "expires_at": made.link.expires_at if made.link else None,
        "reason": made.error.reason if made.error else "",
        "detail": made.error.detail if made.error else "",
    }
