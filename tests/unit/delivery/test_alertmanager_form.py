"""An alert in the form that Alertmanager takes."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from monitor.core.events import Alert, Facts
from monitor.core.model import HOST, Reason, Severity, Subject
from monitor.core.rules import Rules
from monitor.delivery.alertmanager import alert_name, firing, labels_of, over, words

NOW = datetime(2026, 11, 1, 12, tzinfo=UTC)
ALERT = Alert(
    id=1,
    subject=Subject("kie", "studio-main", "studio"),
    meter="balance",
    rule="low_balance",
    severity=Severity.CRITICAL,
    worst=Severity.CRITICAL,
    opened_at=NOW - timedelta(hours=2),
    changed_at=NOW - timedelta(hours=1),
    facts=Facts(
        balance=Decimal(412),
        unit="credits",
        threshold=Decimal(500),
        top_up_url="https://kie.ai/billing",
    ),
)


def test_every_rule_has_a_name_that_prometheus_would_give() -> None:
    names = {alert_name(rule) for rule in Rules.model_fields}
    assert {"CreditLowBalance", "CreditExhausted", "CreditRejected", "CreditSilent"} <= names
    assert all(name.isalpha() for name in names)


@pytest.mark.parametrize(
    ("subject", "meter", "present", "absent"),
    [
        pytest.param(
            Subject("kie", "main", "studio"),
            "balance",
            {"key": "studio", "account": "main", "provider": "kie", "meter": "balance"},
            set(),
            id="of a key with an account all labels are there",
        ),
        pytest.param(
            Subject("kie", "main"),
            "balance",
            {"account": "main"},
            {"key"},
            id="an alert of an account has no key",
        ),
        pytest.param(
            Subject("kie"),
            "",
            {"provider": "kie"},
            {"key", "account", "meter"},
            id="of a provider's outage only the provider is there",
        ),
        pytest.param(
            HOST,
            "",
            {"alertname": "CreditLowBalance"},
            {"key", "account", "meter", "provider"},
            id="of the loss of the network none is there",
        ),
    ],
)
def test_labels(subject: Subject, meter: str, present: dict[str, str], absent: set[str]) -> None:
    labels = dict(labels_of(replace(ALERT, subject=subject, meter=meter)))
    assert present.items() <= labels.items()
    assert not absent & labels.keys()
    assert labels["severity"] == "critical"
    assert labels["job"] == "credit-monitor"


def test_the_texts_are_those_of_a_message_about_it_alone() -> None:
    summary, description = words(ALERT, NOW)
    assert summary == "CRITICAL: studio has 412 credits left"
    assert "Top up before it runs out." in description
    assert "https://kie.ai/billing" in description
    assert "Since: 2026-11-01 10:00 UTC, 2 h ago" in description


def test_a_provider_cannot_put_more_than_text_into_the_description() -> None:
    facts = Facts(reason=Reason.UNAUTHORIZED, detail="no\x00 way\n\n{{ template }}" + "x" * 9000)
    _, description = words(replace(ALERT, rule="rejected", facts=facts), NOW)
    assert "\x00" not in description
    assert len(description) < 4000


def test_it_ends_by_itself_unless_it_is_posted_again() -> None:
    posted = firing(ALERT, now=NOW, lasts=timedelta(minutes=4), texts=("a", "b"))
    assert posted["startsAt"] == "2026-11-01T10:00:00+00:00"
    assert posted["endsAt"] == "2026-11-01T12:04:00+00:00"
    assert "generatorURL" not in posted


@pytest.mark.parametrize(
    ("subject", "page"),
    [
        (Subject("kie", "", "studio"), "http://10.0.0.5:9750/keys/studio"),
        (Subject("kie", "main"), "http://10.0.0.5:9750/alerts"),
    ],
)
def test_the_source_leads_to_the_page_about_it(subject: Subject, page: str) -> None:
    posted = firing(
        replace(ALERT, subject=subject),
        now=NOW,
        lasts=timedelta(minutes=4),
        texts=("a", "b"),
        page="http://10.0.0.5:9750",
    )
    assert posted["generatorURL"] == page


def test_an_end_keeps_everything_else_and_never_comes_before_the_beginning() -> None:
    posted = firing(ALERT, now=NOW, lasts=timedelta(minutes=4), texts=("a", "b"))
    assert over(posted, NOW) == posted | {"endsAt": "2026-11-01T12:00:00+00:00"}
    assert over(posted, NOW - timedelta(days=1))["endsAt"] == posted["startsAt"]
