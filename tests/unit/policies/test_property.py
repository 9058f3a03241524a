"""Properties: what rules see of what Pulumi sends."""

from __future__ import annotations

from typing import Any

import pytest
from google.protobuf.struct_pb2 import Struct

from policies.property import UNKNOWNS, Unknown, UnknownValue, read_properties
from runyard.pulumi.marks import SECRET, SIGNATURE

SEALED = {SIGNATURE: SECRET, "value": "hunter2"}


def sent(values: dict[str, Any]) -> Struct:
    found = Struct()
    found.update(values)
    return found


def test_plain_values_are_pythons_own() -> None:
    values = {"a": "x", "b": 1.5, "c": True, "d": None, "e": ["x", {"f": 2.0}], "g": {}}
    assert read_properties(sent(values)) == values
    assert read_properties(sent(values), secrets=False) == values


def test_secret_is_handed_over_or_left_out_wherever_it_stands() -> None:
    values = sent({"a": SEALED, "b": ["x", SEALED], "c": {"d": SEALED, "e": "y"}})
    assert read_properties(values) == {"a": "hunter2", "b": ["x", "hunter2"], "c": {"d": "hunter2", "e": "y"}}
    assert read_properties(values, secrets=False) == {"b": ["x"], "c": {"e": "y"}}


def test_secret_whose_value_is_another_is_left_out_whole() -> None:
    values = sent({"a": {SIGNATURE: SECRET, "value": {"b": [SEALED]}}})
    assert read_properties(values) == {"a": {"b": ["hunter2"]}}
    assert read_properties(values, secrets=False) == {}


@pytest.mark.parametrize("text", sorted(UNKNOWNS))
def test_what_is_not_known_yet_answers_no_question(text: str) -> None:
    unknown = read_properties(sent({"a": text, "b": {SIGNATURE: SECRET, "value": text}}))["b"]
    assert isinstance(unknown, Unknown)
    questions: list[Any] = [
        lambda: bool(unknown),
        lambda: str(unknown),
        lambda: f"{unknown}",
        lambda: float(unknown),
        lambda: unknown == "host",
        lambda: unknown != "host",
        lambda: unknown in {"host"},
        lambda: list(unknown),
        lambda: unknown.get("x"),
        lambda: unknown or (),
    ]
    for question in questions:
        with pytest.raises(UnknownValue):
            question()
