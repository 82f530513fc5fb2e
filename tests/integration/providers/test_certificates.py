"""Files of certificates to trust: what is wrong with one is told before anything is polled."""

from __future__ import annotations

import ssl
from pathlib import Path

import pytest
import trustme

from monitor.providers.certificates import CertificatesError, trusting
from monitor.providers.http import HttpClient

BEGIN, END = b"-----BEGIN CERTIFICATE-----\n", b"-----END CERTIFICATE-----\n"
NO_CERTIFICATE = "the file holds no certificate in PEM form"


def key_only(authority: trustme.CA) -> bytes:
    return authority.private_key_pem.bytes()


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(b"", id="an empty file"),
        pytest.param(b"<html>not found</html>", id="a page of the web"),
        pytest.param(b"\x30\x82\x01\x0a\xff\x00", id="a certificate in binary form"),
        pytest.param(BEGIN + b"AAAA\n" + END, id="a frame around nonsense"),
        pytest.param(BEGIN, id="a file that was cut off"),
    ],
)
def test_what_holds_no_certificate_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "ca.pem").write_bytes(content)
    with pytest.raises(CertificatesError, match=NO_CERTIFICATE):
        trusting(str(tmp_path / "ca.pem"))


def test_a_private_key_alone_is_no_certificate(tmp_path: Path) -> None:
    (tmp_path / "ca.pem").write_bytes(key_only(trustme.CA()))
    with pytest.raises(CertificatesError, match=NO_CERTIFICATE):
        trusting(str(tmp_path / "ca.pem"))


@pytest.mark.parametrize(
    ("place", "reason"),
    [
        pytest.param("nowhere.pem", "No such file or directory", id="a file that is missing"),
        pytest.param(".", "Is a directory", id="a directory"),
        pytest.param("ca\0.pem", "no file has such a name", id="a name that no file can have"),
        pytest.param("n" * 300, "File name too long", id="a name that is too long"),
    ],
)
def test_what_cannot_be_read_is_told_without_its_path(
    tmp_path: Path, place: str, reason: str
) -> None:
    with pytest.raises(CertificatesError, match=f"the file cannot be read: {reason}") as caught:
        trusting(f"{tmp_path}/{place}")
    assert str(tmp_path) not in str(caught.value)
    assert caught.value.__cause__ is None


@pytest.mark.parametrize(
    ("argument", "variable", "name"),
    [
        pytest.param("nowhere.pem", "", "http.ca_file", id="of the configuration"),
        pytest.param(None, "nowhere.pem", "SSL_CERT_FILE", id="of the environment"),
    ],
)
def test_the_client_names_where_the_file_came_from(
    argument: str | None, variable: str, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", variable)
    with pytest.raises(CertificatesError, match=f"^{name}: the file cannot be read: No such file"):
        HttpClient(ca_file=argument)


def test_a_good_file_is_all_that_is_trusted(tmp_path: Path) -> None:
    trustme.CA().cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    context = trusting(str(tmp_path / "ca.pem"))
    assert context.cert_store_stats()["x509_ca"] == 1
    assert context.verify_mode is ssl.CERT_REQUIRED
    assert context.check_hostname
