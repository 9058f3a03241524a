"""Receivers of a stack as a resource: put in force, found lost with Alertmanager's volume, and taken back."""

from __future__ import annotations

import json

import pytest

from provider.kind import Outputs, ResourceState
from provider.receivers import Receivers
from runyard import names
from runyard.errors import RefusedConfiguration

INPUTS = {"stack": "dev", "receivers": "{}", "configuration": '{"receivers":[]}'}
STATE = ResourceState("dev/receivers", INPUTS, {})


class Alertmanager:
    """One that keeps what it is given, or refuses it."""

    def __init__(self, *, up: bool = True, refusal: str = "") -> None:
        self.up, self.refusal, self.kept = up, refusal, ""

    def put(self, configuration: str) -> None:
        if self.refusal:
            raise RefusedConfiguration(self.refusal)
        self.kept = configuration

    def digest(self) -> str:
        return names.digest(self.kept) if self.up else ""

    def running(self) -> bool:
        return self.up


def kind(host: Alertmanager) -> Receivers:
    return Receivers(lambda _stack: host)


def test_receivers_are_put_in_force_and_are_not_lost_then() -> None:
    host = Alertmanager()
    assert kind(host).identify(INPUTS) == "dev/receivers"
    assert kind(host).find_lost(STATE) == ("configuration",)
    assert kind(host).create(INPUTS) == Outputs()
    assert host.kept == INPUTS["configuration"]
    assert kind(host).find_lost(STATE) == ()


def test_what_cannot_be_asked_has_lost_nothing() -> None:
    assert kind(Alertmanager(up=False)).find_lost(STATE) == ()


def test_refusal_is_told_as_it_is() -> None:
    with pytest.raises(RefusedConfiguration, match="is of the loopback"):
        kind(Alertmanager(refusal="receiver a: 127.0.0.1 is of the loopback")).create(INPUTS)


def test_receivers_that_go_leave_nobody_to_be_told() -> None:
    host = Alertmanager()
    kind(host).delete(STATE)
    assert [each["name"] for each in json.loads(host.kept)["receivers"]] == ["nobody"]
    gone = Alertmanager(up=False)
    kind(gone).delete(STATE)
    assert gone.kept == ""
