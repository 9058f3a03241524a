"""Outcome: its JSON is read back as it was, its keys are as all our reports have them."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from runyard.errors import ContractError
from runyard.workload.outcome import Audit, Capacity, describe_outcome, parse_outcome
from tests.unit.runyard.workload.made import outcome

AUDIT = Audit("shop/web", 400, 399, 1, 401, 401, 2, 0.41, 3, ("1 answered request not in the gateway's log",))


def test_outcome_is_read_back_as_it_was_described() -> None:
    made = outcome(failing=7, audits=(AUDIT,), capacities=(Capacity("shop/web", ((0.1, 0), (1.5, 3)), 3, 1.5),))
    assert parse_outcome(json.dumps(describe_outcome(made))) == made


def test_keys_have_whole_units_and_no_underscores() -> None:
    described = describe_outcome(outcome(audits=(AUDIT,)))
    assert {"beganUnixSeconds", "warmUpSeconds", "fromSend", "verdict", "version"} <= described.keys()
    assert {"p50Milliseconds", "p999Milliseconds", "meanMilliseconds", "count"} <= described["intended"].keys()
    assert described["audits"][0]["heldSeconds"] == 0.41
    assert "_" not in "".join(key for each in (described, *described["stretches"]) for key in each)


def test_verdict_is_told_and_read_anew() -> None:
    made = outcome(audits=(AUDIT,))
    described = describe_outcome(made)
    assert described["verdict"] == "failed"
    assert parse_outcome(json.dumps({**described, "verdict": "passed"})).verdict == "failed"


def test_problem_of_the_generator_goes_before_all_others() -> None:
    made = outcome(audits=(AUDIT,))
    assert replace(made, generator=replace(made.generator, problems=("late",))).verdict == "void"


@pytest.mark.parametrize("text", ["[]", "{}", '{"name": 1}', '{"version": 2}', "null"])
def test_what_is_no_outcome_is_refused(text: str) -> None:
    with pytest.raises(ContractError, match="decode Outcome"):
        parse_outcome(text)


def test_what_is_no_json_is_refused() -> None:
    with pytest.raises(ValueError, match="Expecting value"):
        parse_outcome("passed")
