"""The backtest's own parts: comparators as the original computes them, accounts that add up."""

import shutil
import subprocess
from pathlib import Path

import pytest

from benchmarks._comparators import DoubleExponential, linear_regression, predict_linear
from benchmarks._drive import run
from benchmarks._leaks import ALONE, APART, find_leaks
from benchmarks._prepaid import account
from benchmarks._scores import OURS, accuracy, alerting, burn_error, interval, leaks, top_ups_right
from benchmarks._series import KINDS, PER_DAY, Series, from_folder, generated

needs_promtool = pytest.mark.skipif(
    shutil.which("promtool") is None, reason="needs promtool (Debian package prometheus)"
)

BALANCES = [1000, 996, 991, 991, 985, 970, 968, 1968, 1950, 1949, 1931, 1930, 1902, 1890, 1871]
"""One every 5 minutes: a sawtooth with its top-up."""


@needs_promtool
@pytest.mark.parametrize("window", [15, 35, 75], ids=["falling", "with the top-up", "all"])
def test_predict_linear_is_what_prometheus_computes(window: int, tmp_path: Path) -> None:
    at = 300 * (len(BALANCES) - 1) + 60  # a minute after the last sample
    times = [300.0 * number for number in range(len(BALANCES))]
    seen = [(t, float(b)) for t, b in zip(times, BALANCES, strict=True) if t > at - window * 60]
    slope, intercept = linear_regression([t for t, _ in seen], [b for _, b in seen], at)
    wanted = slope * 86_400 + intercept
    test = tmp_path / "test.yaml"
    test.write_text(
        "evaluation_interval: 1m\n"
        "tests:\n"
        "  - interval: 5m\n"
        f"    input_series: [{{series: balance, values: '{' '.join(map(str, BALANCES))}'}}]\n"
        "    promql_expr_test:\n"
        f"      - expr: abs(predict_linear(balance[{window}m], 86400) - ({wanted!r})) < bool 1e-6\n"
        f"        eval_time: {at}s\n"
        "        exp_samples: [{labels: '{}', value: 1}]\n"
    )
    done = subprocess.run(
        ["promtool", "test", "rules", test], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_predict_linear_says_never_after_a_top_up() -> None:
    times = [300.0 * number for number in range(len(BALANCES))]
    assert predict_linear(times, list(map(float, BALANCES)), times[-1]) == float("inf")
    assert predict_linear(times[:7], list(map(float, BALANCES[:7])), times[6]) < 24


def test_double_exponential_smoothing_follows_a_trend() -> None:
    smooth = DoubleExponential()
    for hour in range(400):
        smooth.add(10 + 0.1 * hour)
    level = 10 + 0.1 * 400
    assert smooth.hours(100 * level) == pytest.approx(91.6, rel=0.02)


def _steady(days: int) -> Series:
    return Series("steady", 1_767_225_600, [2.0] * (days * PER_DAY))


@pytest.mark.parametrize("mode", ["hand", "automatic", "schedule"])
def test_an_account_loses_nothing(mode: str) -> None:
    steady = account(_steady(14), 3.0, mode)
    paid = steady.balances[-1] + sum(steady.net) - (steady.balances[0] + steady.net[0])
    assert paid == pytest.approx(1500 * len(steady.top_ups))
    assert steady.top_ups
    assert steady.hours_to_empty(288) == pytest.approx(steady.balances[288] / 24, rel=0.1)
    assert steady.hours_to_empty(len(steady.net) - 2) is None


def test_the_same_series_is_generated_every_time() -> None:
    once, again = generated(), generated()
    assert once == again
    assert {series.name.partition("-")[0] for series in once} == set(KINDS)
    assert any(series.is_held_out for series in once)


def test_traces_are_read_from_a_folder(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("unix,one,two\n600,1.5,0\n900,2,\n")
    assert from_folder(tmp_path) == [Series("one", 600, [1.5, 2]), Series("two", 600, [0, 0])]


def test_scores_of_a_steady_account_are_good() -> None:
    done = [run(account(_steady(10), 2.0, "hand"))]
    ours, linear = accuracy(done, OURS), accuracy(done, "predict_linear 6 h")
    assert ours.count > 0
    assert ours.median < 0.05
    assert ours.median < linear.median
    assert interval(done).cover > 0.7
    assert burn_error(done) == pytest.approx(0, abs=1e-6)
    assert top_ups_right(done) == 1
    alert = alerting(done, 24)
    assert alert.recall > 0.9
    assert alert.precision > 0.9


@pytest.mark.parametrize("apart", [APART, ALONE])
def test_leaks_of_a_steady_key_are_found_without_a_false_alarm(apart: int) -> None:
    made = find_leaks(_steady(10), 0, apart=apart)
    assert len(made.leaks) == (1 if apart == ALONE else 3)
    found = leaks([made])
    assert found.recall == 1
    assert found.minutes <= 20
    assert found.false_alarms == 0


def test_every_placement_of_leaks_is_another_and_always_the_same() -> None:
    series = _steady(12)
    first, again, second = (find_leaks(series, number).leaks for number in (0, 0, 1))
    assert first == again
    assert first != second
