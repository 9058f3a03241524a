"""Pack: a stack is judged first, then its resources."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from policies.declared import KeptServices, Settings
from policies.pack import Pack
from runyard.errors import PolicyError, UsageError
from runyard.plan.quota import Capacity
from tests.unit.policies.resources import container

POLICIES = Path(__file__).parents[3] / "policies"
HELLO = Settings("dev", "runyard", {"runyard:manifests": "manifests/hello.yaml"}, dry_run=False)


def pack(capacity: Capacity | None = None) -> Pack:
    return Pack(lambda _: KeptServices({}), lambda: capacity, lambda: "2026-11-23")


def test_resource_is_judged_after_its_stack() -> None:
    subject = pack()
    subject.configure(HELLO)
    assert subject.judge(container("batch")) == []
    (finding,) = subject.judge(container("other", privileged=True))
    assert finding.text() == ("not-privileged: other: privileged must not be true, got true (remove privileged)")


def test_stack_that_is_refused_is_refused_with_every_reason() -> None:
    with pytest.raises(PolicyError) as raised:
        pack(Capacity(2000, 1024)).configure(HELLO)
    first, second = str(raised.value).splitlines()
    assert first == "policies refuse the change, nothing was touched:"
    assert second.startswith("host-large-enough: the host's memory must be at least 1536Mi at minScale, got 1Ki")


def test_resource_before_its_stack_refuses() -> None:
    with pytest.raises(UsageError, match="must be told its stack before a resource, got none"):
        pack().judge(container("batch"))


def test_resource_after_a_stack_that_was_refused_refuses() -> None:
    subject = pack(Capacity(2000, 1024))
    with pytest.raises(PolicyError):
        subject.configure(HELLO)
    with pytest.raises(UsageError):
        subject.judge(container("batch"))


def test_program_is_found_by_the_project_and_by_the_packs_runtime() -> None:
    runtime = yaml.safe_load((POLICIES / "PulumiPolicy.yaml").read_text(encoding="utf-8"))["runtime"]
    project = yaml.safe_load((POLICIES.parent / "Pulumi.yaml").read_text(encoding="utf-8"))
    assert project["plugins"]["analyzers"] == [{"name": f"policy-{runtime}", "path": POLICIES.name}]
    assert (POLICIES / f"pulumi-analyzer-policy-{runtime}").stat().st_mode & 0o111 == 0o111
