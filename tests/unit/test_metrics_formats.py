"""Which exposition format a client gets, and how texts are spelled in it."""

from __future__ import annotations

import pytest

from monitor.metrics.formats import Format, choose_format, escape_label, heading, labels

PROMETHEUS_2 = (
    "application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,"
    "text/plain;version=0.0.4;q=0.5,*/*;q=0.1"
)
PROMETHEUS_3 = (
    "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,"
    "application/openmetrics-text;version=0.0.1;q=0.5,"
    "text/plain;version=1.0.0;escaping=allow-utf-8;q=0.4,text/plain;version=0.0.4;q=0.3,*/*;q=0.2"
)


@pytest.mark.parametrize(
    ("accept", "expected"),
    [
        pytest.param(PROMETHEUS_2, Format.OPENMETRICS, id="Prometheus 2 gets OpenMetrics"),
        pytest.param(PROMETHEUS_3, Format.OPENMETRICS, id="Prometheus 3 gets OpenMetrics"),
        pytest.param("", Format.TEXT, id="no header gets text"),
        pytest.param("*/*", Format.TEXT, id="curl gets text"),
        pytest.param("text/html,*/*;q=0.8", Format.TEXT, id="a browser gets text"),
        pytest.param("application/openmetrics-text", Format.OPENMETRICS, id="no version: 1.0"),
        pytest.param(
            "Application/OpenMetrics-Text; Version=1.0.0".replace("Version", "version"),
            Format.OPENMETRICS,
            id="media types know no case",
        ),
        pytest.param(
            "application/openmetrics-text;version=99.0", Format.TEXT, id="no version we lack"
        ),
        pytest.param(
            "application/openmetrics-text;q=0.2,text/plain;q=0.9",
            Format.TEXT,
            id="the preference decides",
        ),
        pytest.param("application/openmetrics-text;q=0", Format.TEXT, id="q=0 refuses"),
        pytest.param("application/openmetrics-text;q=x", Format.TEXT, id="a broken q is 0"),
        pytest.param(";;,,=;q", Format.TEXT, id="nonsense gets text"),
    ],
)
def test_the_format_follows_the_accept_header(accept: str, expected: Format) -> None:
    assert choose_format(accept) is expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        pytest.param("plain-name_1", "plain-name_1", id="plain text stays"),
        pytest.param('say "hi"', r"say \"hi\"", id="quotes"),
        pytest.param("a\\b", r"a\\b", id="backslashes"),
        pytest.param("a\nb", r"a\nb", id="line breaks"),
        pytest.param('\\n"\n', r"\\n\"\n", id="all of them, each once"),
    ],
)
def test_label_values_are_escaped(value: str, expected: str) -> None:
    assert escape_label(value) == expected


def test_labels_are_joined_and_escaped() -> None:
    assert labels(key="a", account='"') == r'key="a",account="\""'


def test_a_counter_is_named_by_its_samples_in_text_and_by_its_family_in_openmetrics() -> None:
    assert "# TYPE credit_consumed_total counter" in heading(
        "credit_consumed", "counter", "Used.", Format.TEXT
    )
    assert "# TYPE credit_consumed counter" in heading(
        "credit_consumed", "counter", "Used.", Format.OPENMETRICS
    )


def test_only_openmetrics_tells_the_unit() -> None:
    name = "credit_expiry_timestamp_seconds"
    assert f"# UNIT {name} seconds\n" in heading(name, "gauge", "When.", Format.OPENMETRICS)
    assert "UNIT" not in heading(name, "gauge", "When.", Format.TEXT)
