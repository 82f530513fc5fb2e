"""A real Prometheus scrapes a real server, in both formats, and is asked what it saw."""

from __future__ import annotations

import asyncio
import re
import shutil
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import pytest
from support.patience import HANGS
from support.scene import Scene, fill

from monitor.store import open_store
from monitor.web import WebServer

pytestmark = pytest.mark.skipif(
    shutil.which("prometheus") is None, reason="needs prometheus (Debian package prometheus)"
)

CONFIG = """
global: {{scrape_interval: 500ms, scrape_timeout: 500ms}}
scrape_configs:
  - {{job_name: openmetrics, static_configs: [{{targets: ["127.0.0.1:{server}"]}}]}}
  - {{job_name: text, static_configs: [{{targets: ["127.0.0.1:{relay}"]}}]}}
"""


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@asynccontextmanager
async def prometheus(server: int, relay: int, home: Path) -> AsyncIterator[httpx.AsyncClient]:
    """A Prometheus that scrapes two ports of this machine, and a client to ask it."""
    config, port = home / "prometheus.yml", free_port()
    config.write_text(CONFIG.format(server=server, relay=relay))
    process = await asyncio.create_subprocess_exec(
        "prometheus",
        f"--config.file={config}",
        f"--storage.tsdb.path={home}/data",
        f"--web.listen-address=127.0.0.1:{port}",
        "--log.level=error",
    )
    try:
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}") as client:
            yield client
    finally:
        process.terminate()
        await process.wait()


@asynccontextmanager
async def asking_for_text(target: int) -> AsyncIterator[int]:
    """The port of a relay to *target* that asks for the text format: Prometheus 2 cannot."""

    async def relay(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = await reader.readuntil(b"\r\n\r\n")
        except asyncio.IncompleteReadError:  # Prometheus is stopped
            return
        asked = re.sub(rb"(?i)accept: [^\r]*", b"Accept: text/plain;version=0.0.4", head)
        asked = asked.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n")
        answers, upstream = await asyncio.open_connection("127.0.0.1", target)
        upstream.write(asked)
        writer.write(await answers.read())
        for stream in (upstream, writer):
            stream.close()
            await stream.wait_closed()

    async with await asyncio.start_server(relay, "127.0.0.1", 0) as server:
        yield server.sockets[0].getsockname()[1]


async def ask(client: httpx.AsyncClient, query: str, label: str = "key") -> dict[str, float]:
    """The result of *query* by the value of *label*, as soon as there is one."""
    async with asyncio.timeout(HANGS):
        while True:
            try:
                answer = await client.get("/api/v1/query", params={"query": query})
            except httpx.TransportError:  # it is still starting
                answer = httpx.Response(503)
            found = answer.json()["data"]["result"] if answer.is_success else []
            if found:
                return {row["metric"].get(label, ""): float(row["value"][1]) for row in found}
            await asyncio.sleep(0.1)


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[Scene]:
    store = open_store(f"sqlite:///{tmp_path}/store.db")
    scene = Scene(store)
    fill(scene)
    scene.metrics.show(["kie", "relay"], ["ops"])
    yield scene
    store.close()


@pytest.fixture
async def server(scene: Scene) -> AsyncIterator[WebServer]:
    server = WebServer(scene.context, "127.0.0.1", 0)
    await server.start()
    yield server
    await server.stop()


@pytest.fixture
async def client(server: WebServer, tmp_path: Path) -> AsyncIterator[httpx.AsyncClient]:
    async with (
        asking_for_text(server.port) as relay,
        prometheus(server.port, relay, tmp_path) as client,
    ):
        yield client


async def test_prometheus_sees_what_the_monitor_knows_in_both_formats(
    client: httpx.AsyncClient, scene: Scene
) -> None:
    for job in ("openmetrics", "text"):
        await check_what_it_saw(client, f'job="{job}"')
    metadata = (await client.get("/api/v1/metadata")).json()["data"]
    assert metadata["credit_balance"][0]["type"] == "gauge"
    assert metadata["credit_expiry_timestamp_seconds"][0]["type"] == "gauge"
    del scene.world.keys["small"]
    async with asyncio.timeout(HANGS):
        while "small" in await ask(client, "credit_balance"):  # noqa: ASYNC110 - it has to be asked
            await asyncio.sleep(0.1)


async def check_what_it_saw(client: httpx.AsyncClient, job: str) -> None:
    balances = {"calm": 4637, "low": 411, "empty": 0, "small": 0.90}
    assert await ask(client, f"credit_balance{{{job}}}") == balances
    states = {"ok": 1, "unauthorized": 1}
    assert await ask(client, f"credit_key_state{{{job}}} == 1", "state") == states
    assert await ask(client, f"credit_key_up{{{job}}} == 0") == {"refused": 0}
    open_alerts = {"low": 1, "empty": 1, "refused": 1}
    assert await ask(client, f"credit_alert_firing{{{job}}}") == open_alerts
    threshold = f'credit_threshold{{severity="warning",{job}}}'
    below_warning = f"credit_balance{{{job}}} < on (key) {threshold}"
    assert await ask(client, below_warning) == {"low": 411, "empty": 0}
    missed = f'credit_monitor_polls_total{{outcome="missed",{job}}}'
    assert await ask(client, missed, "provider") == {"kie": 0, "relay": 0}
    assert set((await ask(client, f"up{{{job}}}", "job")).values()) == {1}
