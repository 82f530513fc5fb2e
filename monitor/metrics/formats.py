"""The two text formats of a scrape: which one a client asked for, and how they are spelled.

Text format 0.0.4: prometheus.io/docs/instrumenting/exposition_formats; OpenMetrics 1.0:
github.com/prometheus/OpenMetrics, specification/OpenMetrics.md.
"""

from __future__ import annotations

from enum import Enum

from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4
from prometheus_client.openmetrics.exposition import CONTENT_TYPE_LATEST


class Format(Enum):
    """A text format; the value is its content type."""

    TEXT = CONTENT_TYPE_PLAIN_0_0_4
    OPENMETRICS = CONTENT_TYPE_LATEST


def choose_format(accept: str) -> Format:
    """OpenMetrics 1.0 for a client whose ``Accept`` header prefers it, else the text format.

    prometheus_client's own ``choose_encoder`` ignores the preference (``q``) and answers in any
    version a client makes up.
    """
    openmetrics = _quality(accept, "application/openmetrics-text", "1.0.0")
    text = _quality(accept, "text/plain", "0.0.4")
    return Format.OPENMETRICS if openmetrics > 0 and openmetrics >= text else Format.TEXT


def _quality(accept: str, media_type: str, version: str) -> float:
    """The highest ``q`` with which *accept* names the type, in this version or in none."""
    best = 0.0
    for entry in accept.split(","):
        name, *rest = (part.strip() for part in entry.split(";"))
        parameters = dict(part.partition("=")[::2] for part in rest)
        if name.lower() == media_type and parameters.get("version", version) == version:
            best = max(best, _number(parameters.get("q", "1")))
    return best


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return 0.0


def escape_label(value: str) -> str:
    """*value* as it stands between the quotes of a label; both formats escape alike."""
    if "\\" in value or '"' in value or "\n" in value:
        return value.replace("\\", r"\\").replace("\n", r"\n").replace('"', r"\"")
    return value


def labels(**values: str) -> str:
    """``name="value"`` pairs, joined and escaped, without the braces."""
    return ",".join(f'{name}="{escape_label(value)}"' for name, value in values.items())


def heading(name: str, kind: str, text: str, output: Format) -> str:
    """The lines above a family's samples; *name* is without the ``_total`` of a counter.

    The text format names a counter's samples there, OpenMetrics the family.  OpenMetrics also tells
    the unit, which it wants to be the end of the name.
    """
    if output is Format.TEXT:
        shown = f"{name}_total" if kind == "counter" else name
        return f"# HELP {shown} {text}\n# TYPE {shown} {kind}\n"
    unit = f"# UNIT {name} seconds\n" if name.endswith("_seconds") else ""
    return f"# TYPE {name} {kind}\n{unit}# HELP {name} {text}\n"
