"""References become values; what goes wrong is told without any value."""

from __future__ import annotations

import pytest

from monitor.config.secrets import (
    complaint_about_key,
    complaint_about_url,
    credential_path,
    expand,
)

ENVIRON = {"KEY": "sk-1", "EMPTY": "", "NESTED": "${KEY}", "YAML": "a: [b, c]\n- d"}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("${KEY}", "sk-1", id="a variable"),
        pytest.param("a${KEY}b${KEY}c", "ask-1bsk-1c", id="twice in a text"),
        pytest.param("${NESTED}", "${KEY}", id="what a variable holds is not expanded again"),
        pytest.param("${YAML}", "a: [b, c]\n- d", id="what a variable holds is taken as it is"),
        pytest.param("$${KEY}", "${KEY}", id="a doubled dollar keeps the reference"),
        pytest.param("pa$$word$", "pa$$word$", id="other dollars stay"),
        pytest.param("$KEY", "$KEY", id="without braces it is no reference"),
    ],
)
def test_references_are_replaced(text: str, expected: str) -> None:
    assert expand(text, ENVIRON) == expected


@pytest.mark.parametrize(
    ("text", "message"),
    [
        pytest.param("${NOPE}", "variable NOPE is not set", id="a variable that is not set"),
        pytest.param("${EMPTY}", "variable EMPTY is empty", id="an empty variable"),
        pytest.param("${KEY:-x}", "only \\$\\{NAME\\} is replaced", id="a default"),
        pytest.param("${}", "only \\$\\{NAME\\} is replaced", id="nothing between the braces"),
        pytest.param("${A B}", "only \\$\\{NAME\\} is replaced", id="a blank in the name"),
    ],
)
def test_a_reference_that_cannot_be_replaced_says_why(text: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        expand(text, ENVIRON)


@pytest.mark.parametrize(
    ("value", "word"),
    [
        pytest.param("Bearer sk-secret", "blank", id="an inner blank"),
        pytest.param("sk-secret ", "blank", id="a blank at the end"),
        pytest.param("sk-\nsecret", "line break", id="a line break"),
        pytest.param("sk-secret\t", "control", id="a tab"),
        pytest.param("sk-\x00secret", "control", id="a zero byte"),
        pytest.param("sk-secrét", "ASCII", id="an accent"),
        pytest.param("sk-secret\u200b", "ASCII", id="an invisible character"),
    ],
)
def test_what_cannot_be_a_key_is_told_without_showing_it(value: str, word: str) -> None:
    complaint = complaint_about_key(value)
    assert complaint is not None
    assert word in complaint
    assert "secr" not in complaint


def test_a_usual_key_is_no_reason_to_complain() -> None:
    assert complaint_about_key("sk-or-v1-0123456789abcdef_-.~+/=") is None


def test_a_channel_url_may_hold_anything_but_control_characters() -> None:
    assert complaint_about_url("mailtos://jörg:pa ss@example.com") is None
    assert complaint_about_url("slack://a\nslack://b") is not None


@pytest.mark.parametrize("name", ["../key", "a/b", "", ".hidden", "a b"])
def test_a_credential_is_a_name_and_no_path(name: str) -> None:
    with pytest.raises(ValueError, match="letters, digits"):
        credential_path(name, {"CREDENTIALS_DIRECTORY": "/run/credentials/x"})


def test_a_credential_lies_where_systemd_put_it() -> None:
    path = credential_path("studio", {"CREDENTIALS_DIRECTORY": "/run/credentials/x"})
    assert str(path) == "/run/credentials/x/studio"
