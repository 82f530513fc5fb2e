"""A configuration with all that later versions have: an operator who has read of it is told so."""

from __future__ import annotations

from pathlib import Path

import pytest

from monitor.config import ConfigError, load

FILE = Path(__file__).parents[2] / "fixtures" / "config" / "later.yaml"


def test_what_later_versions_have_is_told_as_such_and_as_nothing_else() -> None:
    names = ("KIE_API_KEY", "RELAY_KEY", "SLACK_URL", "MAIL_URL", "HEARTBEAT_URL")
    environ = dict.fromkeys(names, "unused") | {"HEARTBEAT_URL": "https://example.com/ping"}
    with pytest.raises(ConfigError) as caught:
        load(FILE, environ, check_channel_url=lambda _: None)
    assert {each.message for each in caught.value.problems} == {"is not in this version yet"}
    assert [each.path for each in caught.value.problems] == [
        "keys.studio.rules.runway",
        "rules.runway",
        "rules.spike",
        "rules.expiring",
        "rules.overdue_top_up",
    ]
