"""When the network of this host is lost, and when it is only providers that are down."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from monitor.core.model import KeyState, Reason
from monitor.core.reachability import lost_since

NOW = datetime(2026, 11, 1, 12, tzinfo=UTC)


def ago(minutes: float) -> datetime:
    return NOW - timedelta(minutes=minutes)


def mute(
    since: float,
    *,
    reason: Reason = Reason.CONNECTION,
    failures: int = 4,
    success: float | None = None,
    polled: float = 1,
) -> KeyState:
    """A key that has failed for *since* minutes; it gave a reading just before, or at *success*."""
    return KeyState(
        key="k",
        last_poll_at=ago(polled),
        last_success_at=ago(since + 1 if success is None else success),
        failing_since=ago(since),
        failures=failures,
        reason=reason,
    )


def fine(minutes: float) -> KeyState:
    return KeyState(key="k", last_poll_at=ago(minutes), last_success_at=ago(minutes))


NEVER_READ = KeyState(
    key="k",
    last_poll_at=ago(1),
    failing_since=ago(20),
    failures=4,
    reason=Reason.TIMEOUT,
)


@pytest.mark.parametrize(
    ("sites", "expected"),
    [
        pytest.param([], None, id="nothing is watched"),
        pytest.param([[mute(20), mute(20)]], None, id="one provider says nothing of the network"),
        pytest.param([[mute(20)], [mute(18)]], 20, id="two of two at once"),
        pytest.param([[mute(20)], [mute(18)], [fine(15)]], None, id="a third one has answered"),
        pytest.param([[mute(20)], [mute(18)], [fine(300)]], 20, id="a third was not asked since"),
        pytest.param(
            [[mute(20)], [mute(18), fine(15)]], None, id="another key of a provider has answered"
        ),
        pytest.param(
            [[mute(20)], [mute(18, reason=Reason.SERVER_ERROR)]],
            None,
            id="an error of the provider is an answer",
        ),
        pytest.param(
            [[mute(20)], [mute(18, reason=Reason.UNAUTHORIZED)]], None, id="a refusal is an answer"
        ),
        pytest.param(
            [[mute(20, reason=Reason.TIMEOUT)], [mute(18, reason=Reason.TLS)]],
            20,
            id="time-outs and broken certificates are none",
        ),
        pytest.param(
            [[mute(20, failures=1)], [mute(18)]], None, id="one failed poll of a provider is normal"
        ),
        pytest.param(
            [[mute(90)], [mute(18)]], None, id="one was down before: the other is down by itself"
        ),
        pytest.param(
            [[mute(90)], [mute(18)], [mute(19)]], 19, id="one was down before, the rest at once"
        ),
        pytest.param(
            [[mute(20)], [mute(18, success=18.5)]],
            20,
            id="one provider was let through a minute longer",
        ),
        pytest.param(
            [[mute(20)], [mute(20, polled=700)]], None, id="a failure of the run before is old news"
        ),
        pytest.param([[NEVER_READ], [NEVER_READ]], 20, id="there never was a network"),
    ],
)
def test_the_network_is_lost_since(sites: list[list[KeyState]], expected: float | None) -> None:
    since = None if expected is None else ago(expected)
    assert lost_since(sites, watching_since=ago(600)) == since
