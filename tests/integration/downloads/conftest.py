"""Downloads from a real host on loopback, with waits that pass a thousand times faster."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from random import Random

import pytest
from support.file_host import KEY, FileHost, file_host

from monitor.clock import Clock
from monitor.downloads.engine import Run
from monitor.downloads.folder import Folder
from monitor.downloads.links import Links
from monitor.downloads.outcome import FileOutcome, Quiet
from monitor.downloads.transfer import Rules, Transfer
from monitor.providers import KieKey
from monitor.providers.http import HttpClient
from monitor.providers.kie_links import LINK_LIFETIME, KieLinks

SPEED = 1000.0
Save = Callable[..., Awaitable[list[FileOutcome]]]


@pytest.fixture
async def host() -> AsyncIterator[FileHost]:
    async with file_host() as host:
        yield host


@pytest.fixture
async def save(host: FileHost, tmp_path: Path) -> AsyncIterator[Save]:
    """``await save(url, ...)`` into ``tmp_path / "out"``: one whole run."""
    http = HttpClient()

    async def save(
        *urls: str,
        retries: int = 3,
        parallel: int = 4,
        speed: float = SPEED,
        local: bool = True,
        plain_http_host: str = "",
        patience: float = 30.0,
    ) -> list[FileOutcome]:
        clock, listener = Clock(speed), Quiet()
        links = Links(
            KieLinks.of(KieKey(name="studio", key=KEY, url=host.url), http),
            lifetime=LINK_LIFETIME,
            rate=1000,
            retries=retries,
            clock=clock,
            random=Random(1),
            listener=listener,
        )
        rules = Rules(retries, plain_http_host, local=local, patience=patience)
        with Folder(tmp_path / "out") as folder:
            transfer = Transfer(http, links, folder, rules, clock, Random(1), listener)
            run = Run(urls, folder, transfer, parallel)
            await run.save_all()
            return run.result()

    yield save
    await http.aclose()
