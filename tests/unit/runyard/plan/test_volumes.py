"""Volumes, variables and init containers of a revision's document, from the manifest's model."""

from __future__ import annotations

from typing import Any

import pytest

from runyard import contracts
from runyard.contracts import (
    FilesMount,
    MemoryMount,
    RevisionDocument,
    SecretFile,
    SecretValue,
    Variable,
    VolumeDocument,
    VolumeMount,
)
from runyard.manifest.model import (
    Container,
    EnvFrom,
    EnvVar,
    FileSource,
    KeyReference,
    PersistentVolume,
    Scaling,
    Service,
    Volume,
    VolumeItem,
)
from runyard.manifest.model import VolumeMount as Mount
from runyard.plan import plan
from tests.unit.runyard.plan.example import container, manifests, service, template

DIGESTS = {"db/user": "u", "db/password": "p", "token/latest": "t", "token/1": "t"}
TMP = MemoryMount("/tmp", 64 * 1024**2)
CACHE = Volume("cache", "emptyDir", size_limit_bytes=1024)
MEMORY = 512 * 1024**2


def document(subject: Service, digests: dict[str, str] | None = None) -> RevisionDocument:
    known = {"default": DIGESTS if digests is None else digests}
    return plan(manifests(subject), secret_digests=known).services[0].revision.document


def mounting(*mounts: Mount, volumes: tuple[Volume, ...] = (CACHE,), **changes: Any) -> RevisionDocument:
    return document(
        service(template=template(containers=(container(volume_mounts=mounts),), volumes=volumes, **changes))
    )


def test_empty_directory_of_one_container_at_one_place_is_its_own_memory() -> None:
    found = mounting(Mount("cache", "/var/cache/", read_only=False))
    assert found.containers[0].memory_mounts == (TMP, MemoryMount("/var/cache", 1024))
    assert (found.volumes, found.containers[0].volume_mounts) == ((), ())


def test_empty_directory_without_a_size_is_as_large_as_its_containers_memory() -> None:
    found = mounting(Mount("cache", "/cache", read_only=False), volumes=(Volume("cache", "emptyDir"),))
    assert found.containers[0].memory_mounts == (MemoryMount("/cache", MEMORY), TMP)


def test_volume_that_nobody_mounts_is_in_no_document() -> None:
    assert mounting() == document(service())


@pytest.mark.parametrize("others", ["containers", "init_containers"])
def test_empty_directory_of_two_containers_is_shared(others: str) -> None:
    own = container(volume_mounts=(Mount("cache", "/cache", read_only=False),))
    other = Container("other", "a:1", volume_mounts=(Mount("cache", "/in", read_only=True, sub_path="a/b"),))
    more: dict[str, Any] = {"containers": (own, other)} if others == "containers" else {"init_containers": (other,)}
    found = document(service(template=template(**{"containers": (own,), "volumes": (CACHE,), **more})))
    assert found.volumes == (VolumeDocument("cache", "shared", 1024),)
    assert found.containers[0].volume_mounts == (VolumeMount("cache", "/cache"),)
    assert found.containers[0].memory_mounts == (TMP,)
    (beside,) = found.init_containers or found.containers[1:]
    assert beside.volume_mounts == (VolumeMount("cache", "/in", read_only=True, sub_path="a/b"),)


@pytest.mark.parametrize(
    "mounts",
    [
        (Mount("cache", "/a", read_only=False), Mount("cache", "/b", read_only=False)),
        (Mount("cache", "/a", read_only=True),),
        (Mount("cache", "/a", read_only=False, sub_path="part"),),
    ],
    ids=["twice", "to read", "in part"],
)
def test_empty_directory_that_is_not_simply_there_is_shared(mounts: tuple[Mount, ...]) -> None:
    found = mounting(*mounts)
    assert found.volumes == (VolumeDocument("cache", "shared", 1024),)
    assert found.containers[0].volume_mounts == tuple(
        VolumeMount("cache", each.path, each.read_only, each.sub_path) for each in mounts
    )


def test_shared_directory_without_a_size_is_as_large_as_the_instances_memory() -> None:
    mount = Mount("cache", "/cache", read_only=False)
    both = (container(volume_mounts=(mount,)), Container("other", "a:1", volume_mounts=(mount,)))
    found = document(service(template=template(containers=both, volumes=(Volume("cache", "emptyDir"),))))
    assert found.volumes == (VolumeDocument("cache", "shared", 2 * MEMORY),)


@pytest.mark.parametrize("volume", [CACHE, Volume("cache", "secret", (FileSource("secret", "token"),))])
def test_volume_at_tmp_takes_the_place_of_the_usual_one(volume: Volume) -> None:
    found = mounting(Mount("cache", "/tmp", read_only=volume.kind != "emptyDir"), volumes=(volume,)).containers[0]
    assert [each.path for each in found.memory_mounts] + [each.path for each in found.file_mounts] == ["/tmp"]


def test_secret_volume_is_files_with_their_modes_and_digests_and_no_values() -> None:
    items = (VolumeItem("user", "login/name", 0o400), VolumeItem("password", "login/word"))
    volume = Volume("files", "secret", (FileSource("secret", "db", items),), default_mode=0o440)
    found = mounting(Mount("files", "/run/db/"), volumes=(volume,))
    assert found.containers[0].file_mounts == (
        FilesMount(
            "/run/db",
            (
                SecretFile("login/name", SecretValue("db", "user", "u"), 0o400),
                SecretFile("login/word", SecretValue("db", "password", "p"), 0o440),
            ),
        ),
    )
    assert found.secrets == (SecretValue("db", "password", "p"), SecretValue("db", "user", "u"))


