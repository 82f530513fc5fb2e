"""What holds for every balance: no flapping, and less is never better."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from monitor.core.alerts import Slot, step
from monitor.core.events import Alert, Change
from monitor.core.fields import Threshold
from monitor.core.ledger import LedgerState, advance, open_ledger
from monitor.core.model import MeterReading, Severity, Subject
from monitor.core.rules import Exhausted, LowBalance, MeterView, State, Verdict

NOW = datetime(2026, 11, 1, 12, tzinfo=UTC)

levels = st.decimals(min_value=1, max_value=10**9, places=3)
balances = st.decimals(min_value=-(10**6), max_value=10**9, places=3)
firings = st.sampled_from([None, Severity.WARNING, Severity.CRITICAL])
shares = st.integers(min_value=1, max_value=100).map(lambda p: Threshold(share=Decimal(p) / 100))
limits = st.one_of(st.none(), shares, balances.map(lambda amount: Threshold(amount=amount)))
margins = st.integers(min_value=0, max_value=50).map(lambda p: Decimal(p) / 100)


@st.composite
def low_balances(draw: st.DrawFn) -> LowBalance:
    one, other = draw(limits), draw(limits)
    kinds = [
        [t.amount for t in (one, other) if t and t.amount is not None],
        [t.share for t in (one, other) if t and t.share is not None],
    ]
    if any(len(kind) > 1 and kind[0] > kind[1] for kind in kinds):
        one, other = other, one
    return LowBalance(critical=one, warning=other, margin=draw(margins))


def view(balance: Decimal, ledger: LedgerState, firing: Severity | None) -> MeterView:
    return MeterView(
        reading=MeterReading(unit="credits", balance=balance),
        at=ledger.at,
        ledger=ledger,
        movement=None,
        firing=firing,
    )


def badness(verdict: Verdict) -> int:
    return -1 if verdict.severity is None else verdict.severity.rank


@given(low_balances(), balances, balances, levels, firings)
def test_a_lower_balance_is_never_judged_better(
    rule: LowBalance, one: Decimal, other: Decimal, level: Decimal, firing: Severity | None
) -> None:
    ledger = open_ledger(NOW, level, "credits")
    low, high = sorted((one, other))
    assert badness(rule.judge(view(low, ledger, firing))) >= badness(
        rule.judge(view(high, ledger, firing))
    )
    exhausted = Exhausted()
    assert badness(exhausted.judge(view(low, ledger, firing))) >= badness(
        exhausted.judge(view(high, ledger, firing))
    )


@given(low_balances(), balances, levels)
def test_what_already_fires_is_never_judged_better_than_what_is_new(
    rule: LowBalance, balance: Decimal, level: Decimal
) -> None:
    ledger = open_ledger(NOW, level, "credits")
    new, firing, worst = (
        badness(rule.judge(view(balance, ledger, f)))
        for f in (None, Severity.WARNING, Severity.CRITICAL)
    )
    assert new <= firing <= worst


@given(low_balances(), balances, levels, firings)
def test_judging_again_what_was_just_judged_says_the_same(
    rule: LowBalance, balance: Decimal, level: Decimal, firing: Severity | None
) -> None:
    ledger = open_ledger(NOW, level, "credits")
    verdict = rule.judge(view(balance, ledger, firing))
    again = rule.judge(view(balance, ledger, verdict.severity))
    assert again.severity is verdict.severity


@given(low_balances(), balances, levels)
def test_the_crossed_limit_is_told_with_every_breach(
    rule: LowBalance, balance: Decimal, level: Decimal
) -> None:
    verdict = rule.judge(view(balance, open_ledger(NOW, level, "credits"), None))
    if verdict.state is State.BREACH:
        threshold = verdict.facts.threshold
        assert threshold is not None
        assert balance < threshold or balance <= 0


def changes(rule: LowBalance | Exhausted, series: list[Decimal], first: Decimal) -> list[Change]:
    """What the alert machine does as *series* is entered and judged."""
    slot = Slot(subject=Subject("kie", "", "studio"), meter="balance", rule=rule.name)
    ledger = open_ledger(NOW, first, "credits")
    alert: Alert | None = None
    seen = []
    for number, balance in enumerate(series, start=1):
        ledger, _ = advance(ledger, NOW + number * timedelta(minutes=5), balance)
        verdict = rule.judge(view(balance, ledger, alert.severity if alert else None))
        transition = step(slot, alert, verdict, now=ledger.at, next_id=number)
        if transition is not None:
            seen.append(transition.change)
            alert = None if transition.alert.resolved_at else transition.alert
    return seen


noise = st.lists(st.integers(min_value=-99, max_value=99), max_size=60)


@given(levels, noise)
def test_noise_below_the_margin_around_a_limit_is_one_episode(
    level: Decimal, steps: list[int]
) -> None:
    """Within just under 10 % above an amount and anything below, it fires once and stays."""
    rule = LowBalance(warning=Threshold(amount=level), critical=None)
    series = [level + level * Decimal(step) / 1000 for step in steps]
    assert changes(rule, series, level * 2).count(Change.FIRED) <= 1
    assert Change.RESOLVED not in changes(rule, series, level * 2)


@given(levels, noise)
def test_noise_around_critical_escalates_once(level: Decimal, steps: list[int]) -> None:
    rule = LowBalance(warning=Threshold(amount=level * 3), critical=Threshold(amount=level))
    series = [level + level * Decimal(step) / 1000 for step in steps]
    seen = changes(rule, series, level * 4)
    assert seen.count(Change.FIRED) + seen.count(Change.ESCALATED) <= 2
    assert Change.EASED not in seen


@given(
    st.integers(min_value=1_000, max_value=10**9),
    st.lists(st.integers(min_value=-49, max_value=49), max_size=60),
)
def test_noise_around_a_share_is_one_episode_through_the_ledger(
    level: int, steps: list[int]
) -> None:
    """Half a percent of the level up and down around 20 %, entered as the pipeline does."""
    full = Decimal(level)
    rule = LowBalance(critical=None)
    series = [full / 5 + full * Decimal(step) / 10_000 for step in steps]
    seen = changes(rule, series, full)
    assert seen.count(Change.FIRED) <= 1
    assert Change.RESOLVED not in seen


@given(
    st.integers(min_value=1_000, max_value=10**9),
    st.lists(st.integers(min_value=-49, max_value=49), max_size=60),
)
def test_noise_around_nothing_is_one_exhaustion(level: int, steps: list[int]) -> None:
    full = Decimal(level)
    series = [full * Decimal(step) / 10_000 for step in steps]
    assert changes(Exhausted(), series, full).count(Change.FIRED) <= 1
