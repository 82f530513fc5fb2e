"""The series about keys and alerts: one line per metric in :data:`KEY_FAMILIES`.

Text is written by hand, as prometheus_client builds objects per sample that cost ten times the CPU
of the text (``docs/decisions/0010-metrics-from-memory.md``).  Amounts go out with all their digits.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from functools import lru_cache
from math import isinf
from operator import attrgetter

from monitor.core.events import Alert
from monitor.core.ledger import LedgerState
from monitor.core.model import Kind, MeterReading, Reason
from monitor.core.projection import Projection
from monitor.metrics.formats import labels
from monitor.world import LiveKey, LiveMeter, WatchedKey, World

STATE_OK = "ok"
STATES = (STATE_OK, *Reason)
"""The values of the label ``state``: how the last poll of a key ended."""


@dataclass(frozen=True, slots=True)
class Columns:
    """Some keys as one scrape shows them: a column entry per key, then entries per meter.

    ``readings`` holds None where a reading is too old to be shown, ``manual`` what was entered by
    hand, which is in no other column.  Columns of what exists already
    give the garbage collector nothing to walk; an object per key and scrape made it stop the loop
    for 16 ms at 10,000 keys.
    """

    keys: list[LiveKey] = field(default_factory=list)
    key_labels: list[str] = field(default_factory=list)
    meter_keys: list[WatchedKey] = field(default_factory=list)
    meter_labels: list[str] = field(default_factory=list)
    readings: list[MeterReading | None] = field(default_factory=list)
    manual: list[LiveMeter | None] = field(default_factory=list)
    ledgers: list[LedgerState | None] = field(default_factory=list)
    projections: list[Projection | None] = field(default_factory=list)


_HOUR = 3600.0
_QUANTILES = ("0.1", "0.5", "0.9")

Lines = Callable[[str, Columns], Iterator[str]]


@dataclass(frozen=True, slots=True)
class Family:
    """One metric: ``name`` is without the ``_total`` of a counter, ``lines`` gives its samples."""

    name: str
    kind: str
    text: str
    lines: Lines

    @property
    def sample_name(self) -> str:
        """The name that stands in front of every sample."""
        return f"{self.name}_total" if self.kind == "counter" else self.name


def columns(world: World, keys: Iterable[LiveKey], now: datetime) -> Columns:
    """What every family needs to know of *keys*: labels, fresh readings, ledgers."""
    found = Columns()
    for live in keys:
        watched = live.watched
        own = labels(key=watched.name, provider=watched.provider, account=watched.account)
        found.keys.append(live)
        found.key_labels.append(own)
        for name, meter in live.meters.items():
            found.meter_keys.append(watched)
            found.meter_labels.append(f"{own},{_meter_labels(name, meter.reading.unit)}")
            is_read = meter.reading.kind is not Kind.MANUAL and live.is_fresh(meter, now)
            found.readings.append(meter.reading if is_read else None)
            found.manual.append(meter if meter.reading.kind is Kind.MANUAL else None)
            found.ledgers.append(world.ledger(watched, name))
            found.projections.append(world.projections.get((watched.balance_subject.id, name)))
    return found


@lru_cache(maxsize=1024)
def _meter_labels(meter: str, unit: str) -> str:
    """Most keys have the same few meters and units."""
    return labels(meter=meter, unit=unit)


def _of_reading(value: Callable[[MeterReading], Decimal | float | None]) -> Lines:
    """A gauge of each fresh reading that has *value*; "unlimited" is no number."""

    def lines(name: str, some: Columns) -> Iterator[str]:
        for own, reading in zip(some.meter_labels, some.readings, strict=True):
            if reading is not None and (number := value(reading)) is not None:
                yield f"{name}{{{own}}} {number}\n"

    return lines


def _of_ledger(value: Callable[[LedgerState], Decimal]) -> Lines:
    """A counter of each meter that has ever had a balance."""

    def lines(name: str, some: Columns) -> Iterator[str]:
        for own, ledger in zip(some.meter_labels, some.ledgers, strict=True):
            if ledger is not None:
                yield f"{name}{{{own}}} {value(ledger)}\n"

    return lines


def _by_hand(value: Callable[[LiveMeter], Decimal | float | None]) -> Lines:
    """A gauge of each balance that was entered by hand, however old."""

    def lines(name: str, some: Columns) -> Iterator[str]:
        for own, meter in zip(some.meter_labels, some.manual, strict=True):
            if meter is not None:
                yield f"{name}{{{own}}} {value(meter)}\n"

    return lines


def _burn(name: str, some: Columns) -> Iterator[str]:
    for own, reading, made in zip(some.meter_labels, some.readings, some.projections, strict=True):
        burn = made.forecast.burn_per_hour if made else None
        if reading is not None and burn is not None:
            yield f"{name}{{{own}}} {burn / _HOUR:.6g}\n"


def _runway(name: str, some: Columns) -> Iterator[str]:
    """As of the last reading: what passes until the next one is a few minutes of days."""
    for own, reading, made in zip(some.meter_labels, some.readings, some.projections, strict=True):
        if reading is None or reading.balance is None or made is None:
            continue
        runway = made.runway(float(reading.balance))
        if runway is None:
            continue
        for quantile, hours in zip(_QUANTILES, (runway.p10, runway.p50, runway.p90), strict=True):
            seconds = "+Inf" if isinf(hours) else f"{hours * _HOUR:.6g}"
            yield f'{name}{{{own},quantile="{quantile}"}} {seconds}\n'


def _thresholds(name: str, some: Columns) -> Iterator[str]:
    meters = zip(some.meter_labels, some.meter_keys, some.ledgers, strict=True)
    for own, watched, ledger in meters:
        rule = watched.rules.low_balance
        if rule is None or ledger is None:
            continue
        for severity, _, amount in rule.thresholds(ledger.reference):
            yield f'{name}{{{own},rule="{rule.name}",severity="{severity}"}} {amount}\n'


def _up(name: str, some: Columns) -> Iterator[str]:
    """Nothing for a key that was not polled yet: 0 would say that it failed."""
    for own, live in zip(some.key_labels, some.keys, strict=True):
        if live.state.last_poll_at is not None:
            yield f"{name}{{{own}}} {int(live.state.reason is None)}\n"


_STATE_LABELS = tuple(f',state="{state}"}} ' for state in STATES)


def _states(name: str, some: Columns) -> Iterator[str]:
    """One of them is 1; none is before the first poll."""
    for own, live in zip(some.key_labels, some.keys, strict=True):
        polled = live.state.last_poll_at is not None
        present = STATES.index(live.state.reason or STATE_OK) if polled else -1
        start = f"{name}{{{own}"
        for index, label in enumerate(_STATE_LABELS):
            yield f"{start}{label}{int(index == present)}\n"


def _last_successes(name: str, some: Columns) -> Iterator[str]:
    for own, live in zip(some.key_labels, some.keys, strict=True):
        if (at := live.state.last_success_at) is not None:
            yield f"{name}{{{own}}} {at.timestamp()}\n"


def _expiry(reading: MeterReading) -> float | None:
    return None if reading.expires_at is None else reading.expires_at.timestamp()


KEY_FAMILIES = (
    Family(
        "credit_balance",
        "gauge",
        "Credit left, in the meter's unit; absent while there is no fresh reading.",
        _of_reading(attrgetter("balance")),
    ),
    Family(
        "credit_limit",
        "gauge",
        "Credit that a full meter holds, where the provider tells.",
        _of_reading(attrgetter("limit")),
    ),
    Family(
        "credit_burn_per_second",
        "gauge",
        "Credit used per second over the last hour; absent while it is not known.",
        _burn,
    ),
    Family(
        "credit_runway_seconds",
        "gauge",
        "Time until the credit is used up, by quantile; absent without enough history.",
        _runway,
    ),
    Family(
        "credit_threshold",
        "gauge",
        "Balance below which a rule raises an alert of this severity.",
        _thresholds,
    ),
    Family(
        "credit_consumed",
        "counter",
        "Credit used since the meter was first read.",
        _of_ledger(attrgetter("consumed_total")),
    ),
    Family(
        "credit_topped_up",
        "counter",
        "Credit paid in since the meter was first read.",
        _of_ledger(attrgetter("topped_up_total")),
    ),
    Family(
        "credit_refunded",
        "counter",
        "Credit given back after a charge since the meter was first read.",
        _of_ledger(attrgetter("refunded_total")),
    ),
    Family(
        "credit_expiry_timestamp_seconds",
        "gauge",
        "When the credit expires, as Unix time, where the provider tells.",
        _of_reading(_expiry),
    ),
    Family(
        "credit_manual_balance",
        "gauge",
        "Balance that was entered into the configuration by hand, never read.",
        _by_hand(attrgetter("reading.balance")),
    ),
    Family(
        "credit_manual_balance_timestamp_seconds",
        "gauge",
        "When the balance entered by hand was there, as Unix time.",
        _by_hand(lambda meter: meter.at.timestamp()),
    ),
    Family(
        "credit_jobs_limit",
        "gauge",
        "Jobs that may run at once, where the provider tells.",
        _of_reading(attrgetter("jobs_limit")),
    ),
    Family(
        "credit_jobs_running",
        "gauge",
        "Jobs running now, where the provider tells.",
        _of_reading(attrgetter("jobs_running")),
    ),
    Family("credit_key_up", "gauge", "Whether the last poll of the key gave a reading.", _up),
    Family("credit_key_state", "gauge", "1 for how the last poll of the key ended.", _states),
    Family(
        "credit_last_success_timestamp_seconds",
        "gauge",
        "When the key last gave a reading, as Unix time.",
        _last_successes,
    ),
)

ALERT_FAMILY = ("credit_alert_firing", "gauge", "1 for each open alert.")


def alert_lines(alerts: Iterable[Alert]) -> Iterator[str]:
    """The samples of the open *alerts*; ``key`` is empty for an account's, or a provider's."""
    for alert in alerts:
        subject = alert.subject
        which = labels(
            key=subject.key,
            provider=subject.provider,
            account=subject.account,
            meter=alert.meter,
            rule=alert.rule,
            severity=alert.severity,
        )
        yield f"{ALERT_FAMILY[0]}{{{which}}} 1\n"
