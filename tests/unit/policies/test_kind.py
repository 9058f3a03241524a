"""Kinds of resources: what may stand in a stack, and that all else is refused without anybody having thought of it."""

from __future__ import annotations

from typing import Any

import pytest

from policies.kind import IMAGE, check_kind
from policies.resource import CONTAINER, NETWORK, SERVICE, VOLUME
from tests.unit.policies.resources import container, resource

DOCKER, RUNYARD = "pulumi:providers:docker", "pulumi:providers:runyard"
TMPFS = "exec, gid, mode, noatime, nodev, noexec, nosuid, nr_inodes, ro, rw, size, uid"
OPTIONS = "com.docker.network.bridge.enable_icc or com.docker.network.driver.mtu"

FAILING: list[tuple[str, dict[str, Any], str]] = [
    (CONTAINER, {"storageOpts": {"size": "100G"}}, "property storageOpts must be left out, got it"),
    (CONTAINER, {"deviceReadBps": [{"path": "/dev/sda"}]}, "property deviceReadBps must be left out, got it"),
    (CONTAINER, {"groupAdds": ["998"]}, "property groupAdds must be left out, got it"),
    (CONTAINER, {"ofALaterVersion": True}, "property ofALaterVersion must be left out, got it"),
    (
        CONTAINER,
        {"networksAdvanced": [{"name": "a", "driverOpts": ["com.docker.network.endpoint.sysctls=a"]}]},
        "property networksAdvanced.driverOpts must be left out, got it",
    ),
    (
        CONTAINER,
        {"networksAdvanced": [{"name": "a", "macAddress": "02:42:ac:11:00:02"}]},
        "property networksAdvanced.macAddress must be left out, got it",
    ),
    (CONTAINER, {"mounts": [{"clusterOptions": {"a": 1}}]}, "property mounts.clusterOptions must be left out, got it"),
    (CONTAINER, {"tmpfs": {"/a": "size=1m,suid"}}, f"tmpfs /a must have options of {TMPFS}, got suid"),
    (CONTAINER, {"tmpfs": {"/a": "size=1m,dev"}}, f"tmpfs /a must have options of {TMPFS}, got dev"),
    (CONTAINER, {"tmpfs": {"/a": "noexec"}}, "tmpfs /a must have a size, got none"),
    (NETWORK, {"ingress": True}, "property ingress must be left out, got it"),
    (NETWORK, {"ipamDriver": "dhcp"}, "ipamDriver must be default, got dhcp"),
    (
        NETWORK,
        {"ipamConfigs": [{"auxAddress": {"a": "10.0.0.1"}}]},
        "property ipamConfigs.auxAddress must be left out, got it",
    ),
    (
        NETWORK,
        {"options": {"com.docker.network.bridge.name": "eth0"}},
        f"options must be of {OPTIONS}, got com.docker.network.bridge.name",
    ),
    (NETWORK, {"options": {"parent": "eth0"}}, f"options must be of {OPTIONS}, got parent"),
    (VOLUME, {"accessMode": "a"}, "property accessMode must be left out, got it"),
    (IMAGE, {"name": "a", "build": {"context": "."}}, "property build must be left out, got it"),
    (DOCKER, {"host": "ssh://root@elsewhere"}, "a provider must have no settings of its own, got host"),
    (
        DOCKER,
        {"version": "5", "pluginDownloadURL": "http://a"},
        "a provider must have no settings of its own, got pluginDownloadURL",
    ),
    ("pulumi:providers:command", {}, "provider must be one of docker, runyard, pulumi, random, tls, got command"),
    *(
        (kind, {}, f"type must be one that the pack knows, got {kind}")
        for kind in (
            "docker:index/image:Image",
            "docker:index/secret:Secret",
            "docker:index/buildxBuilder:BuildxBuilder",
            "docker-build:index:Image",
            "command:local:Command",
            "pulumi-nodejs:dynamic:Resource",
            "runyard:index:Other",
        )
    ),
]


def told(kind: str, properties: dict[str, Any]) -> list[str]:
    given = container("batch").properties if kind == CONTAINER else {}
    return list(check_kind(resource(kind, "batch", {**given, **properties})))


@pytest.mark.parametrize(("kind", "properties", "message"), FAILING)
def test_what_is_not_on_the_list_is_refused(kind: str, properties: dict[str, Any], message: str) -> None:
    assert told(kind, properties) == [message]


@pytest.mark.parametrize(
    ("kind", "properties"),
    [
        (CONTAINER, {}),
        (CONTAINER, {"tmpfs": {"/tmp": "rw,nosuid,nodev,mode=1777,size=64m"}, "storageOpts": {}, "groupAdds": None}),
        (CONTAINER, {"networksAdvanced": [{"name": "a", "aliases": ["b"], "__defaults": []}], "__defaults": ["start"]}),
        (NETWORK, {"name": "a", "options": {"com.docker.network.bridge.enable_icc": "false"}}),
        (NETWORK, {"name": "a", "ipamDriver": "default"}),
        (VOLUME, {"name": "a"}),
        (IMAGE, {"name": "shop/web:1", "keepLocally": True}),
        (DOCKER, {"version": "5.2.0"}),
        (RUNYARD, {"version": "0.1.0", "manifests": "manifests/hello.yaml"}),
        (SERVICE, {}),
        ("random:index/randomId:RandomId", {"byteLength": 4.0}),
    ],
)
def test_what_is_on_the_list_passes(kind: str, properties: dict[str, Any]) -> None:
    assert told(kind, properties) == []
