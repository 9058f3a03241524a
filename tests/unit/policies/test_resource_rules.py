"""Rules of resources: for each what it passes and what it fails, and how narrow the platform's exceptions are."""

from __future__ import annotations

from typing import Any

import pytest

from policies import belonging, confinement, storage
from policies.part import part_of
from policies.property import Unknown
from policies.resource import CONTAINER, NETWORK, PLUGIN, SWARM_SERVICE, VOLUME
from runyard import names
from runyard.images import image_reference

RULES = (*confinement.RULES, *storage.RULES, *belonging.RULES)
BY_ID = {rule.id: rule for rule in RULES}


def container(**changes: Any) -> dict[str, Any]:
    """A container as hand-written ones must be."""
    return {
        "name": "batch",
        "image": "shop/batch:1",
        "labels": [{"label": names.STACK, "value": "dev"}],
        "memory": 512,
        "cpuQuota": 100_000,
        "readOnly": True,
        "capabilities": {"drops": ["ALL"]},
        "securityOpts": ["no-new-privileges"],
    } | changes


def part(role: str, name: str = "", stack: str = "dev", **changes: Any) -> dict[str, Any]:
    labels = [{"label": names.STACK, "value": stack}, {"label": names.ROLE, "value": role}]
    image = image_reference(role) if role in ("gateway", "orchestrator", "filter") else "shop/batch:1"
    given = {"name": name or f"runyard.dev.{role}", "image": image, "labels": labels}
    return container(**given, networkMode="host", cpuQuota=None) | changes


def told(properties: dict[str, Any], rule: str = "") -> list[str]:
    rules = [BY_ID[rule]] if rule else [each for each in RULES if CONTAINER in each.types]
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
    ("container-limited", {"memory": -64.0}, "memory must be limited"),
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
    ("plain-networks", {"driver": "macvlan"}, "driver must be bridge, got macvlan"),
    ("stack-labelled", {"labels": []}, "label runyard.dev/stack must be dev, got none"),
    (
        "stack-labelled",
        {"labels": [{"label": names.STACK, "value": "prod"}]},
        "label runyard.dev/stack must be dev, got prod",
    ),
    (
        "platform-names-kept",
        {"name": "/runyard.dev.default.hello-1.hello.x"},
        "name must not be one of the platform's, got runyard.dev.default.hello-1.hello.x",
    ),
    (
        "platform-names-kept",
        {"labels": [{"label": names.ROLE, "value": "instance"}, {"label": names.TENANT, "value": "shop"}]},
        "label runyard.dev/role must be left out, got it",
    ),
    (
        "tenant-networks-kept",
        {"networksAdvanced": [{"name": "runyard.dev.tenant.shop.internal"}, {"name": "mine"}]},
        "only instances must be on a network of the platform's, got runyard.dev.tenant.shop.internal",
    ),
    (
        "tenant-networks-kept",
        {"networkMode": "runyard.other.tenant.shop"},
        "only instances must be on a network of the platform's, got runyard.other.tenant.shop",
    ),
    (
        "tenant-networks-kept",
        {"networksAdvanced": [{"name": "0a1b2c3d4e5f"}]},
        "a network must be joined by its name, got 0a1b2c3d4e5f",
    ),
]
# What makes another program of a part's image: what is changed, and what is told of it.
CHANGED: list[tuple[dict[str, Any], str]] = [
    ({"command": ["sh"]}, "command"),
    ({"entrypoints": ["sh"]}, "entrypoints"),
    ({"user": "root"}, "user"),
    ({"healthcheck": {"tests": ["CMD", "sh"]}}, "healthcheck"),
    ({"uploads": [{"file": "/app/main.py", "content": ""}]}, "uploads"),
    ({"mounts": [{"type": "tmpfs", "target": "/app"}]}, "mounts"),
    ({"envs": ["RUNYARD_STACK=dev", "LD_PRELOAD=/x"]}, "envs LD_PRELOAD"),
    ({"volumes": [{"volumeName": "mine", "containerPath": "/app"}]}, "volume mine"),
]
# What a container may have beside the manifests.
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
    assert {name for name, _, _ in FAILING} | {"parts-unchanged"} == set(BY_ID)


def test_container_and_what_is_harmless_keep_every_rule() -> None:
    assert told(container()) == []
    assert told(container(**HARMLESS)) == []


