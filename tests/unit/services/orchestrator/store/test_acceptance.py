"""What a signed document may not say; each is refused with its field and its value."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from runyard.contracts import (
    FilesMount,
    MemoryMount,
    RolloutRequest,
    SecretFile,
    SecretValue,
    TrafficShare,
    Variable,
    VolumeDocument,
    VolumeMount,
)
from runyard.errors import UsageError
from services.orchestrator.store.acceptance import check_document, check_writers

from ..world import STACK, container, document

DATA = VolumeDocument("data", "persistent", 1)
VALUE = SecretValue("db", "latest", "d")


def mounting(path: str = "/data", sub_path: str = "", volume: str = "data") -> dict[str, Any]:
    mount = VolumeMount(volume, path, sub_path=sub_path)
    return {"containers": (container(volume_mounts=(mount,)),), "volumes": (DATA,)}


def of(**fields: Any) -> dict[str, Any]:
    return {"containers": (container(**fields),)}


def files(path: str = "/secrets", file: str = "db", mode: int = 0o444) -> dict[str, Any]:
    return of(file_mounts=(FilesMount(path, (SecretFile(file, VALUE, mode),)),))


REFUSED: list[tuple[dict[str, Any], str]] = [
    ({"stack": "other"}, "stack: must be test, got 'other'"),
    ({"tenant": "A"}, "tenant: must be a DNS label, got 'A'"),
    ({"network": "host"}, "network: must be one of its tenant's"),
    ({"network": "none"}, "got 'none'"),
    ({"network": "container:gateway"}, "got 'container:gateway'"),
    ({"network": "runyard.test.tenant.acme"}, "got 'runyard.test.tenant.acme'"),
    ({"network": "runyard.test.platform"}, "got 'runyard.test.platform'"),
    ({"network": "runyard.other.tenant.default"}, "got 'runyard.other.tenant.default'"),
    ({"labels": {"runyard.dev/stack": "other"}}, "labels: must be without labels of runyard.dev/*"),
    ({"callees": ("a.b",)}, "callees: must be a DNS label, got 'a.b'"),
    ({"callees": ("cart",), "gateway_address": ""}, "gateway_address: must be an IPv4 address, got ''"),
    ({"metadata": True, "gateway_address": ""}, "gateway_address: must be an IPv4 address, got ''"),
    ({"gateway_address": "evil.example"}, "gateway_address: must be an IPv4 address, got 'evil.example'"),
    ({"port": 0}, "port: must be from 1 to 65535, got 0"),
    ({"min_instances": -1}, "min_instances: must be 0 or more, got -1"),
    ({"containers": ()}, "containers: must be one or more, got ()"),
    ({"containers": (container("A"),)}, "containers[0].name: must be a DNS label, got 'A'"),
    ({"containers": (container("_holder"),)}, "containers[0].name: must be a DNS label, got '_holder'"),
    ({"init_containers": (container("app"),)}, "containers: must be named once each, got 'app'"),
    ({"init_containers": (container("x", cpu_millis=0),)}, "init_containers[0].cpu_millis: must be positive, got 0"),
    (of(memory_bytes=-1), "containers[0].memory_bytes: must be positive, got -1"),
    (of(pids_limit=0), "containers[0].pids_limit: must be positive, got 0"),
    (of(environment=(Variable("A=B"),)), "environment: must be names without ="),
    (of(environment=(Variable("A", "x\0y"),)), "values without NUL"),
    (of(memory_mounts=(MemoryMount("/tmp", 0),)), "memory_mounts.size_bytes: must be positive, got 0"),
    (of(memory_mounts=(MemoryMount("/proc/1", 1),)), "must be at none of /proc, /sys, /dev, /.runyard, got '/proc/1'"),
    (of(memory_mounts=(MemoryMount("/a", 1), MemoryMount("/a", 2))), "mounts: must be named once each, got '/a'"),
    (files("/sys"), "file_mounts.path: must be at none of"),
    (files(file="../x"), "file_mounts.files.path: must be relative"),
    (files(mode=0o4755), "file_mounts.files.mode: must be permission bits, got 2541"),
    ({"volumes": (VolumeDocument("a.b", "shared", 1),)}, "volumes[0].name: must be a DNS label, got 'a.b'"),
    ({"volumes": (VolumeDocument("a", "shared", 0),)}, "volumes[0].size_bytes: must be positive, got 0"),
    ({"volumes": (DATA, DATA)}, "volumes: must be named once each, got 'data'"),
    (mounting(volume="other"), "volume_mounts.volume: must be one of the document's volumes, got 'other'"),
    *((mounting(each), f"volume_mounts.path: must be absolute, below /, without . and .., got {each!r}".split(",")[0])
      for each in ("data", "", "/", "//a", "/a/", "/a/../b", "/./a", "/a//b", "/..", "/a\nb")),
    *((mounting(each), f"must be at none of /proc, /sys, /dev, /.runyard, got {each!r}")
      for each in ("/proc", "/dev/shm", "/.runyard", "/.runyard/x")),
    *((mounting(sub_path=each), f"sub_path: must be relative, without . and .. and double slashes, got {each!r}")
      for each in ("/etc", "..", "../x", "a/../../b", ".", "a/", "a//b")),
]  # fmt: skip


@pytest.mark.parametrize(("changes", "told"), REFUSED, ids=range(len(REFUSED)))
def test_document_that_asks_for_too_much_is_refused_with_field_and_value(changes: dict[str, Any], told: str) -> None:
    with pytest.raises(UsageError) as caught:
        check_document(replace(document(), **changes), STACK)
    assert told in str(caught.value)


@pytest.mark.parametrize(
    "changes",
    [
        {"network": "runyard.test.tenant.default.internal"},
        {"callees": ("cart",)},
        {"gateway_address": ""},
        {"labels": {"team": "a"}},
        {"identity": "hello-1.0a1b"},
        mounting("/var/lib/data", "a/b"),
        mounting("/processes"),
        files(file="deep/er", mode=0o777),
    ],
)
def test_what_a_plan_makes_is_taken(changes: dict[str, Any]) -> None:
    check_document(replace(document(), **changes), STACK)


def test_traffic_over_two_writers_of_a_volume_is_refused() -> None:
    one, two = (document(f"hello-{number}", volumes=(DATA,)) for number in (1, 2))
    shares = TrafficShare("hello-1", 100), TrafficShare("hello-2", 0, "next")
    with pytest.raises(UsageError, match=r"that have volume runyard\.test\.volume\.default\.data, got 2"):
        check_writers(RolloutRequest("default", "hello", shares), (one, two))
    check_writers(RolloutRequest("default", "hello", shares), (one, document("hello-2")))
    check_writers(RolloutRequest("default", "hello", shares[:1]), (one, two))
