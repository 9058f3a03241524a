"""Rules of resources: for each what it passes and what it fails, and how narrow the platform's exceptions are."""

from __future__ import annotations

from typing import Any

import pytest

from policies.resource import CONTAINER, PLUGIN, RESOURCE_RULES, RESOURCE_TYPES, SERVICE, VOLUME, part_of
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
    rules = [BY_ID[rule]] if rule else [each for each in RESOURCE_RULES if each.type == CONTAINER]
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
    ("no-host-paths", {"devices": [{"hostPath": "/dev/kvm"}]}, "no device of the host must be given, got devices"),
    ("no-host-paths", {"gpus": "all"}, "no device of the host must be given, got gpus"),
    ("no-host-paths", {"deviceRequests": [{"counts": 1.0}]}, "no device of the host must be given, got deviceRequests"),
    (
        "no-host-paths",
        {"deviceCgroupRules": ["a *:* rwm"]},
        "no device of the host must be given, got deviceCgroupRules",
    ),
    ("container-limited", {"memory": None}, "memory must be limited"),
    ("container-limited", {"memorySwap": -1.0}, "memorySwap must be limited, got no limit"),
    ("container-limited", {"cpuQuota": 0}, "cpuQuota must be set"),
    ("container-limited", {"cpuQuota": -1.0}, "cpuQuota must be set"),
    ("container-limited", {"cpus": "8"}, "cpus must be left out, got 8"),
    ("no-published-ports", {"ports": [{"internal": 80, "external": 8080}]}, "no port must be published, got 8080"),
    ("no-published-ports", {"publishAllPorts": True}, "publishAllPorts must not be true, got true"),
    ("no-new-privileges", {"securityOpts": []}, "securityOpts must hold no-new-privileges"),
    (
        "no-new-privileges",
        {"securityOpts": ["no-new-privileges", "seccomp=unconfined"]},
        "securityOpts must put nothing in the place of the engine's filters, got seccomp:unconfined",
    ),
    (
        "no-new-privileges",
        {"securityOpts": ["no-new-privileges:true", 'seccomp={"defaultAction":"SCMP_ACT_ALLOW"}']},
        "securityOpts must put nothing in the place of the engine's filters, "
        'got seccomp:{"defaultAction":"SCMP_ACT_ALLOW',
    ),
    ("read-only-root", {"readOnly": False}, "readOnly must be true"),
    (
        "no-borrowed-volumes",
        {"volumes": [{"fromContainer": "runyard.dev.orchestrator"}]},
        "volumes must not be those of another container, got fromContainer runyard.dev.orchestrator",
    ),
    (
        "platform-volumes-kept",
        {"volumes": [{"volumeName": "runyard.dev.orchestrator", "containerPath": "/state"}]},
        "a volume of the platform must not be mounted, got runyard.dev.orchestrator",
    ),
    (
        "platform-volumes-kept",
        {"mounts": [{"type": "volume", "source": "runyard.other.gateway"}]},
        "a volume of the platform must not be mounted, got runyard.other.gateway",
    ),
    (
        "plain-mounts",
        {"mounts": [{"type": "volume", "volumeOptions": {"driverOptions": {"o": "bind", "device": "/"}}}]},
        "mounts must be plain volumes or tmpfs, got driverOptions device, o",
    ),
    (
        "plain-mounts",
        {"mounts": [{"type": "volume", "volumeOptions": {"driverName": "sshfs"}}]},
        "mounts must be plain volumes or tmpfs, got driverName sshfs",
    ),
    ("plain-mounts", {"mounts": [{"type": "npipe"}]}, "mounts must be plain volumes or tmpfs, got type npipe"),
    ("plain-volumes", {"driverOpts": {"o": "bind", "device": "/"}}, "driverOpts must be empty, got device, o"),
    ("plain-volumes", {"driver": "sshfs"}, "driver must be local, got sshfs"),
    ("plain-volumes", {"cluster": {"scope": "single"}}, "cluster must be empty, got scope"),
    ("engine-defaults-kept", {"runtime": "nvidia"}, "runtime must be the engine's own, got nvidia"),
    ("engine-defaults-kept", {"cgroupParent": "/"}, "cgroupParent must be the engine's own, got /"),
    (
        "engine-defaults-kept",
        {"sysctls": {"net.core.somaxconn": "9"}},
        "sysctls must be empty, got net.core.somaxconn",
    ),
    ("engine-defaults-kept", {"logDriver": "syslog"}, "logDriver must be json-file, local or none, got syslog"),
    (
        "engine-defaults-kept",
        {"ulimits": [{"name": "rtprio", "soft": 99.0, "hard": 99.0}]},
        "ulimits must raise no priority, got rtprio",
    ),
    ("no-swarm-services", {"taskSpec": {}}, "a Swarm service must not be declared beside the manifests"),
    ("no-engine-plugins", {}, "a plugin of the engine must not be declared"),
]
# What a container may have beside its manifests' templates.
HARMLESS: dict[str, Any] = {
    "volumes": [{"volumeName": "mine", "containerPath": "/data"}],
    "mounts": [
        {"type": "volume", "source": "mine", "volumeOptions": {"driverName": "local", "noCopy": True}},
        {"type": "tmpfs", "tmpfsOptions": {"sizeBytes": 1024.0}},
    ],
    "runtime": "runc",
    "logDriver": "local",
    "ulimits": [{"name": "nofile", "soft": 1024.0, "hard": 1024.0}],
    "memorySwap": 512.0,
}


def test_every_rule_has_a_failing_case() -> None:
    assert {name for name, _, _ in FAILING} == set(BY_ID)


def test_template_and_what_is_harmless_keep_every_rule() -> None:
    assert told(container()) == []
    assert told(container(**HARMLESS)) == []


def test_plain_volume_keeps_every_rule() -> None:
    mine = {"name": "mine", "driver": "local", "labels": [{"label": names.STACK, "value": "dev"}]}
    assert told(mine, "plain-volumes") == told({"name": "mine"}, "plain-volumes") == []


def test_every_type_of_resources_has_rules_of_its_own() -> None:
    assert {CONTAINER, VOLUME, SERVICE, PLUGIN} == RESOURCE_TYPES


@pytest.mark.parametrize(("rule", "changes", "message"), FAILING)
def test_rule_tells_what_breaks_it(rule: str, changes: dict[str, Any], message: str) -> None:
    assert told(container(**changes), rule) == [message]


def test_platforms_own_parts_keep_every_rule() -> None:
    assert told(part("gateway", capabilities={"drops": ["ALL"], "adds": GATEWAY_ADDS})) == []
    assert told(part("orchestrator", volumes=[SOCKET])) == []
    volumes = {role: {"volumeName": names.platform_volume("dev", role)} for role in ("gateway", "orchestrator")}
    assert told(part("gateway", volumes=[volumes["gateway"]])) == []
    assert told(part("orchestrator", volumes=list(volumes.values()))) == []
    assert told(part("gateway", volumes=[volumes["orchestrator"]]), "platform-volumes-kept")


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
