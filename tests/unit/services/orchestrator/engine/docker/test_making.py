from __future__ import annotations

from typing import Any

import pytest

from runyard import names
from runyard.contracts import (
    ContainerDocument,
    FilesMount,
    MemoryMount,
    SecretFile,
    SecretValue,
    Variable,
    VolumeDocument,
    VolumeMount,
)
from services.orchestrator.engine.docker.images import Image
from services.orchestrator.engine.docker.making import Placement, container_config, placement_of
from services.orchestrator.engine.docker.seccomp import SECURITY_OPTION
from services.orchestrator.model.entry import BookedContainer, container_name, entry_of
from services.orchestrator.model.revision import Revision

from ...world import NETWORK, container, document

NO_COPY = {"VolumeOptions": {"NoCopy": True}}
ALONE = Placement("7f", address="10.130.0.9")
IMAGE = Image("sha256:abc", ("/entry",), ("serve", "now"), {"PATH": "/bin", "A": "image"}, "/srv", "nobody")


def config(of: ContainerDocument, image: Image = IMAGE, placement: Placement = ALONE, **fields: Any) -> dict[str, Any]:
    return container_config(Revision(document("hello-1", of, **fields)), of, placement, image)


def host(of: ContainerDocument, image: Image = IMAGE, **fields: Any) -> dict[str, Any]:
    return dict(config(of, image, **fields)["HostConfig"])


def test_hardening_is_ours_whatever_the_document_says() -> None:
    made = host(container(cpu_millis=250))
    assert {key: made[key] for key in ("CapDrop", "SecurityOpt", "ReadonlyRootfs", "Privileged")} == {
        "CapDrop": ["ALL"],
        "SecurityOpt": ["no-new-privileges", SECURITY_OPTION],
        "ReadonlyRootfs": True,
        "Privileged": False,
    }
    assert (made["Memory"], made["MemorySwap"], made["PidsLimit"]) == (64 * 2**20, 64 * 2**20, 64)
    assert (made["CpuPeriod"], made["CpuQuota"]) == (100_000, 25_000)
    assert made["Ulimits"] == [
        {"Name": "core", "Soft": 1, "Hard": 1},
        {"Name": "nofile", "Soft": 10_000, "Hard": 10_000},
    ]
    assert made["RestartPolicy"] == {"Name": "no"}
    assert made["LogConfig"] == {"Type": "json-file", "Config": {"max-size": "10m", "max-file": "3"}}
    assert config(container())["Healthcheck"] == {"Test": ["NONE"]}


def test_container_runs_the_image_by_its_id() -> None:
    assert config(container())["Image"] == "sha256:abc"


@pytest.mark.parametrize(
    ("entrypoint", "command", "expected"),
    [
        ((), (), (["/entry"], ["serve", "now"])),
        ((), ("other",), (["/entry"], ["other"])),
        (("/mine",), (), (["/mine"], [])),
        (("/mine",), ("x",), (["/mine"], ["x"])),
    ],
)
def test_process_is_joined_with_the_image_s_as_docker_does(
    entrypoint: tuple[str, ...], command: tuple[str, ...], expected: tuple[list[str], list[str]]
) -> None:
    made = config(container(entrypoint=entrypoint, command=command))
    assert (made["Entrypoint"], made["Cmd"]) == expected


def test_environment_is_the_image_s_then_the_document_s_then_the_revision() -> None:
    made = config(container(environment=(Variable("A", "mine"), Variable("K_REVISION", "forged"))))
    assert made["Env"] == ["A=mine", "K_REVISION=hello-1", "PATH=/bin"]


def test_user_and_directory_are_the_document_s_or_the_image_s() -> None:
    made = config(container(user="1000:1000", working_dir="/app"))
    assert (made["User"], made["WorkingDir"]) == ("1000:1000", "/app")
    assert (config(container())["User"], config(container())["WorkingDir"]) == ("nobody", "/srv")


def test_labels_of_ours_win_over_the_document_s_and_the_image_s() -> None:
    made = config(
        container(),
        Image("i", labels={"maintainer": "x", names.STACK: "forged"}),
        labels={"team": "a", names.ROLE: names.ROLE_GATEWAY},
    )
    assert made["Labels"] == {
        "maintainer": "x",
        "team": "a",
        names.STACK: "test",
        names.TENANT: "default",
        names.SERVICE: "hello",
        names.REVISION: "hello-1",
        names.ROLE: names.ROLE_INSTANCE,
        names.CONTAINER: "app",
        names.INSTANCE: "7f",
    }


def test_first_container_has_its_address_and_knows_what_the_revision_may_call() -> None:
    made = config(container(), callees=("cart", "stock"))
    assert made["HostConfig"]["NetworkMode"] == NETWORK
    assert made["HostConfig"]["ExtraHosts"] == ["cart.internal:10.130.1.1", "stock.internal:10.130.1.1"]
    assert made["NetworkingConfig"] == {"EndpointsConfig": {NETWORK: {"IPAMConfig": {"IPv4Address": "10.130.0.9"}}}}


def test_container_knows_where_it_is_told_of_itself_whether_or_not_it_calls_others() -> None:
    for callees in ((), ("cart",)):
        made = config(container(), callees=callees, metadata=True)
        known = [*(f"{each}.internal:10.130.1.1" for each in callees), "metadata.internal:10.130.1.1"]
        assert made["HostConfig"]["ExtraHosts"] == known


def test_certificate_of_the_authority_comes_through_the_launcher_into_memory() -> None:
    made = config(container(file_mounts=(FilesMount("/run/runyard", authority=True),)))
    assert made["Entrypoint"] == ["/.runyard/launch"]
    assert made["HostConfig"]["Tmpfs"]["/run/runyard"] == f"rw,nosuid,nodev,mode=1777,size={2**20}"


