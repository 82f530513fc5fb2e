"""Passwords and TLS of the page, over real sockets."""

from __future__ import annotations

import asyncio
import base64
import ssl
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
import trustme
from support.scene import Scene

from monitor.config.passwords import PasswordHash
from monitor.providers.certificates import CertificatesError
from monitor.web import Certificate, Entry, WebServer, create_app
from monitor.web.entry import Users

HASH = str(PasswordHash.of("correct horse"))
ANNA = httpx.BasicAuth("anna", "correct horse")


# -- passwords ------------------------------------------------------------------------------------


@pytest.fixture
async def guarded(full_scene: Scene) -> AsyncIterator[httpx.AsyncClient]:
    """A client of a page that asks for a password, by a name that could be anybody's."""
    app = create_app(full_scene.context, host="0.0.0.0", entry=Entry(users={"anna": HASH}))
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://monitor.example") as http:
        yield http


@pytest.mark.parametrize("path", ["/", "/metrics", "/api/v1/keys", "/static/style.css", "/nowhere"])
async def test_without_a_password_nothing_is_shown(guarded: httpx.AsyncClient, path: str) -> None:
    answer = await guarded.get(path)
    assert answer.status_code == 401
    assert answer.headers["WWW-Authenticate"].startswith("Basic realm=")
    assert "Content-Security-Policy" in answer.headers
    assert "calm" not in answer.text


@pytest.mark.parametrize("path", ["/", "/metrics", "/api/v1/keys"])
async def test_with_the_password_everything_is(guarded: httpx.AsyncClient, path: str) -> None:
    answer = await guarded.get(path, auth=ANNA)
    assert answer.status_code == 200
    assert "calm" in answer.text or path == "/metrics"


@pytest.mark.parametrize("path", ["/healthz", "/readyz"])
async def test_probes_need_no_password(guarded: httpx.AsyncClient, path: str) -> None:
    assert (await guarded.get(path)).status_code == 200


@pytest.mark.parametrize(
    "authorization",
    [
        pytest.param("Basic", id="no credentials"),
        pytest.param("Basic !!!", id="no base64"),
        pytest.param(f"Basic {base64.b64encode(b'anna').decode()}", id="no colon"),
        pytest.param(f"Basic {base64.b64encode(b'anna:wrong').decode()}", id="a wrong password"),
        pytest.param(f"Basic {base64.b64encode(b'eve:correct horse').decode()}", id="a wrong name"),
        pytest.param(f"Basic {base64.b64encode(b':').decode()}", id="neither"),
        pytest.param(f"Basic {base64.b64encode(bytes([255, 58])).decode()}", id="no text"),
        pytest.param("Bearer correct horse", id="another scheme"),
    ],
)
async def test_what_is_no_user_is_refused(guarded: httpx.AsyncClient, authorization: str) -> None:
    answer = await guarded.get("/metrics", headers={"Authorization": authorization})
    assert answer.status_code == 401


async def test_a_password_that_was_right_is_not_hashed_again() -> None:
    users = Users({"anna": HASH})
    header = f"Basic {base64.b64encode(b'anna:correct horse').decode()}"
    assert await users.admit(header)
    users._hashes.clear()
    assert await users.admit(header)


async def test_guessing_does_not_queue_up_work() -> None:
    users = Users({"anna": HASH})
    guesses = [base64.b64encode(f"anna:{n}".encode()).decode() for n in range(40)]
    found = await asyncio.gather(
        *(users.admit(f"Basic {guess}") for guess in guesses), return_exceptions=True
    )
    assert sum(isinstance(each, TimeoutError) for each in found) == 32
    assert not any(each is True for each in found)


# -- TLS ------------------------------------------------------------------------------------------


class Authority:
    """Issues certificates for 127.0.0.1 into two files."""

    def __init__(self, home: Path) -> None:
        self.authority = trustme.CA()
        self.certificate, self.key = home / "web.pem", home / "web.key"
        self.issue()

    def issue(self) -> None:
        made = self.authority.issue_cert("127.0.0.1")
        made.private_key_pem.write_to_path(self.key)
        for number, blob in enumerate(made.cert_chain_pems):
            blob.write_to_path(self.certificate, append=number > 0)

    def trusting(self) -> ssl.SSLContext:
        context = ssl.create_default_context()
        self.authority.configure_trust(context)
        return context

    async def serial(self, port: int) -> object:
        """The serial number of the certificate that is shown on *port*."""
        reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=self.trusting())
        shown = writer.get_extra_info("peercert")["serialNumber"]
        writer.close()
        await writer.wait_closed()
        del reader
        return shown


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


async def test_the_page_is_served_over_tls(full_scene: Scene, authority: Authority) -> None:
    certificate = Certificate(str(authority.certificate), str(authority.key))
    server = WebServer(full_scene.context, "127.0.0.1", 0, Entry(certificate=certificate))
    await server.start()
    try:
        assert server.url == f"https://127.0.0.1:{server.port}/"
        async with httpx.AsyncClient(verify=authority.trusting()) as client:
            assert "credit-monitor" in (await client.get(server.url)).text
        async with httpx.AsyncClient() as client:
            with pytest.raises(httpx.TransportError):
                await client.get(server.url.replace("https", "http"))
    finally:
        await server.stop()


async def test_a_renewed_certificate_is_taken_up_and_a_broken_one_is_not(
    full_scene: Scene, authority: Authority
) -> None:
    certificate = Certificate(str(authority.certificate), str(authority.key))
    server = WebServer(full_scene.context, "127.0.0.1", 0, Entry(certificate=certificate))
    await server.start()
    try:
        first = await authority.serial(server.port)
        certificate.renew()
        assert await authority.serial(server.port) == first
        authority.issue()
        certificate.renew()
        second = await authority.serial(server.port)
        assert second != first
        authority.key.write_text("half a file")
        certificate.renew()
        assert await authority.serial(server.port) == second
        authority.issue()
        certificate.renew()
        assert await authority.serial(server.port) not in (first, second)
    finally:
        await server.stop()


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        pytest.param("missing", "cannot be read: No such file", id="a missing key"),
        pytest.param("text", "PEM form", id="a key that is none"),
        pytest.param("other", "not that of the certificate", id="the key of another"),
    ],
)
def test_files_that_cannot_be_used_are_named(authority: Authority, spoil: str, says: str) -> None:
    if spoil == "missing":
        authority.key.unlink()
    elif spoil == "text":
        authority.key.write_text("no key")
    else:
        authority.authority.issue_cert("127.0.0.1").private_key_pem.write_to_path(authority.key)
    with pytest.raises(CertificatesError, match=says):
        Certificate(str(authority.certificate), str(authority.key))
