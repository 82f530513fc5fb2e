"""What the event loop can tell nobody, and what of it is worth a line in the log."""

import asyncio
import socket
from collections.abc import Callable

import pytest

from monitor.service import LoopTroubles


def _logged_after(
    act: Callable[[asyncio.AbstractEventLoop], object], caplog: pytest.LogCaptureFixture
) -> str:
    async def run() -> None:
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(LoopTroubles())
        act(loop)
        await asyncio.sleep(0)

    asyncio.run(run())
    return caplog.text


def test_the_next_try_of_a_listener_that_was_closed_is_no_news(
    caplog: pytest.LogCaptureFixture,
) -> None:
    closed = socket.socket()
    closed.close()
    again = "_start_serving"  # what asyncio calls a second after it found no descriptor left
    text = _logged_after(
        lambda loop: loop.call_soon(getattr(loop, again), asyncio.Protocol, closed), caplog
    )
    assert text == ""


def test_any_other_failure_of_a_callback_is_told(caplog: pytest.LogCaptureFixture) -> None:
    assert "invalid literal" in _logged_after(lambda loop: loop.call_soon(int, "x"), caplog)
