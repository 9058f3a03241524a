from __future__ import annotations

import json

import pytest

from runyard.errors import ContractError
from runyard.pulumi.state import missing, parse_state, shown_outputs
from runyard.uptodate.expectation import expect
from tests.unit.runyard.uptodate.world import state, thing

SECRET = {"4dabf18193072939515e22adb298388d": "1b47061264138c4ac30d75fd1eb44270", "ciphertext": "v1:hunter2"}


def test_checkpoint_and_export_are_read_alike() -> None:
    latest = state()["checkpoint"]["latest"]
    assert parse_state(json.dumps(state())) == parse_state(json.dumps({"version": 3, "deployment": latest}))


def test_stack_without_anything_in_it_is_read_and_not_judged() -> None:
    deployed = parse_state('{"version": 3, "checkpoint": {"latest": null}}')
    assert (deployed.owned, deployed.problem) == ({}, "the state holds no whole stack of ours")


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"version": 3}', '{"deployment": {"resources": [{}]}}'])
def test_text_that_is_no_state_is_an_error(text: str) -> None:
    with pytest.raises(ContractError, match=r"^read the stack's state: "):
        parse_state(text)


@pytest.mark.parametrize("mark", [{"delete": True}, {"taint": True}, {"initErrors": ["not ready"]}])
def test_state_with_something_left_undone_is_not_judged(mark: dict[str, object]) -> None:
    whole = state()
    whole["checkpoint"]["latest"]["resources"][-1] |= mark
    assert parse_state(json.dumps(whole)).problem == "an update left something undone"


def test_service_without_documents_is_no_expectation() -> None:
    whole = state()
    whole["checkpoint"]["latest"]["resources"][-1]["outputs"] = {}
    deployed = parse_state(json.dumps(whole))
    with pytest.raises(ContractError, match=r"^read the services of the stack's state: "):
        expect(deployed)


def test_missing_is_what_has_gone_or_is_another_of_the_same_name() -> None:
    owned = {("network", "n"): "1", ("volume", "v"): "v", ("container", "c"): "2", ("container", "d"): "3"}
    present = [("network", "n", "9"), ("container", "c", "2"), ("container", "other", "4")]
    assert missing(owned, present) == ["container d", "network n", "volume v"]
    assert missing(owned, [*present, ("network", "n", "1"), ("volume", "v", "v"), ("container", "d", "3")]) == []


def test_creation_without_an_id_is_owned_by_nobody() -> None:
    resource = thing("Network", "n", "")
    assert parse_state(json.dumps({"deployment": {"resources": [resource]}})).owned == {}


def test_outputs_are_shown_without_their_secrets() -> None:
    outputs = {"token": SECRET, "urls": {"hello": "http://hello"}, "list": [SECRET, "x"]}
    resources = [{"type": "pulumi:pulumi:Stack", "outputs": outputs}]
    shown = shown_outputs(parse_state(json.dumps({"deployment": {"resources": resources}})))
    assert shown == {"token": "[secret]", "urls": {"hello": "http://hello"}, "list": ["[secret]", "x"]}
