"""What holds for every test with a real process."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from support.process import end_processes_of_this_loop


@pytest.fixture(autouse=True)
async def no_process_outlives_its_loop() -> AsyncIterator[None]:
    """Also where a test failed before its end."""
    yield
    await end_processes_of_this_loop()