def test_plain_volume_keeps_every_rule() -> None:
    mine = {"name": "mine", "driver": "local", "labels": [{"label": names.STACK, "value": "dev"}]}
    assert told(mine, "plain-volumes") == told({"name": "mine"}, "plain-volumes") == []


def test_every_type_of_the_engine_that_is_known_has_rules_of_its_own() -> None:
    assert {each for rule in RULES for each in rule.types} == {CONTAINER, NETWORK, VOLUME, SWARM_SERVICE, PLUGIN}


@pytest.mark.parametrize(("rule", "changes", "message"), FAILING)
def test_rule_tells_what_breaks_it(rule: str, changes: dict[str, Any], message: str) -> None:
    assert told(container(**changes), rule) == [message]


def test_platforms_own_parts_keep_every_rule() -> None:
    assert told(part("gateway", capabilities={"drops": ["ALL"], "adds": GATEWAY_ADDS})) == []
    assert told(part("filter", volumes=[SOCKET])) == []
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
        part("instance", name="runyard.dev.instance"),
        container(name="runyard.dev.orchestrator"),
        part("orchestrator", image="shop/batch:1"),
        part("orchestrator", image=image_reference("gateway")),
        part("orchestrator", image=image_reference("orchestrator").partition(":")[0]),
    ],
    ids=[
        "other name",
        "other stack",
        "role and name of two parts",
        "no part",
        "name without labels",
        "other image",
        "image of another part",
        "image of another build",
    ],
)
def test_exception_needs_role_name_image_and_stack_together(stranger: dict[str, Any]) -> None:
    assert part_of(stranger, "dev") == ""
    assert told(stranger | {"networkMode": "host"}, "own-namespaces")
    assert told(stranger | {"volumes": [SOCKET]}, "no-engine-socket")
    assert told(stranger, "platform-names-kept")


def test_part_gets_no_more_than_it_needs() -> None:
    for other in ("gateway", "orchestrator"):
        assert told(part(other, volumes=[SOCKET]), "no-engine-socket")


CGROUPS = {"hostPath": "/sys/fs/cgroup", "containerPath": "/sys/fs/cgroup", "readOnly": True}


def test_orchestrator_alone_reads_the_hosts_control_groups() -> None:
    assert told(part("orchestrator", volumes=[CGROUPS]), "no-host-paths") == []
    assert told(part("gateway", volumes=[CGROUPS]), "no-host-paths")
    stranger = part("orchestrator", volumes=[CGROUPS], image="shop/orchestrator:1")
    assert told(stranger, "no-host-paths")


@pytest.mark.parametrize(
    "changes",
    [
        {"readOnly": False},
        {"readOnly": None},
        {"containerPath": "/opt/runyard"},
        {"hostPath": "/sys"},
        {"hostPath": "/sys/fs/cgroup/.."},
    ],
)
def test_orchestrator_sees_nothing_else_of_the_host_and_writes_nothing(changes: dict[str, Any]) -> None:
    assert told(part("orchestrator", volumes=[CGROUPS | changes]), "no-host-paths")
    assert told(part("orchestrator", capabilities={"drops": ["ALL"], "adds": ["CAP_SETUID"]}), "capabilities-dropped")
    assert told(part("gateway", pidMode="host"), "own-namespaces")
    assert told(part("orchestrator", volumes=[{"hostPath": "/root"}]), "no-host-paths")


@pytest.mark.parametrize(("changes", "what"), CHANGED)
def test_part_runs_its_images_program_with_its_own_settings(changes: dict[str, Any], what: str) -> None:
    message = f"a part of the platform must be as the platform makes it, got {what}"
    assert told(part("orchestrator", **changes), "parts-unchanged") == [message]
    # What is no part is held to the other rules.
    assert told(container(**changes), "parts-unchanged") == []


def test_parts_setting_that_only_the_update_knows_waits_for_it() -> None:
    settings = part("orchestrator", envs=["RUNYARD_STACK=dev", Unknown()])
    assert told(settings, "parts-unchanged") == []


def test_volumes_and_networks_say_whose_they_are() -> None:
    rule = BY_ID["stack-labelled"]
    assert {CONTAINER, NETWORK, VOLUME} == set(rule.types)
    assert list(rule.check({"name": "mine"}, "dev")) == ["label runyard.dev/stack must be dev, got none"]
