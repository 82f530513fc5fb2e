"""Hashes of passwords, and what is none."""

from __future__ import annotations

import hashlib

import pytest

from monitor.config.passwords import PasswordHash


def test_a_hash_recognises_its_password_and_no_other() -> None:
    found = PasswordHash.parse(str(PasswordHash.of("correct horse")))
    assert found.matches("correct horse")
    assert not found.matches("correct horse ")
    assert not found.matches("")


def test_two_hashes_of_one_password_differ() -> None:
    assert str(PasswordHash.of("a")) != str(PasswordHash.of("a"))


def test_the_hash_is_scrypt() -> None:
    found = PasswordHash.of("pässword")
    expected = hashlib.scrypt("pässword".encode(), salt=found.salt, n=2**14, r=8, p=5, dklen=32)
    assert found.digest == expected


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("", id="nothing"),
        pytest.param("secret", id="the password itself"),
        pytest.param("$2b$12$" + "x" * 53, id="a hash of another kind"),
        pytest.param("scrypt:14:8:5:AAAA:" + "A" * 43 + "=", id="a short salt"),
        pytest.param("scrypt:14:8:5:" + "A" * 22 + "==:AAAA", id="a hash that was cut off"),
        pytest.param("scrypt:30:8:5:" + "A" * 22 + "==:" + "A" * 43 + "=", id="too costly"),
        pytest.param("scrypt:0:8:5:" + "A" * 22 + "==:" + "A" * 43 + "=", id="no cost at all"),
    ],
)
def test_what_is_no_hash_is_refused_without_being_repeated(text: str) -> None:
    with pytest.raises(ValueError, match="config hash-password") as caught:
        PasswordHash.parse(text)
    assert not text or text not in str(caught.value)
