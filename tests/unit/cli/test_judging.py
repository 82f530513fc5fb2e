"""How ``check`` judges one poll."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from monitor.cli.check_command import nagios_line
from monitor.cli.exits import CheckExit
from monitor.cli.judging import NO_REFERENCE, Finding, Ledgers, has_shares, judge, worst
from monitor.core.ledger import LedgerState, open_ledger
from monitor.core.model import Failure, MeterReading, Reading, Reason
from monitor.core.rules import Rules
from monitor.world import WatchedKey

NOW = datetime(2026, 5, 1, 12, tzinfo=UTC)
AMOUNTS = Rules.model_validate({"low_balance": {"warning": 2000, "critical": 500}})


def watched(rules: Rules = AMOUNTS, account: str = "") -> WatchedKey:
    return WatchedKey(
        name="studio",
        provider="kie",
        account=account,
        interval=timedelta(minutes=5),
        rules=rules,
    )


def reading(*balances: str | None, meters: tuple[str, ...] = ("balance",)) -> Reading:
    return Reading(
        key="studio",
        at=NOW,
        meters=tuple(
            MeterReading(meter=meter, unit="credits", balance=None if b is None else Decimal(b))
            for meter, b in zip(meters, balances, strict=True)
        ),
    )


def known(balance: str) -> Ledgers:
    return {("key:studio", "balance"): ledger(balance)}


def ledger(balance: str) -> LedgerState:
    return open_ledger(NOW - timedelta(hours=1), Decimal(balance), "credits")


def verdict(poll: Reading | Failure, **given: Any) -> CheckExit:
    key = given.get("key", watched())
    return worst(judge(key, poll, given.get("ledgers", {}), given.get("require")))


@pytest.mark.parametrize(
    ("balance", "expected"),
    [
        pytest.param("2000", CheckExit.OK, id="at the warning limit is ok"),
        pytest.param("1999.99", CheckExit.WARNING, id="below the warning limit warns"),
        pytest.param("500", CheckExit.WARNING, id="at the critical limit still warns"),
        pytest.param("499.99", CheckExit.CRITICAL, id="below the critical limit is critical"),
        pytest.param("0", CheckExit.CRITICAL, id="nothing left is critical"),
        pytest.param("-3", CheckExit.CRITICAL, id="a debt is critical"),
        pytest.param(None, CheckExit.OK, id="no cap is ok"),
    ],
)
def test_a_balance_is_judged_by_the_configured_amounts(
    balance: str | None, expected: CheckExit
) -> None:
    assert verdict(reading(balance)) is expected


def test_a_key_that_works_at_a_provider_without_a_balance_is_ok() -> None:
    [finding] = judge(watched(), reading(meters=()), {}, None)

    assert (finding.verdict, finding.state, finding.balance) == (CheckExit.OK, "ok", None)
    assert finding.shown_balance == "unsupported"
    assert nagios_line([finding]) == "CREDIT OK - studio works"


def test_a_required_balance_that_the_provider_does_not_show_is_unknown() -> None:
    [finding] = judge(watched(), reading(meters=()), {}, Decimal(500))

    assert finding.verdict is CheckExit.UNKNOWN
    assert "shows none" in nagios_line([finding])


@pytest.mark.parametrize(
    ("reason", "expected"),
    [
        pytest.param(Reason.UNAUTHORIZED, CheckExit.CRITICAL, id="a refused key is critical"),
        pytest.param(Reason.OUT_OF_CREDITS, CheckExit.CRITICAL, id="no credit is critical"),
        pytest.param(Reason.TIMEOUT, CheckExit.UNKNOWN, id="a time-out is unknown"),
        pytest.param(Reason.SERVER_ERROR, CheckExit.UNKNOWN, id="a server error is unknown"),
        pytest.param(Reason.BAD_RESPONSE, CheckExit.UNKNOWN, id="an unreadable answer is unknown"),
    ],
)
def test_a_failure_is_critical_only_where_a_person_has_to_act(
    reason: Reason, expected: CheckExit
) -> None:
    assert verdict(Failure(key="studio", at=NOW, reason=reason)) is expected


def test_a_refused_key_is_unknown_when_its_rule_is_off() -> None:
    key = watched(Rules.model_validate({"rejected": None}))
    assert verdict(Failure(key="studio", at=NOW, reason=Reason.FORBIDDEN), key=key) is (
        CheckExit.UNKNOWN
    )


def test_a_share_refers_to_the_recorded_level() -> None:
    found = judge(watched(Rules()), reading("199"), known("1000"), None)[0]
    assert found.verdict is CheckExit.WARNING
    assert (found.warning, found.critical) == (Decimal(200), Decimal(50))
    assert found.because == "below 200 credits (20% of 1,000)"


def test_a_share_without_recorded_level_is_told_not_to_be_judged() -> None:
    found = judge(watched(Rules()), reading("1"), {}, None)[0]
    assert found.verdict is CheckExit.OK
    assert found.because == NO_REFERENCE
    assert (found.warning, found.critical) == (None, None)


def test_an_amount_is_judged_without_recorded_level_and_needs_no_remark() -> None:
    assert judge(watched(), reading("5000"), {}, None)[0].because == ""


def test_a_top_up_since_the_last_poll_moves_the_level_that_shares_refer_to() -> None:
    found = judge(watched(Rules()), reading("10000"), known("1000"), None)[0]
    assert found.warning == Decimal(2000)


def test_the_level_of_an_account_is_that_of_all_its_keys() -> None:
    ledgers = {("account:kie/main", "balance"): ledger("1000")}
    assert verdict(reading("100"), key=watched(Rules(), "main"), ledgers=ledgers) is (
        CheckExit.WARNING
    )


def test_nothing_left_goes_unnoticed_only_when_both_rules_are_off() -> None:
    only_exhausted = Rules.model_validate({"low_balance": None})
    neither = Rules.model_validate({"low_balance": None, "exhausted": None})
    assert verdict(reading("0"), key=watched(only_exhausted)) is CheckExit.CRITICAL
    assert verdict(reading("0"), key=watched(neither)) is CheckExit.OK


@pytest.mark.parametrize(
    ("balance", "expected"),
    [
        pytest.param("1000", CheckExit.OK, id="enough is ok although below the warning limit"),
        pytest.param("600", CheckExit.OK, id="exactly enough is ok"),
        pytest.param("599.9", CheckExit.CRITICAL, id="less is critical although above that limit"),
        pytest.param(None, CheckExit.OK, id="no cap is enough"),
    ],
)
def test_a_required_amount_takes_the_place_of_the_limits(
    balance: str | None, expected: CheckExit
) -> None:
    assert verdict(reading(balance), require=Decimal(600)) is expected


def test_a_required_amount_is_named_where_it_is_missing() -> None:
    found = judge(watched(), reading("10"), {}, Decimal(600))[0]
    assert found.because == "below the required 600 credits"
    assert (found.warning, found.critical) == (None, Decimal(600))


def test_every_meter_of_a_key_is_judged() -> None:
    found = judge(watched(), reading("9000", "1", meters=("USD", "CNY")), {}, None)
    assert [f.label for f in found] == ["studio_USD", "studio_CNY"]
    assert [f.verdict for f in found] == [CheckExit.OK, CheckExit.CRITICAL]


def finding(verdict: CheckExit, **more: Any) -> Finding:
    base = {"key": "a", "provider": "kie", "account": "", "meter": "balance", "state": "ok"}
    return Finding(**{**base, "verdict": verdict, **more})


@pytest.mark.parametrize(
    ("verdicts", "expected"),
    [
        pytest.param([0, 0], 0, id="all ok is ok"),
        pytest.param([0, 3], 3, id="a key that could not be read does not hide behind a good one"),
        pytest.param([3, 1], 1, id="a known warning outweighs unknown"),
        pytest.param([3, 2, 1], 2, id="critical outweighs all"),
        pytest.param([], 3, id="no key at all is unknown"),
    ],
)
def test_the_exit_code_is_the_worst_verdict(verdicts: list[int], expected: int) -> None:
    assert worst(finding(CheckExit(v)) for v in verdicts) == expected


def test_the_plugin_line_of_a_good_key_has_its_balance_and_limits() -> None:
    good = finding(
        CheckExit.OK,
        key="studio",
        balance=Decimal("2345.50"),
        unit="credits",
        warning=Decimal(2000),
        critical=Decimal(500),
    )
    line = nagios_line([good])
    assert line == "CREDIT OK - studio 2,345.5 credits | 'studio'=2345.50;2000:;500:;0"


def test_the_plugin_line_spells_out_what_is_wrong_and_counts_the_rest() -> None:
    low = finding(
        CheckExit.WARNING, key="low", balance=Decimal(9), unit="USD", because="below 10 USD"
    )
    good = finding(CheckExit.OK, key="good", balance=Decimal(99), unit="USD")
    assert nagios_line([good, low]) == (
        "CREDIT WARNING - low 9 USD (below 10 USD); 1 ok | 'good'=99;;;0 'low'=9;;;0"
    )


def test_the_plugin_line_begins_with_the_worst_for_it_may_be_cut_on_its_way() -> None:
    odd = finding(CheckExit.UNKNOWN, key="odd", state="timeout")
    low = finding(CheckExit.WARNING, key="low", balance=Decimal(9), because="below 10")
    empty = finding(CheckExit.CRITICAL, key="empty", balance=Decimal(0), because="nothing is left")
    line = nagios_line([odd, low, empty])
    assert line.index("empty") < line.index("low") < line.index("odd")


def test_the_plugin_line_of_a_failure_has_no_performance_data_and_no_bar() -> None:
    odd = finding(CheckExit.UNKNOWN, key="x", state="bad_response", detail="a | b\nc")
    line = nagios_line([odd])
    assert line.startswith("CREDIT UNKNOWN - x ")
    assert "|" not in line
    assert "\n" not in line


@pytest.mark.parametrize(
    ("limits", "expected"),
    [
        pytest.param({"warning": "20%", "critical": 500}, True, id="one share is enough"),
        pytest.param({"warning": 2000, "critical": 500}, False, id="amounts need no history"),
        pytest.param({"warning": 2000, "critical": None}, False, id="a missing limit needs none"),
        pytest.param(None, False, id="neither does a rule that is off"),
    ],
)
def test_only_shares_need_recorded_history(
    limits: dict[str, Any] | None,
    expected: bool,  # noqa: FBT001 - a table's column
) -> None:
    assert has_shares(Rules.model_validate({"low_balance": limits})) is expected
