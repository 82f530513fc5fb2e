"""What an error of the HTTP libraries means, where no socket of a test can bring it about."""

from __future__ import annotations

import errno

import aiohttp
import pytest

from monitor.core.model import Reason
from monitor.providers.http import transport_failure


@pytest.mark.parametrize("number", [errno.EMFILE, errno.ENFILE], ids=["process", "host"])
def test_a_lack_of_file_descriptors_is_named_and_not_blamed_on_the_connection(number: int) -> None:
    error = aiohttp.ClientOSError(number, "Too many open files")
    error.__cause__ = OSError(number, "Too many open files")
    failure = transport_failure(error)
    assert failure.reason is Reason.CONNECTION
    assert failure.detail == "this host is out of file descriptors (LimitNOFILE=)"
