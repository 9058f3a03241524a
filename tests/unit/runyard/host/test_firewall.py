"""The firewall on its host: rules are tried and removed by a task of its image, and asked after in its part."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from runyard.errors import Conflict, HostError, NotFound, RefusedConfiguration
from runyard.host.engine import Task
from runyard.host.firewall import FirewallHost

IMAGE = "runyard/firewall:abc"


class FakeHost:
    """Answers from a script and keeps the order of what was asked."""

    def __init__(self, code: int = 0, output: str = "", failure: HostError | None = None) -> None:
        self.asked: list[str] = []
        self.tasks: list[Task] = []
        self.code, self.output, self.failure = code, output, failure

    def run(self, task: Task) -> tuple[int, str]:
        self.tasks.append(task)
        self.asked.append(f"run {' '.join(task.command)}")
        return self.code, self.output

    def execute(self, container: str, command: Sequence[str]) -> tuple[int, str]:
        self.asked.append(f"{container}: {' '.join(command)}")
        if self.failure is not None:
            raise self.failure
        return self.code, self.output

    def discard(self, container: str) -> None:
        self.asked.append(f"discard {container}")


def test_rules_are_tried_by_a_task_with_the_one_right_that_it_needs() -> None:
    host = FakeHost()
    FirewallHost(host, "dev").attempt(IMAGE, "table ip runyard.dev {}")
    # One of an update that was killed would have the name.
    assert host.asked == ["discard runyard.dev.firewall.task", "run try"]
    (task,) = host.tasks
    assert (task.image, task.capabilities, dict(task.volumes)) == (IMAGE, ("CAP_NET_ADMIN",), {})
    assert task.environment == {"RUNYARD_STACK": "dev", "RUNYARD_RULES": "table ip runyard.dev {}"}
    assert task.labels == {"runyard.dev/stack": "dev", "runyard.dev/role": "firewall-task"}


def test_rules_that_the_kernel_refuses_are_refused_in_its_words() -> None:
    host = FakeHost(1, "nft: exit status 1: Operation not permitted\n")
    with pytest.raises(RefusedConfiguration) as raised:
        FirewallHost(host, "dev").attempt(IMAGE, "")
    assert str(raised.value) == "nft: exit status 1: Operation not permitted"


def test_removal_that_fails_names_the_table_that_may_be_left() -> None:
    FirewallHost(host := FakeHost(), "dev").remove(IMAGE)
    assert host.asked == ["discard runyard.dev.firewall.task", "run remove"]
    with pytest.raises(RefusedConfiguration) as raised:
        FirewallHost(FakeHost(1, "nft: no\n"), "dev").remove(IMAGE)
    assert str(raised.value) == "remove table ip runyard.dev of the host's packet filter: nft: no"


def test_rules_in_force_have_no_fault() -> None:
    host = FakeHost()
    assert FirewallHost(host, "dev").find_fault() == ""
    assert host.asked == ["runyard.dev.firewall: runyard-firewall check"]


@pytest.mark.parametrize(
    ("host", "told"),
    [
        (FakeHost(1, "nft: exit status 1:\n  not permitted\n"), "nft: exit status 1: not permitted"),
        (FakeHost(failure=Conflict("it is not running")), "nobody keeps the rules: it is not running"),
        (
            FakeHost(failure=NotFound("no such container")),
            "the stack has no firewall (spec.firewall.enabled, or an earlier version made it)",
        ),
    ],
)
def test_fault_is_one_line_that_says_why(host: FakeHost, told: str) -> None:
    assert FirewallHost(host, "dev").find_fault() == told


def test_engine_that_fails_is_no_answer() -> None:
    with pytest.raises(HostError, match="engine is away"):
        FirewallHost(FakeHost(failure=HostError("engine is away")), "dev").find_fault()
