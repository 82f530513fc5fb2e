"""What holds for every address: methods, headers, hosts; and the probes."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from dataclasses import replace

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families
from starlette.routing import Route
from support.scene import Scene

from monitor.web import Entry, create_app


def addresses(scene: Scene) -> Iterator[str]:
    """Every route of the application, with a name filled in."""
    for route in create_app(scene.context).app.routes:
        assert isinstance(route, Route)
        yield route.path.replace("{name}", "low")


async def test_every_address_answers_and_is_locked_down(
    client: httpx.AsyncClient, full_scene: Scene
) -> None:
    paths = list(addresses(full_scene))
    assert len(paths) == 14
    for path in paths:
        answer = await client.get(path)
        assert answer.status_code == 200, path
        check_headers(answer)
        assert (await client.head(path)).status_code == 200, path


def check_headers(answer: httpx.Response) -> None:
    policy = answer.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["referrer-policy"] == "no-referrer"
    assert "cache-control" in answer.headers
    assert "set-cookie" not in answer.headers


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE", "OPTIONS"])
async def test_nothing_can_be_changed(
    client: httpx.AsyncClient, full_scene: Scene, method: str
) -> None:
    for path in addresses(full_scene):
        answer = await client.request(method, path)
        assert answer.status_code == 405, path
        assert "GET" in answer.headers["allow"]
        check_headers(answer)


async def test_errors_are_locked_down_too(client: httpx.AsyncClient) -> None:
    for path in ("/nothing", "/api/v1/nothing", "/keys/nobody", "/static/../app.py", "/keys/a/b"):
        answer = await client.get(path)
        assert answer.status_code == 404
        check_headers(answer)


async def test_a_mistake_of_ours_shows_nothing_and_is_locked_down(scene: Scene) -> None:
    def broken() -> list[str]:
        raise RuntimeError("a secret")

    app = create_app(replace(scene.context, health=broken))
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as http:
        answer = await http.get("/")
    assert answer.status_code == 500
    assert "secret" not in answer.text
    check_headers(answer)


# -- who may ask ----------------------------------------------------------------------------------


async def status(scene: Scene, bound_to: str, host: str) -> int:
    transport = httpx.ASGITransport(create_app(scene.context, host=bound_to))
    async with httpx.AsyncClient(transport=transport, base_url="http://x") as http:
        return (await http.get("/healthz", headers={"Host": host})).status_code


@pytest.mark.parametrize(
    ("bound_to", "host", "expected"),
    [
        pytest.param("127.0.0.1", "localhost:9750", 200, id="localhost"),
        pytest.param("127.0.0.1", "LOCALHOST", 200, id="localhost in capitals, without a port"),
        pytest.param("127.0.0.1", "127.0.0.1:9750", 200, id="the address"),
        pytest.param("127.0.0.1", "127.0.0.2", 200, id="another loopback address"),
        pytest.param("::1", "[::1]:9750", 200, id="the IPv6 address"),
        pytest.param("localhost", "localhost", 200, id="bound by name"),
        pytest.param("127.0.0.1", "evil.example:9750", 421, id="a name that was rebound"),
        pytest.param("127.0.0.1", "localhost.evil.example", 421, id="a name that begins well"),
        pytest.param("127.0.0.1", "127.0.0.1.evil.example", 421, id="an address that goes on"),
        pytest.param("127.0.0.1", "", 421, id="no host"),
        pytest.param("127.0.0.1", "[::1", 200, id="an open bracket is read as its address"),
        pytest.param("0.0.0.0", "192.0.2.7:9750", 200, id="served to the network: an address"),
        pytest.param("0.0.0.0", "[2001:db8::7]:9750", 200, id="an address of IPv6"),
        pytest.param("0.0.0.0", "credit-monitor:9750", 200, id="a name without a dot"),
        pytest.param("0.0.0.0", "localhost:9750", 200, id="localhost"),
        pytest.param("0.0.0.0", socket.gethostname(), 200, id="this machine's own name"),
        pytest.param("0.0.0.0", "evil.example", 421, id="a name that may be anybody's"),
        pytest.param("monitor.lan", "Monitor.lan:9750", 200, id="the name that it is bound to"),
    ],
)
async def test_only_names_that_are_surely_ours_are_served(
    scene: Scene, bound_to: str, host: str, expected: int
) -> None:
    assert await status(scene, bound_to, host) == expected


async def test_a_configured_name_is_served(scene: Scene) -> None:
    app = create_app(scene.context, host="0.0.0.0", entry=Entry(hosts=("monitor.example",)))
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app)) as http:
        assert (await http.get("http://Monitor.example:9750/healthz")).status_code == 200
        assert (await http.get("http://evil.example/healthz")).status_code == 421


@pytest.mark.parametrize(
    ("origin", "expected"),
    [
        pytest.param("http://localhost:9750", 200, id="our own page"),
        pytest.param("https://evil.example", 403, id="another site"),
        pytest.param("http://localhost:8080", 403, id="another server of this machine"),
        pytest.param("null", 403, id="a page without an origin"),
    ],
)
async def test_requests_of_other_sites_are_refused(
    client: httpx.AsyncClient, origin: str, expected: int
) -> None:
    answer = await client.get("/api/v1/keys", headers={"Origin": origin})
    assert answer.status_code == expected
    check_headers(answer)


async def test_two_hosts_are_none(client: httpx.AsyncClient) -> None:
    answer = await client.get("/healthz", headers=[("Host", "localhost"), ("Host", "evil.example")])
    assert answer.status_code == 421


async def test_a_refused_host_is_told_what_to_do(scene: Scene) -> None:
    transport = httpx.ASGITransport(create_app(scene.context))
    async with httpx.AsyncClient(transport=transport, base_url="http://evil.example") as http:
        answer = await http.get("/")
    assert "web.listen" in answer.text
    check_headers(answer)


# -- probes ---------------------------------------------------------------------------------------


async def test_alive_is_alive(client: httpx.AsyncClient, scene: Scene) -> None:
    scene.problems.append("polls are 12 s behind their schedule")
    answer = await client.get("/healthz")
    assert (answer.status_code, answer.text) == (200, "ok\n")


async def test_ready_while_nothing_is_wrong(client: httpx.AsyncClient) -> None:
    answer = await client.get("/readyz")
    assert (answer.status_code, answer.json()) == (200, {"ready": True, "problems": []})


async def test_not_ready_while_polls_are_late(client: httpx.AsyncClient, scene: Scene) -> None:
    scene.problems.append("polls are 12 s behind their schedule")
    answer = await client.get("/readyz")
    assert answer.status_code == 503
    assert answer.json() == {"ready": False, "problems": ["polls are 12 s behind their schedule"]}


async def test_not_ready_while_the_store_does_not_answer(
    client: httpx.AsyncClient, scene: Scene
) -> None:
    scene.store.close()
    answer = await client.get("/readyz")
    assert answer.status_code == 503
    [problem] = answer.json()["problems"]
    assert problem.startswith("store ")
    assert problem.endswith("it is closed")
    scene.problems = [f"the store fails: {problem}"]
    answer = await client.get("/readyz")
    assert answer.json()["problems"] == scene.problems, "one trouble is told once"


async def test_metrics_come_in_the_format_that_was_asked_for(
    client: httpx.AsyncClient, full_scene: Scene
) -> None:
    text = await client.get("/metrics")
    assert text.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    names = {family.name for family in text_string_to_metric_families(text.text)}
    assert "credit_balance" in names
    accept = {"Accept": "application/openmetrics-text; version=1.0.0"}
    openmetrics = await client.get("/metrics", headers=accept)
    assert openmetrics.headers["content-type"].startswith("application/openmetrics-text")
    assert openmetrics.text.endswith("# EOF\n")
    assert openmetrics.headers["vary"] == "Accept"


async def test_metrics_do_not_need_the_store(client: httpx.AsyncClient, full_scene: Scene) -> None:
    full_scene.store.close()
    assert 'credit_balance{key="low"' in (await client.get("/metrics")).text
