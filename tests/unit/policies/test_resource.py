"""Rules of resources: for each what it passes and what it fails, and how narrow the platform's exceptions are."""

from __future__ import annotations

from typing import Any

import pytest

from policies.resource import RESOURCE_RULES, part_of
from runyard import names

BY_ID = {rule.id: rule for rule in RESOURCE_RULES}


def container(**changes: Any) -> dict[str, Any]:
    """A container as the platform makes templates."""
    return {
        "name": "runyard.dev.default.hello-1.hello.template",
        "memory": 512,
        "cpuQuota": 100_000,
        "readOnly": True,
        "capabilities": {"drops": ["ALL"]},
        "securityOpts": ["no-new-privileges"],
    } | changes


def part(role: str, name: str = "", stack: str = "dev", **changes: Any) -> dict[str, Any]:
    labels = [{"label": names.STACK, "value": stack}, {"label": names.ROLE, "value": role}]
    return container(name=name or f"runyard.dev.{role}", labels=labels, networkMode="host", cpuQuota=None) | changes


def told(properties: dict[str, Any], rule: str = "") -> list[str]:
    rules = [BY_ID[rule]] if rule else RESOURCE_RULES
    return [message for each in rules for message in each.check(properties, "dev")]


SOCKET = {"hostPath": "/var/run/docker.sock", "containerPath": "/var/run/docker.sock"}
GATEWAY_ADDS = ["CAP_NET_BIND_SERVICE", "CAP_SETGID", "CAP_SETUID"]

FAILING: list[tuple[str, dict[str, Any], str]] = [
    ("not-privileged", {"privileged": True}, "privileged must not be true, got true"),
    (
        "capabilities-dropped",
        {"capabilities": {"drops": ["ALL"], "adds": ["SYS_ADMIN"]}},
        "capabilities.adds must be empty, got CAP_SYS_ADMIN",
    ),
    ("capabilities-dropped", {"capabilities": {"drops": ["NET_RAW"]}}, "capabilities.drops must hold ALL"),
    ("capabilities-dropped", {"capabilities": None}, "capabilities.drops must hold ALL"),
    ("own-namespaces", {"pidMode": "host"}, "pidMode must not be that of the host or of another container, got host"),
    (
        "own-namespaces",
        {"networkMode": "container:abc"},
        "networkMode must not be that of the host or of another container, got container:abc",
    ),
    ("no-engine-socket", {"volumes": [SOCKET]}, "the engine's socket must not be mounted, got /var/run/docker.sock"),
    (
        "no-engine-socket",
        {"mounts": [{"type": "bind", "source": "/var//run/../run/docker.sock"}]},
        "the engine's socket must not be mounted, got /var/run/docker.sock",
    ),
    ("no-host-paths", {"volumes": [{"hostPath": "/etc"}]}, "no path of the host must be mounted, got /etc"),
    ("no-host-paths", {"volumes": [{"volumeName": "/"}]}, "no path of the host must be mounted, got /"),
    ("no-host-paths", {"devices": [{"hostPath": "/dev/kvm"}]}, "no device of the host must be given"),
    ("container-limited", {"memory": None}, "memory must be limited"),
    ("container-limited", {"cpuQuota": 0}, "CPU must be limited"),
    ("no-published-ports", {"ports": [{"internal": 80, "external": 8080}]}, "no port must be published, got 8080"),
    ("no-published-ports", {"publishAllPorts": True}, "publishAllPorts must not be true, got true"),
    ("no-new-privileges", {"securityOpts": []}, "securityOpts must hold no-new-privileges"),
    (
        "no-new-privileges",
        {"securityOpts": ["no-new-privileges", "seccomp=unconfined"]},
        "securityOpts must switch no filter off, got seccomp:unconfined",
    ),
    ("read-only-root", {"readOnly": False}, "readOnly must be true"),
    ("no-swarm-services", {"taskSpec": {}}, "a Swarm service must not be declared beside the manifests"),
]


def test_every_rule_has_a_failing_case() -> None:
    assert {name for name, _, _ in FAILING} == set(BY_ID)


def test_template_keeps_every_rule() -> None:
    assert told(container()) == []


@pytest.mark.parametrize(("rule", "changes", "message"), FAILING)
def test_rule_tells_what_breaks_it(rule: str, changes: dict[str, Any], message: str) -> None:
    assert told(container(**changes), rule) == [message]


def test_platforms_own_parts_keep_every_rule() -> None:
    assert told(part("gateway", capabilities={"drops": ["ALL"], "adds": GATEWAY_ADDS})) == []
    assert told(part("orchestrator", volumes=[SOCKET])) == []


@pytest.mark.parametrize(
    "stranger",
    [
        part("orchestrator", name="runyard.dev.other"),
        part("orchestrator", stack="other"),
        part("gateway", name="runyard.dev.orchestrator"),
        part("template", name="runyard.dev.template"),
        container(name="runyard.dev.orchestrator"),
    ],
    ids=["other name", "other stack", "role and name of two parts", "no part", "name without labels"],
)
def test_exception_needs_role_name_and_stack_together(stranger: dict[str, Any]) -> None:
    assert part_of(stranger, "dev") == ""
    assert told(stranger | {"networkMode": "host"}, "own-namespaces")
    assert told(stranger | {"volumes": [SOCKET]}, "no-engine-socket")


def test_part_gets_no_more_than_it_needs() -> None:
    assert told(part("gateway", volumes=[SOCKET]), "no-engine-socket")
    assert told(part("orchestrator", capabilities={"drops": ["ALL"], "adds": ["CAP_SETUID"]}), "capabilities-dropped")
    assert told(part("gateway", pidMode="host"), "own-namespaces")
    assert told(part("orchestrator", volumes=[{"hostPath": "/root"}]), "no-host-paths")
