"""Removal of a stack whose state is lost: everything, in an order in which nothing comes back."""

from __future__ import annotations

import dataclasses
import threading

import pytest

from runyard import names
from runyard.errors import HostError
from runyard.host.engine import Task
from runyard.host.removal import remove_everything
from runyard.host.thing import Thing

FIREWALL = "runyard/firewall:1"


@dataclasses.dataclass
class FakeHost:
    """A host of which `things` are the stack's; `told` has what was done, in order."""

    things: list[Thing]
    firewall: str | None = FIREWALL
    stuck: str = ""
    told: list[str] = dataclasses.field(default_factory=list)
    lock: threading.Lock = dataclasses.field(default_factory=threading.Lock)

    def owned(self, stack: str) -> list[Thing]:
        return [each for each in self.things if each.stack == stack]

    def image(self, container: str) -> str | None:
        assert container == "runyard.dev.firewall"
        return self.firewall

    def remove(self, thing: Thing) -> None:
        if thing.name == self.stuck:
            raise HostError(f"remove {thing.kind} {thing.name}: in use")
        with self.lock:
            self.told.append(thing.name)

    def run(self, task: Task) -> tuple[int, str]:
        self.told.append(f"{task.image} {' '.join(task.command)}")
        return 0, ""

    def execute(self, container: str, command: object) -> tuple[int, str]:
        raise AssertionError(f"{command} in {container}")

    def discard(self, container: str) -> None:
        assert container == names.task_container("dev", names.ROLE_FIREWALL_TASK)


def thing(kind: str, name: str, role: str, stack: str = "dev") -> Thing:
    return Thing(kind=kind, name=name, id=f"id-{name}", stack=stack, role=role)  # type: ignore[arg-type]


def everything() -> list[Thing]:
    return [
        thing("container", "gateway", names.ROLE_GATEWAY),
        thing("container", "instance", names.ROLE_INSTANCE),
        thing("container", "filter", names.ROLE_FILTER),
        thing("container", "leader", names.ROLE_ORCHESTRATOR),
        thing("container", "other", names.ROLE_GATEWAY, "prod"),
        thing("container", "spare", names.ROLE_SPARE),
        thing("container", "standby", names.ROLE_STANDBY),
        thing("network", "platform", names.ROLE_NETWORK),
        thing("volume", "book", names.ROLE_ORCHESTRATOR),
        thing("volume", "kept", names.ROLE_DATA),
    ]


def test_removal_begins_with_who_lets_others_be_started_and_ends_with_the_firewalls_rules() -> None:
    host = FakeHost(everything())
    found = remove_everything(host, "dev")
    assert [set(host.told[:2]), set(host.told[2:6]), set(host.told[6:8]), host.told[8:]] == [
        {"filter", "spare"},
        {"gateway", "instance", "leader", "standby"},
        {"platform", "book"},
        [f"{FIREWALL} remove"],
    ]
    assert {each.name for each in found} == {each.name for each in everything()} - {"other", "kept"}


def test_host_without_a_firewall_has_no_rules_removed() -> None:
    host = FakeHost(everything(), firewall=None)
    remove_everything(host, "dev")
    assert len(host.told) == 8


def test_what_cannot_be_removed_is_an_error_before_what_it_stands_on() -> None:
    host = FakeHost(everything(), stuck="gateway")
    with pytest.raises(HostError, match=r"^remove container gateway: in use$"):
        remove_everything(host, "dev")
    assert not {"platform", "book"} & set(host.told)
