"""The rules about a key's health: refusals, silence, and whose silence it is."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from pydantic import ValidationError

from monitor.core.model import KeyState, Reason, Severity
from monitor.core.rules import KeyView, Rejected, Silent, State
from monitor.core.rules.silent import provider_is_down

NOW = datetime(2026, 11, 1, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


def ago(minutes: float | None) -> datetime | None:
    return None if minutes is None else NOW - minutes * MINUTE


def state(
    *,
    key: str = "studio",
    success: float | None = None,
    polled: float | None = None,
    failing: float | None = None,
    failures: int = 0,
    reason: Reason | None = None,
    refused: float | None = None,
) -> KeyState:
    """A key's health; times are minutes before now."""
    return KeyState(
        key=key,
        last_poll_at=ago(polled if polled is not None else success),
        last_success_at=ago(success),
        failing_since=ago(failing),
        failures=failures,
        reason=reason,
        detail="from the provider" if reason else "",
        refused_since=ago(refused),
    )


def view(key_state: KeyState, *, watching: float = 600, interval: float = 5) -> KeyView:
    """What a key rule sees; *watching* and *interval* in minutes."""
    return KeyView(
        state=key_state,
        now=NOW,
        watching_since=NOW - watching * MINUTE,
        interval_seconds=interval * 60,
        firing=None,
    )


TIMEOUT, REFUSED = Reason.TIMEOUT, Reason.UNAUTHORIZED
OK, BREACH, UNKNOWN = State.OK, State.BREACH, State.UNKNOWN


@pytest.mark.parametrize(
    ("key_state", "watching", "interval", "expected"),
    [
        pytest.param(state(success=2), 600, 5, OK, id="a reading just now"),
        pytest.param(
            state(success=20, polled=3, failing=14.9, failures=3, reason=TIMEOUT),
            600,
            5,
            UNKNOWN,
            id="failing for less than after says nothing yet",
        ),
        pytest.param(
            state(success=20, polled=3, failing=15, failures=4, reason=TIMEOUT),
            600,
            5,
            BREACH,
            id="failing for after is silence",
        ),
        pytest.param(
            state(polled=3, failing=15, failures=4, reason=TIMEOUT),
            600,
            5,
            BREACH,
            id="so it is for a key that never answered",
        ),
        pytest.param(
            state(success=80, polled=20, failing=20, failures=1, reason=TIMEOUT),
            600,
            60,
            UNKNOWN,
            id="a single failed poll of an hourly key is normal",
        ),
        pytest.param(
            state(success=125, polled=5, failing=65, failures=2, reason=TIMEOUT),
            600,
            60,
            BREACH,
            id="two in a row are not",
        ),
        pytest.param(
            state(success=59), 600, 60, OK, id="between the polls of a long interval all is well"
        ),
        pytest.param(
            state(success=24 * 60 - 1), 6000, 24 * 60, OK, id="also when it is a day long"
        ),
        pytest.param(
            state(success=16), 600, 5, BREACH, id="nobody polls any more: a poller that hangs"
        ),
        pytest.param(
            state(success=25, polled=16, failing=16, failures=1, reason=TIMEOUT),
            600,
            5,
            BREACH,
            id="it may hang after a failed poll too",
        ),
        pytest.param(
            state(success=20, polled=15, failing=15, failures=1, reason=Reason.RATE_LIMITED),
            600,
            1,
            BREACH,
            id="waiting as long as the provider asked is silence to a person",
        ),
        pytest.param(
            state(success=119), 600, 60, OK, id="a late poll of a long interval is no silence"
        ),
        pytest.param(
            state(success=120), 600, 60, BREACH, id="two missed ones of a long interval are"
        ),
        pytest.param(state(), 14, 5, UNKNOWN, id="never polled, just started"),
        pytest.param(state(), 15, 5, BREACH, id="never polled since the start, for after"),
        pytest.param(
            state(success=1000), 2, 5, UNKNOWN, id="after a night switched off nothing is known"
        ),
        pytest.param(
            state(success=1000), 15, 5, BREACH, id="unless no poll comes for after once more"
        ),
        pytest.param(
            state(success=1000, polled=990, failing=995, failures=2, reason=TIMEOUT),
            2,
            5,
            UNKNOWN,
            id="failures from before a restart are no news of the present",
        ),
        pytest.param(
            state(success=20, failing=15, reason=TIMEOUT),
            600,
            60,
            BREACH,
            id="left out for after, because others got no answer, is silence",
        ),
        pytest.param(
            state(success=30, failing=14.9, reason=TIMEOUT),
            600,
            60,
            UNKNOWN,
            id="left out for less says nothing yet",
        ),
        pytest.param(
            state(success=1000, failing=995, reason=TIMEOUT),
            2,
            5,
            UNKNOWN,
            id="left out before a restart is no news of the present",
        ),
        pytest.param(
            state(success=1000, polled=1, failing=995, failures=3, reason=TIMEOUT),
            2,
            5,
            BREACH,
            id="confirmed by a first failed poll they are",
        ),
        pytest.param(
            state(success=-2880), 1, 5, UNKNOWN, id="clock set back two days: nothing known yet"
        ),
        pytest.param(
            state(success=-2880), 15, 5, BREACH, id="set back, and no poll since: silence in time"
        ),
        pytest.param(
            state(success=0), -1, 5, OK, id="a reading now, with a clock behind its own start"
        ),
        pytest.param(
            state(success=60, polled=5, failing=60, failures=9, reason=REFUSED, refused=60),
            600,
            5,
            UNKNOWN,
            id="a refused key has its own alert",
        ),
        pytest.param(
            state(success=60, polled=5, failing=60, failures=9, reason=TIMEOUT, refused=60),
            600,
            5,
            UNKNOWN,
            id="also while its provider times out afterwards",
        ),
    ],
)
def test_silent(key_state: KeyState, watching: float, interval: float, expected: State) -> None:
    verdict = Silent().judge(view(key_state, watching=watching, interval=interval))
    assert verdict.state is expected
    assert verdict.severity is (Severity.WARNING if expected is BREACH else None)


