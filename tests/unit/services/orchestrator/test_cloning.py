from __future__ import annotations

from dataclasses import replace

import pytest

from runyard import names
from runyard.contracts import RevisionSpec, TemplateSpec
from services.orchestrator.cloning import Placement, clone_config, clone_name
from services.orchestrator.state import Revision, Template

SPEC = RevisionSpec("web", 8080, ("app", "proxy"))


def template(container: str, host_config: dict[str, object] | None = None, **config: object) -> Template:
    return Template(
        id="abcdef1234567890",
        tenant="shop",
        service="web",
        revision="web-1",
        spec=TemplateSpec(container, 64, revision=SPEC if container == "app" else None),
        network="net",
        image="sha256:resolved",
        config={"Image": "web:latest", "Labels": {names.STACK: "s", names.ROLE: names.ROLE_TEMPLATE}, **config},
        host_config=host_config or {},
    )


def clone(of: Template, placement: Placement, *others: Template) -> dict[str, object]:
    return clone_config(of, placement, Revision("shop", "web", "web-1", SPEC, (of, *others)))


ALONE = Placement("7f", address="10.1.0.9")


def test_clone_keeps_what_the_template_says() -> None:
    made = clone(template("app", {"Memory": 64, "CapDrop": ["ALL"]}, Env=["A=1"], Cmd=["run"], User="65534"), ALONE)
    assert (made["Env"], made["Cmd"], made["User"]) == (["A=1"], ["run"], "65534")
    assert made["HostConfig"]["Memory"] == 64
    assert made["HostConfig"]["CapDrop"] == ["ALL"]


def test_clone_runs_the_image_that_the_template_resolved() -> None:
    assert clone(template("app"), ALONE)["Image"] == "sha256:resolved"


def test_clone_is_labelled_as_an_instance() -> None:
    assert clone(template("app"), ALONE)["Labels"] == {
        names.STACK: "s",
        names.ROLE: names.ROLE_INSTANCE,
        names.CONTAINER: "app",
        names.INSTANCE: "7f",
    }


def test_clone_gets_its_static_address_in_the_template_s_network() -> None:
    made = clone(template("app"), ALONE)
    assert made["HostConfig"]["NetworkMode"] == "net"
    assert made["NetworkingConfig"] == {"EndpointsConfig": {"net": {"IPAMConfig": {"IPv4Address": "10.1.0.9"}}}}


def test_clone_is_limited_and_left_alone_by_the_engine() -> None:
    host = clone(template("app", {"RestartPolicy": {"Name": "always"}}), ALONE)["HostConfig"]
    assert host["PidsLimit"] == 64
    assert host["RestartPolicy"] == {"Name": "no"}
    assert host["LogConfig"] == {"Type": "json-file", "Config": {"max-size": "10m", "max-file": "3"}}
    assert clone(template("app"), ALONE)["Healthcheck"] == {"Test": ["NONE"]}


@pytest.mark.parametrize(
    ("swap", "expected"),
    [
        (128, {"Memory": 100, "MemorySwap": 100}),
        (160, {"Memory": 100, "MemorySwap": 132}),
        (-1, {"Memory": 100, "MemorySwap": -1}),
        (0, {"Memory": 100, "MemorySwap": 0}),
    ],
)
def test_clone_gets_the_exact_memory_where_the_template_s_is_rounded(swap: int, expected: dict[str, int]) -> None:
    rounded = template("app", {"Memory": 128, "MemorySwap": swap})
    exact = replace(rounded, spec=replace(rounded.spec, memory_bytes=100))
    host = clone(exact, ALONE)["HostConfig"]
    assert {key: host[key] for key in expected} == expected


def test_hostname_that_docker_made_up_is_not_copied() -> None:
    assert "Hostname" not in clone(template("app", Hostname="abcdef123456"), ALONE)
    assert clone(template("app", Hostname="web"), ALONE)["Hostname"] == "web"


def test_sidecar_lives_in_the_owner_s_namespace_without_what_that_owner_decides() -> None:
    inside = Placement("7f", owner="c0ffee")
    sidecar = template("proxy", {"ExtraHosts": ["cart.internal:10.0.0.1"], "Dns": ["1.1.1.1"]}, ExposedPorts={"80": {}})
    made = clone(sidecar, inside)
    assert made["HostConfig"]["NetworkMode"] == "container:c0ffee"
    assert not {"ExtraHosts", "Dns"} & made["HostConfig"].keys()
    assert not {"ExposedPorts", "NetworkingConfig"} & made.keys()


def test_owner_of_the_namespace_knows_the_names_that_any_container_may_call() -> None:
    first = template("proxy")
    made = clone(first, ALONE, template("app", {"ExtraHosts": ["cart.internal:10.0.0.1"]}))
    assert made["HostConfig"]["ExtraHosts"] == ["cart.internal:10.0.0.1"]


@pytest.mark.parametrize(
    ("declared", "path"),
    [("/data", "/data"), ("/srv/a/../b/", "/srv/b"), ("//x", "/x"), ("data", "data")],
    ids=["plain", "climbing", "two_slashes", "relative_for_docker_to_refuse"],
)
def test_volume_of_the_image_is_memory_of_the_instance_and_not_disk_of_the_host(declared: str, path: str) -> None:
    host = clone(template("app", Volumes={declared: {}}), ALONE)["HostConfig"]
    assert host["Tmpfs"] == {path: "rw,nosuid,nodev,mode=1777,size=67108864"}


def test_volume_of_the_image_leaves_the_manifest_s_own_mount_alone() -> None:
    of = template("app", {"Tmpfs": {"/data": "rw,size=5"}}, Volumes={"/data": {}, "/more": {}})
    limited = replace(of, spec=replace(of.spec, memory_bytes=1000))
    assert clone(limited, ALONE)["HostConfig"]["Tmpfs"] == {
        "/data": "rw,size=5",
        "/more": "rw,nosuid,nodev,mode=1777,size=1000",
    }


def test_template_is_left_as_it_was() -> None:
    original = template("app", {"Memory": 64})
    clone(original, ALONE)
    assert original.host_config == {"Memory": 64}
    assert original.config["Labels"][names.ROLE] == names.ROLE_TEMPLATE


def test_clone_is_named_by_its_identity() -> None:
    assert clone_name("dev", template("app"), "7f") == "runyard.dev.shop.web-1.app.7f"
