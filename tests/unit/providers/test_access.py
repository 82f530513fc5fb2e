"""What the access log shows of an endpoint."""

from __future__ import annotations

import pytest

from monitor.providers.access import endpoint


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        pytest.param(
            "https://api.kie.ai/api/v1/chat/credit",
            "api.kie.ai/api/v1/chat/credit",
            id="words and versions are shown",
        ),
        pytest.param(
            "https://user:password@h.example:8443/me?key=sk-1#x",
            "h.example:8443/me",
            id="user, password, query and fragment are not",
        ),
        pytest.param(
            "https://h.example/teams/8f3a11/token/sk-abc123DEF",
            "h.example/teams/*/token/*",
            id="a part with a digit may be an identity or a token",
        ),
        pytest.param(
            "https://h.example/" + "abcdefghij" * 3,
            "h.example/*",
            id="a long word may be a token",
        ),
        pytest.param("https://h.example", "h.example", id="no path"),
        pytest.param("https://[::1", "*", id="what is no address"),
        pytest.param("https://h.example/a%2Fb/", "h.example/*/", id="an escaped part is hidden"),
    ],
)
def test_only_what_cannot_be_a_secret_is_shown(url: str, shown: str) -> None:
    assert endpoint(url) == shown
