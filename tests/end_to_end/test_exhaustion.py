"""A process that has run out of file descriptors says so once, and goes on when it has some."""

from __future__ import annotations

import asyncio
import os
import resource
import socket
from collections.abc import AsyncIterator
from contextlib import ExitStack
from decimal import Decimal
from pathlib import Path

import pytest
from support.process import Hook
from support.site import Site

from monitor.providers.simulator import Account, SimulatedServer

MANY = 30
"""Connections to the page, beyond what the process may have open."""


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[Site]:
    accounts = [Account(token=f"sk-{name}", balance=Decimal(5000)) for name in ("studio", "spare")]
    async with SimulatedServer(accounts) as provider, Hook() as hook:
        yield Site(tmp_path, provider, hook)


async def test_a_lack_of_file_descriptors_is_told_once_and_watching_goes_on(site: Site) -> None:
    process = await site.started()
    port = int((await process.until("page and metrics at")).split(":")[-1].rstrip("/"))
    await asyncio.sleep(2)  # until every key has its connection
    used = len(os.listdir(f"/proc/{process.pid}/fd"))  # noqa: PTH208 - a count of names
    before = resource.prlimit(process.pid, resource.RLIMIT_NOFILE, (used + 2, MANY * 100))
    with ExitStack() as stack:
        for _ in range(MANY):
            stack.enter_context(socket.create_connection(("127.0.0.1", port), timeout=5))
        await process.until("connections to the page cannot be taken: Too many open files")
        await asyncio.sleep(3)  # in which the loop tries hundreds of times again
    resource.prlimit(process.pid, resource.RLIMIT_NOFILE, (MANY * 100, MANY * 100))
    site.spend("50")
    await site.hook.until("studio has 50 credits left")
    assert await process.stop() == 0
    assert process.output.count("cannot be taken") == 1
    assert "Traceback" not in process.output
    assert before[0] > used
