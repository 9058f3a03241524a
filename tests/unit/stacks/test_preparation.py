"""Preparation of the host: what is gone is told by name, and parts that stand still are started."""

from __future__ import annotations

from typing import Any

import pytest

from runyard.errors import HostError
from runyard.host.thing import Thing
from runyard.plan import plan
from runyard.pulumi.deployment import Deployment
from stacks.preparation import check_present, find_present, start_parts
from tests.unit.runyard.plan.example import manifests

DEPLOYMENT = Deployment(
    owned={
        ("network", "runyard.dev.platform"): "n1",
        ("volume", "runyard.dev.gateway"): "runyard.dev.gateway",
        ("container", "runyard.dev.gateway"): "c1",
        ("container", "runyard.dev.orchestrator"): "c2",
    }
)
THINGS = [Thing(kind, name, id_, "dev") for (kind, name), id_ in DEPLOYMENT.owned.items()]


def test_host_that_has_all_that_the_state_owns_lacks_nothing() -> None:
    assert find_present(DEPLOYMENT, THINGS) == DEPLOYMENT.owned.keys()
    check_present(DEPLOYMENT, THINGS, dry_run=False)


def test_preview_goes_on_with_what_is_gone() -> None:
    check_present(DEPLOYMENT, [], dry_run=True)


def test_update_without_what_is_gone_is_refused_by_name_and_says_what_helps() -> None:
    with pytest.raises(HostError) as raised:
        check_present(DEPLOYMENT, THINGS[2:], dry_run=False)
    assert str(raised.value) == (
        "gone from the host, and Pulumi has not seen it: "
        "network runyard.dev.platform, volume runyard.dev.gateway (make up refreshes, as pulumi refresh)"
    )


def test_other_thing_under_the_same_name_is_not_what_the_state_owns() -> None:
    things = [*THINGS[1:], Thing("network", "runyard.dev.platform", "n2", "dev")]
    assert find_present(DEPLOYMENT, things) == DEPLOYMENT.owned.keys() - {("network", "runyard.dev.platform")}


class Engine:
    def __init__(self, *running: str) -> None:
        self.up = set(running)
        self.started: list[str] = []

    def running(self, container: str) -> bool:
        return container in self.up

    def start(self, container: str) -> None:
        self.started.append(container)


def start(engine: Any, deployment: Deployment, *, dry_run: bool = False) -> list[str]:
    start_parts(engine, plan(manifests()).parts, deployment.owned, dry_run=dry_run)
    return list(engine.started)


def test_parts_that_stand_still_are_started_and_those_that_are_not_there_yet_are_not() -> None:
    assert start(Engine("runyard.dev.gateway"), DEPLOYMENT) == ["runyard.dev.orchestrator"]
    assert start(Engine("runyard.dev.gateway", "runyard.dev.orchestrator"), DEPLOYMENT) == []
    assert start(Engine(), Deployment()) == []


def test_preview_starts_nothing() -> None:
    assert start(Engine(), DEPLOYMENT, dry_run=True) == []