def test_directory_of_a_secret_volume_has_only_its_files() -> None:
    items = (VolumeItem("user", "a/b/name"), VolumeItem("password", "ab/word"))
    volume = Volume("files", "secret", (FileSource("secret", "db", items),))
    found = mounting(Mount("files", "/in", sub_path="a"), volumes=(volume,))
    (mount,) = found.containers[0].file_mounts
    assert [(each.path, each.mode) for each in mount.files] == [("b/name", 0o444)]


def test_projection_joins_its_sources_and_the_last_of_a_path_counts() -> None:
    sources = (
        FileSource("configMap", "db"),
        FileSource("secret", "token"),
        FileSource("secret", "token", (VolumeItem("1", "user"),)),
        FileSource("secret", "absent", optional=True),
    )
    found = mounting(Mount("all", "/all"), volumes=(Volume("all", "projected", sources),))
    (mount,) = found.containers[0].file_mounts
    assert {each.path: (each.secret.name, each.secret.key) for each in mount.files} == {
        "password": ("db", "password"),
        "token": ("token", "latest"),
        "user": ("token", "1"),
    }


def test_persistent_volume_is_the_ingress_containers_and_whoever_mounts_it() -> None:
    sidecar = Container("backup", "a:1", volume_mounts=(Mount("data", "/data", read_only=True, sub_path="db"),))
    subject = service(
        template=template(containers=(sidecar, container()), scaling=Scaling(max_scale=1)),
        persistent_volumes=(PersistentVolume("data", 4096, "/var/lib/data/"),),
    )
    found = document(subject)
    assert found.volumes == (VolumeDocument("data", "persistent", 4096),)
    assert [each.volume_mounts for each in found.containers] == [
        (VolumeMount("data", "/var/lib/data"),),
        (VolumeMount("data", "/data", read_only=True, sub_path="db"),),
    ]
    assert found.max_instances == 1


def test_variables_of_whole_secrets_come_before_those_that_are_named() -> None:
    holder = container(
        env=(EnvVar("user", "own"), EnvVar("X", reference=KeyReference("secret", "token", "1"))),
        env_from=(EnvFrom("configMap", "db"), EnvFrom("secret", "db", "DB_"), EnvFrom("secret", "absent")),
    )
    found = document(service(template=template(containers=(holder,))))
    assert {each.name: each for each in found.containers[0].environment if not each.name.startswith("K_")} == {
        "DB_password": Variable("DB_password", secret=SecretValue("db", "password", "p")),
        "DB_user": Variable("DB_user", secret=SecretValue("db", "user", "u")),
        "PORT": Variable("PORT", "8080"),
        "X": Variable("X", secret=SecretValue("token", "1", "t")),
        "password": Variable("password", secret=SecretValue("db", "password", "p")),
        "user": Variable("user", "own"),
    }


def test_names_of_the_platform_are_no_secrets_to_set() -> None:
    known = {"all/PORT": "a", "all/K_SERVICE": "b"}
    found = document(service(template=template(containers=(container(env_from=(EnvFrom("secret", "all"),)),))), known)
    assert found.secrets == ()


@pytest.mark.parametrize(("optional", "expected"), [(True, ()), (False, (SecretValue("db", "absent", ""),))])
def test_variable_without_a_value_is_left_out_where_it_is_optional(
    optional: bool, expected: tuple[SecretValue, ...]
) -> None:
    token = EnvVar("TOKEN", reference=KeyReference("secret", "db", "absent", optional))
    assert document(service(template=template(containers=(container(env=(token,)),)))).secrets == expected


def test_init_containers_stand_apart_in_their_order_without_a_port() -> None:
    first, second = Container("z-first", "a:1", args=("x",)), Container("a-second", "b:1", run_as_user=7)
    found = document(service(template=template(init_containers=(first, second))))
    assert [(each.name, each.command, each.user) for each in found.init_containers] == [
        ("z-first", ("x",), ""),
        ("a-second", (), "7"),
    ]
    assert [each.name for each in found.init_containers[0].environment] == ["K_CONFIGURATION", "K_SERVICE"]
    assert found.init_containers[0].memory_mounts == (TMP,)
    assert [each.name for each in found.containers] == ["hello"]


def test_revision_changes_with_the_order_of_what_runs_first() -> None:
    first, second = Container("first", "a:1"), Container("second", "b:1")
    one, other = (
        document(service(template=template(init_containers=order))) for order in ((first, second), (second, first))
    )
    assert one.digest != other.digest


def test_document_with_everything_is_read_back_as_it_was() -> None:
    volumes = (CACHE, Volume("files", "secret", (FileSource("secret", "db"),)))
    mounts = (Mount("cache", "/cache", sub_path="x"), Mount("files", "/files"))
    holder = container(volume_mounts=mounts, env_from=(EnvFrom("secret", "db"),))
    shape = template(containers=(holder,), volumes=volumes, init_containers=(Container("first", "a:1"),))
    found = document(service(template=shape, persistent_volumes=(PersistentVolume("data", 4096, "/data"),)))
    assert contracts.decode(RevisionDocument, contracts.encode(found)) == found
