"""What an instance consists of, in which order it starts, and what of it may be missing."""

from __future__ import annotations

from runyard import names
from runyard.contracts import ContainerDocument, VolumeDocument, VolumeMount
from services.orchestrator.model.parts import data_volumes, mounted_parts, parts_of, prepared_volumes, start_order

from ..world import container, document

WORK, DATA = VolumeDocument("work", "shared", 10), VolumeDocument("data", "persistent", 20)


def order(*containers: ContainerDocument, init: tuple[str, ...] = (), volumes: tuple[VolumeDocument, ...] = ()) -> str:
    spec = document("hello-1", *containers, init_containers=tuple(map(container, init)), volumes=volumes)
    return " ".join(each.document.name for each in parts_of(spec))


def mounting(*mounts: VolumeMount, name: str = "app") -> ContainerDocument:
    return container(name, volume_mounts=mounts)


def test_instance_without_init_containers_and_volumes_is_its_containers_alone() -> None:
    assert order(container(depends_on=("db",)), container("db")) == "db app"


def test_init_containers_come_first_and_need_somebody_who_owns_the_network() -> None:
    assert order(container(), init=("one", "two")) == "_holder one two app"


def test_shared_memory_is_held_by_a_helper() -> None:
    assert order(mounting(VolumeMount("work", "/work")), volumes=(WORK,)) == "_holder app"


def test_persistent_volume_is_prepared_and_needs_no_holder() -> None:
    assert order(mounting(VolumeMount("data", "/data")), volumes=(DATA,)) == "_preparer app"


def test_directories_are_made_and_held_before_anything_of_the_tenants_runs() -> None:
    mounts = (VolumeMount("work", "/work", sub_path="a"), VolumeMount("data", "/data"))
    assert order(mounting(*mounts), init=("one",), volumes=(WORK, DATA)) == "_holder _preparer _parts one app"


def test_each_directory_is_held_once_and_made_where_it_belongs() -> None:
    spec = document(
        "hello-1",
        mounting(VolumeMount("data", "/a", sub_path="b/c"), VolumeMount("work", "/w")),
        mounting(VolumeMount("data", "/z", sub_path="b/c"), VolumeMount("data", "/y", sub_path="a"), name="side"),
        volumes=(DATA, WORK),
    )
    assert mounted_parts(spec) == (("data", "a"), ("data", "b/c"))
    assert prepared_volumes(spec) == {"data": ("a", "b/c")}
    parts = {each.document.name: each.document for each in parts_of(spec)}
    assert parts[names.PREPARER].entrypoint == ("/.runyard/launch", "prepare", "/volumes/data", "a", "b/c")
    assert [(each.volume, each.sub_path) for each in parts[names.PARTS_HOLDER].volume_mounts] == [
        ("data", "a"),
        ("data", "b/c"),
    ]
    assert [each.volume for each in parts[names.HOLDER].volume_mounts] == ["work"]
    assert {parts[each].user for each in (names.HOLDER, names.PARTS_HOLDER)} == {"65534:65534"}


def test_what_is_written_to_and_stays_is_named_for_the_tenant() -> None:
    spec = document("hello-1", tenant="acme", volumes=(WORK, DATA))
    assert data_volumes(spec) == ("runyard.test.volume.acme.data",)


def test_start_order_puts_dependencies_first_and_keeps_the_rest() -> None:
    ordered = start_order([container("app", depends_on=("db",)), container("log"), container("db")])
    assert [each.name for each in ordered] == ["log", "db", "app"]


def test_start_order_of_a_cycle_still_has_everybody_once() -> None:
    ordered = start_order([container("a", depends_on=("b",)), container("b", depends_on=("a",))])
    assert [each.name for each in ordered] == ["a", "b"]