def test_silent_waits_as_long_as_it_is_told() -> None:
    failing = state(success=20, polled=3, failing=16, failures=4, reason=TIMEOUT)
    assert Silent.model_validate({"after": "20m"}).judge(view(failing)).state is UNKNOWN
    assert Silent.model_validate({"after": "16m"}).judge(view(failing)).state is BREACH


def test_silent_tells_since_when_why_and_what_was_last_known() -> None:
    facts = (
        Silent()
        .judge(view(state(success=20, polled=3, failing=16, failures=4, reason=TIMEOUT)))
        .facts
    )
    assert facts.since == ago(16)
    assert facts.last_reading_at == ago(20)
    assert (facts.reason, facts.detail) == (TIMEOUT, "from the provider")


@pytest.mark.parametrize("after", ["0s", 900, "-5m", None])
def test_silent_refuses(after: object) -> None:
    with pytest.raises(ValidationError):
        Silent.model_validate({"after": after})


@pytest.mark.parametrize(
    ("key_state", "expected"),
    [
        pytest.param(state(), UNKNOWN, id="never polled"),
        pytest.param(state(success=1), OK, id="a reading"),
        pytest.param(
            state(success=10, polled=1, failing=1, failures=1, reason=REFUSED, refused=1),
            BREACH,
            id="a refusal, the first time",
        ),
        pytest.param(
            state(polled=1, failing=1, failures=1, reason=Reason.KEY_CAPPED, refused=1),
            BREACH,
            id="a capped key that never answered",
        ),
        pytest.param(
            state(success=10, polled=1, failing=1, failures=1, reason=TIMEOUT),
            UNKNOWN,
            id="a timeout says nothing about the key",
        ),
        pytest.param(
            state(success=10, polled=1, failing=9, failures=3, reason=TIMEOUT, refused=9),
            UNKNOWN,
            id="a timeout after a refusal neither raises nor ends",
        ),
    ],
)
def test_rejected(key_state: KeyState, expected: State) -> None:
    verdict = Rejected().judge(view(key_state))
    assert verdict.state is expected
    assert verdict.severity is (Severity.CRITICAL if expected is BREACH else None)


@pytest.mark.parametrize("reason", list(Reason), ids=str)
def test_rejected_is_told_exactly_where_a_person_is_needed(reason: Reason) -> None:
    refused = 1 if reason.needs_person else None
    failed = state(polled=1, failing=1, failures=1, reason=reason, refused=refused)
    assert (Rejected().judge(view(failed)).state is BREACH) is reason.needs_person


def failing(key: str, since: float, polled: float = 1, refused: float | None = None) -> KeyState:
    return state(
        key=key,
        success=since + 5,
        polled=polled,
        failing=since,
        failures=3,
        reason=REFUSED if refused else TIMEOUT,
        refused=refused,
    )


@pytest.mark.parametrize(
    ("states", "expected"),
    [
        pytest.param([], False, id="nobody"),
        pytest.param([failing("a", 15)], False, id="one key cannot tell its own from its provider"),
        pytest.param([failing("a", 15), failing("b", 14)], True, id="two of two fail"),
        pytest.param(
            [failing("a", 15), failing("b", 14), state(key="c", success=2)],
            False,
            id="one still answers",
        ),
        pytest.param(
            [failing("a", 15), failing("b", 14), state(key="c", success=30)],
            True,
            id="an answer from before the silence counts for nothing",
        ),
        pytest.param(
            [failing("a", 15), failing("b", 14), state(key="c")],
            True,
            id="a key never polled counts for nothing",
        ),
        pytest.param(
            [failing("a", 15), failing("b", 14, refused=14)],
            False,
            id="a refused key counts for nothing",
        ),
        pytest.param(
            [failing("a", 15), failing("b", 14, refused=14), failing("c", 9)],
            True,
            id="with a refused one left out, two of two fail",
        ),
        pytest.param(
            [failing("a", 15), failing("b", 600, polled=20)],
            False,
            id="a key that was not asked since counts for nothing",
        ),
    ],
)
def test_a_silence_is_the_providers(states: list[KeyState], *, expected: bool) -> None:
    assert provider_is_down(states, NOW - 15 * MINUTE) is expected
