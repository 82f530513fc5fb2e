"""Forecasts against what came true: runway, alerts, burn, top-ups and leaks, beside predict_linear.

On generated series of every kind, or with ``--traces DIR`` on the CSV files of a folder: the first
column Unix seconds at the start of a step of 5 minutes, every other column the consumption of a
key.  A third of the keys, chosen by a hash of their names, is held out: nobody looks at it while
developing.  What the numbers mean: docs/forecasting.md.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from benchmarks._drive import Run, run
from benchmarks._leaks import ALONE, FACTORS, PLACEMENTS, Found, find_leaks
from benchmarks._prepaid import accounts
from benchmarks._scores import (
    Alerting,
    accuracy,
    alerting,
    alerting_linear,
    burn_error,
    interval,
    leaks,
    methods,
    top_ups_right,
)
from benchmarks._series import Series, from_folder, generated

KINDS = ("steady", "mixed", "sparse")


def main(argv: Sequence[str]) -> None:
    """Run both parts, or one, and print their tables."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks backtest --", description=__doc__)
    parser.add_argument("--traces", type=Path, metavar="DIR", help="a folder of CSV files")
    parser.add_argument(
        "--part", choices=("development", "held-out", "both"), default="both", help="of the keys"
    )
    parser.add_argument("--only", default="", metavar="TEXT", help="keys whose name begins so")
    options = parser.parse_args(argv)
    found = from_folder(options.traces) if options.traces else generated()
    found = [series for series in found if series.name.startswith(options.only)]
    for part in ("development", "held-out"):
        if options.part in (part, "both"):
            chosen = [series for series in found if series.is_held_out == (part == "held-out")]
            if chosen:
                report(part, chosen)


def report(part: str, found: Sequence[Series]) -> None:
    """Everything about the keys of one part."""
    runs: list[Run] = []
    leaked: list[Found] = []
    alone: list[Found] = []
    for number, series in enumerate(found, 1):
        _progress(f"{part}: {number} of {len(found)}")
        runs.extend(run(account) for account in accounts(series))
        leaked.extend(find_leaks(series, number) for number in range(PLACEMENTS))
        alone.append(find_leaks(series, 0, apart=ALONE))
    _progress("")
    cuts = accuracy(runs, "credit-monitor").count
    print(f"\n### {part}: {len(found)} keys, {len(runs)} accounts, {cuts} cuts\n")
    _print_accuracy(runs)
    _print_kinds(runs, leaked)
    _print_alone(alone)
    _print_alerts(runs)
    print(f"burn of the last hour, median error: {burn_error(runs):.2%}")
    print(f"accounts with every top-up counted: {top_ups_right(runs):.1%}")


def _print_accuracy(runs: Sequence[Run]) -> None:
    linear = accuracy(runs, "predict_linear 6 h")
    weekly = accuracy(runs, "mean burn 7 d")
    _print_head(
        "time to empty by",
        *("median error", "x predict_linear 6 h", "x mean 7 d", "p90"),
        *("within x1.5", "6 h after top-up"),
    )
    for method in methods(runs):
        score = accuracy(runs, method)
        print(
            f"| {method} | {score.median:.3f} | {score.median / linear.median:.2f}"
            f" | {score.median / weekly.median:.2f} | {score.p90:.2f} | {score.within:.2f}"
            f" | {score.after_top_up:.2f} |"
        )


def _print_kinds(runs: Sequence[Run], leaked: Sequence[Found]) -> None:
    print()
    _print_head(
        "kind",
        *("keys", "median error", "p90", "p10..p90 holds", "p90 / p10"),
        *("leaks found", *(f"x{factor}" for factor in FACTORS), "after", "false alarms a week"),
    )
    kinds = {series.name: series.kind for series in (found.series for found in leaked)}
    families = sorted({_family(name) for name in kinds})
    for label in ("all", *KINDS, *(families if len(families) > 1 else ())):
        mine = [r for r in runs if _belongs(r.account.series, label, kinds)]
        keys = [f for f in leaked if _belongs(f.series, label, kinds)]
        if not mine:
            continue
        score, held, spotted = accuracy(mine, "credit-monitor"), interval(mine), leaks(keys)
        by_factor = " | ".join(f"{share:.2f}" for share in spotted.by_factor.values())
        print(
            f"| {label} | {len(keys) // PLACEMENTS} | {score.median:.3f} | {score.p90:.2f}"
            f" | {held.cover:.2f} | {held.width:.1f} | {spotted.recall:.2f} | {by_factor}"
            f" | {spotted.minutes:.0f} min | {spotted.false_alarms:.2f} |"
        )


def _print_alone(leaked: Sequence[Found]) -> None:
    print()
    _print_head("keys with one leak", "keys", "found", "after", "false alarms a week")
    for label in ("all", *KINDS):
        keys = [f for f in leaked if label in ("all", f.series.kind)]
        if keys:
            spotted = leaks(keys)
            print(
                f"| {label} | {len(keys)} | {spotted.recall:.2f} | {spotted.minutes:.0f} min"
                f" | {spotted.false_alarms:.2f} |"
            )


def _print_head(*names: str) -> None:
    print("| " + " | ".join(names) + " |")
    print("|---|" + "---:|" * (len(names) - 1))


def _family(name: str) -> str:
    """``daily-*`` of ``daily-3``: keys of one source have names that begin alike."""
    return name.partition("-")[0] + "-*"


def _belongs(series: Series, label: str, kinds: dict[str, str]) -> bool:
    return label in ("all", kinds[series.name], _family(series.name))


def _print_alerts(runs: Sequence[Run]) -> None:
    print()
    _print_head("rule runway", "recall", "precision", "F1", "raised, x perfect", "run-outs missed")
    for hours in (24, 72):
        _print_alert(f"within {hours} h", alerting(runs, hours))
        _print_alert(f"within {hours} h, predict_linear 6 h", alerting_linear(runs, hours))
    print()


def _print_alert(label: str, score: Alerting) -> None:
    print(
        f"| {label} | {score.recall:.2f} | {score.precision:.2f} | {score.f1:.2f}"
        f" | {score.flaps:.2f} | {score.missed:.1%} |"
    )


def _progress(text: str) -> None:
    if sys.stderr.isatty():
        print(f"\r\x1b[K{text}", end="", file=sys.stderr, flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
