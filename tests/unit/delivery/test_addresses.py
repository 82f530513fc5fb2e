"""Addresses of the configuration, taken apart without showing what is secret in them."""

from __future__ import annotations

import base64

import pytest

from monitor.delivery.address import alertmanager_address, heartbeat_address


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("http://127.0.0.1:9093", "http://127.0.0.1:9093/api/v2/alerts"),
        ("http://[::1]:9093/", "http://[::1]:9093/api/v2/alerts"),
        ("https://example.com/alertmanager/", "https://example.com/alertmanager/api/v2/alerts"),
        ("https://u:p@example.com:8443", "https://example.com:8443/api/v2/alerts"),
    ],
)
def test_alerts_go_below_the_base_address(url: str, expected: str) -> None:
    assert alertmanager_address(url).url == expected


def test_user_and_password_become_a_header_and_are_never_shown() -> None:
    address = alertmanager_address("https://us%40er:pa%3Ass@am.example.com")
    credentials = base64.b64encode(b"us@er:pa:ss").decode()
    assert address.headers == {"Authorization": f"Basic {credentials}"}
    assert "pa" not in repr(address)
    assert credentials not in repr(address.post(b"[]"))


def test_a_ping_keeps_its_query() -> None:
    address = heartbeat_address("https://kuma.example.com/api/push/T0ken?status=up&msg=OK")
    assert address.url.endswith("/api/push/T0ken?status=up&msg=OK")
    assert address.get().method == "GET"
    assert "T0ken" not in repr(address)


@pytest.mark.parametrize(
    "url",
    [
        "ping.example.com",
        "ftp://ping.example.com",
        "https://:443/",
        "https://ping.example.com:port",
        "https://ping.example.com/a b",
        "https://ping.example.com/\u00e9",
        "https://ping.example.com/#part",
        "unresolved",
    ],
)
def test_what_cannot_be_asked_is_refused_without_repeating_it(url: str) -> None:
    with pytest.raises(ValueError, match=r"has a|is not") as caught:
        heartbeat_address(url)
    assert url not in str(caught.value)


@pytest.mark.parametrize(
    "url", ["http://am:9093/api/v2/alerts", "http://am:9093/api/v2/", "http://am:9093/?filter=x"]
)
def test_more_than_a_base_address_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match=r"base address|query"):
        alertmanager_address(url)