def test_sidecar_lives_in_the_first_one_s_namespace() -> None:
    made = config(
        container("proxy"), placement=Placement("7f", address="10.130.0.9", owner="c0ffee"), callees=("cart",)
    )
    assert made["HostConfig"]["NetworkMode"] == "container:c0ffee"
    assert "ExtraHosts" not in made["HostConfig"]
    assert "NetworkingConfig" not in made


def test_first_to_start_owns_the_address_and_the_others_live_with_it() -> None:
    revision = Revision(document("web-1", container(depends_on=("db",)), container("db")))
    booked = tuple(BookedContainer(each, f"name-{each}", f"id-{each}") for each in ("db", "app"))
    entry = entry_of(revision, "7f", "10.1.0.9", booked)
    assert placement_of(entry, revision, "db") == Placement("7f", address="10.1.0.9")
    assert placement_of(entry, revision, "app") == Placement("7f", owner="id-db")


def test_volume_of_the_image_is_memory_and_leaves_the_document_s_own_alone() -> None:
    own = container(memory_mounts=(MemoryMount("/data", 5),))
    assert host(own, Image("i", volumes=("/data", "/more")))["Tmpfs"] == {
        "/data": "rw,nosuid,nodev,mode=1777,size=5",
        "/more": f"rw,nosuid,nodev,mode=1777,size={64 * 2**20}",
    }


SECRET = SecretValue("db", "latest", "d1")


def test_secrets_come_through_the_launcher_and_stand_nowhere() -> None:
    made = config(
        container(
            environment=(Variable("DB", secret=SECRET), Variable("PLAIN", "x")),
            file_mounts=(FilesMount("/secrets", (SecretFile("db", SECRET), SecretFile("other", SECRET))),),
        )
    )
    assert (made["Entrypoint"], made["Cmd"]) == (["/.runyard/launch"], ["--", "/entry", "serve", "now"])
    assert (made["OpenStdin"], made["StdinOnce"]) == (True, True)
    assert made["HostConfig"]["Mounts"] == [
        {"Type": "volume", "Source": "runyard.test.launcher", "Target": "/.runyard", "ReadOnly": True, **NO_COPY}
    ]
    assert made["HostConfig"]["Tmpfs"]["/secrets"] == f"rw,nosuid,nodev,mode=1777,size={2 * 2**20}"
    assert not any(each.startswith("DB=") for each in made["Env"])


def test_container_without_secrets_has_no_launcher_and_no_input() -> None:
    made = config(container())
    assert (made["OpenStdin"], made["HostConfig"]["Mounts"]) == (False, [])


def test_container_is_named_by_its_identity() -> None:
    revision = Revision(document("web-1", tenant="shop"))
    assert container_name(revision, "app", "7f") == "runyard.test.shop.web-1.app.7f"


DATA, WORK = VolumeDocument("data", "persistent", 1), VolumeDocument("work", "shared", 1)


def test_volumes_are_mounted_by_the_names_that_the_engine_has_and_nothing_is_copied_into_them() -> None:
    mounts = (
        VolumeMount("data", "/data"),
        VolumeMount("work", "/work", read_only=True),
        VolumeMount("work", "/part", sub_path="a/b"),
    )
    made = host(container(volume_mounts=mounts), volumes=(DATA, WORK))["Mounts"]
    assert [(each["Source"], each["Target"], each["ReadOnly"]) for each in made] == [
        ("runyard.test.volume.default.data", "/data", False),
        ("runyard.test.default.hello-1.work.7f", "/work", True),
        (f"runyard.test.default.hello-1.work.7f.{names.digest('a/b')[:8]}", "/part", False),
    ]
    assert all(each["VolumeOptions"] == {"NoCopy": True} for each in made)


def test_volume_lies_where_the_image_declares_one_and_no_memory_is_laid_over_it() -> None:
    image = Image("sha256:abc", volumes=("/data", "/other"))
    made = host(container(volume_mounts=(VolumeMount("data", "/data"),)), image, volumes=(DATA,))
    assert list(made["Tmpfs"]) == ["/other"]


def test_only_the_helper_that_prepares_volumes_may_more_and_it_has_no_network() -> None:
    mount = VolumeMount("data", "/data", sub_path="a")
    revision = Revision(document("hello-1", container(volume_mounts=(mount,)), volumes=(DATA, WORK)))
    made = {
        each.document.name: container_config(revision, each.document, Placement("7f"), IMAGE)["HostConfig"]
        for each in revision.parts
    }
    assert {name: each.get("CapAdd", []) for name, each in made.items()} == {
        "_holder": [],
        "_preparer": ["CAP_DAC_OVERRIDE"],
        "_parts": [],
        "app": [],
    }
    assert {each["NetworkMode"] for each in made.values()} == {"none"}
    assert {each["Target"] for each in made["_preparer"]["Mounts"]} == {"/volumes/data", "/.runyard"}


def test_runtime_is_the_document_s_or_the_engine_s_default() -> None:
    assert host(container())["Runtime"] == ""
    assert host(container(), runtime="runsc")["Runtime"] == "runsc"


@pytest.mark.parametrize(
    ("millis", "shares"), [(1000, 0), (0, 2), (1, 2), (250, 256), (2000, 2048), (1_000_000, 262_144)]
)
def test_weight_of_cpu_is_in_shares_as_kubelet_gives_them(millis: int, shares: int) -> None:
    assert host(container(cpu_weight_millis=millis))["CpuShares"] == shares


def test_root_can_be_written_where_the_document_says_so_and_all_else_stays() -> None:
    usual, made = host(container()), host(container(writable_root=True))
    assert made == {**usual, "ReadonlyRootfs": False}
