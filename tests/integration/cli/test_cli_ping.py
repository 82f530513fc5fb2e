"""``status --ping``: does a daemon live here?"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest

KEY = {"name": "studio", "provider": "kie", "key": "sk-12345678"}


class Server(HTTPServer):
    """Answers every request with *status*."""

    status = 200
    asked: list[str]

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.asked = []
        self.port = self.server_address[1]


class Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        assert isinstance(self.server, Server)
        self.server.asked.append(self.path)
        self.send_response(self.server.status)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def server() -> Iterator[Server]:
    with Server() as serving:
        thread = threading.Thread(target=serving.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        yield serving
        serving.shutdown()
        thread.join()


def test_a_daemon_that_answers_lives(cli: Any, server: Server) -> None:
    cli.configure(keys=[KEY], web={"listen": f"0.0.0.0:{server.port}"})
    result = cli("status", "--ping")
    assert result.exit_code == 0, result.output
    assert "lives" in result.output
    assert server.asked == ["/healthz"]


def test_what_answers_otherwise_is_none(cli: Any, server: Server) -> None:
    server.status = 404
    cli.configure(keys=[KEY], web={"listen": f"127.0.0.1:{server.port}"})
    result = cli("status", "--ping")
    assert (result.exit_code, "HTTP 404" in result.stderr) == (1, True)


def test_where_nobody_answers_that_is_said(cli: Any) -> None:
    with Server() as gone:
        port = gone.port
    cli.configure(keys=[KEY], web={"listen": f"127.0.0.1:{port}"})
    result = cli("status", "--ping")
    assert result.exit_code == 1
    assert "Connection refused" in result.stderr


def test_without_a_listener_there_is_nobody_to_ask(cli: Any) -> None:
    cli.configure(keys=[KEY], web="off")
    result = cli("status", "--ping")
    assert result.exit_code == 1
    assert "web is off" in result.stderr
