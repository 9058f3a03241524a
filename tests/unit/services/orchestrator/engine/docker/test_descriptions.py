from __future__ import annotations

from typing import Any

import pytest

from runyard import names
from runyard.errors import HostError
from services.orchestrator.engine.docker.descriptions import (
    addresses_of,
    addresses_of_network,
    placement_of,
    read_instance,
    read_orphan,
)
from services.orchestrator.engine.docker.images import Image
from services.orchestrator.engine.docker.making import Placement, container_config, container_name
from services.orchestrator.model.entry import BookedContainer, BookEntry
from services.orchestrator.model.instance import DEFAULT_GRACE_S, Container
from services.orchestrator.model.revision import Revision

from ...world import NETWORK, FakeEngine, container, document

REVISION = Revision(document("web-1", container(depends_on=("db",)), container("db"), service="web"))
ENTRY = BookEntry(
    "7f",
    "default",
    "web",
    "web-1",
    "web-1",
    NETWORK,
    "10.1.0.9",
    tuple(BookedContainer(name, container_name(REVISION, name, "7f"), f"id-{name}") for name in ("db", "app")),
)


def inspection(name: str, **changes: Any) -> dict[str, Any]:
    """Describe a container of the entry as the engine would."""
    engine, of = FakeEngine(), REVISION.container(name)
    assert of is not None
    config = container_config(REVISION, of, placement_of(ENTRY, REVISION, name), Image("sha256:abc"))
    made = engine.containers[engine.add(container_name(REVISION, name, "7f"), config)]
    return {**made, "Id": f"id-{name}", "State": {"Status": "running", "ExitCode": 0}, **changes}


def inspections(**changes: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {f"id-{name}": inspection(name, **changes.get(name, {})) for name in ("db", "app")}


def test_first_to_start_owns_the_address_and_the_others_live_with_it() -> None:
    assert placement_of(ENTRY, REVISION, "db") == Placement("7f", address="10.1.0.9")
    assert placement_of(ENTRY, REVISION, "app") == Placement("7f", owner="id-db")


def test_instance_is_what_the_book_says_in_the_state_that_the_engine_says() -> None:
    ended = {"State": {"Status": "exited", "ExitCode": 2, "OOMKilled": True}}
    instance = read_instance(ENTRY, inspections(app=ended), REVISION)
    assert (instance.id, instance.key, instance.service_key) == ("7f", "default/web-1", "default/web")
    assert (instance.address, instance.network, instance.grace_s) == ("10.1.0.9", NETWORK, 3)
    assert instance.identity == "web-1"
    assert instance.containers == (
        Container("id-db", "db", "running"),
        Container("id-app", "app", "exited", exit_code=2, oom_killed=True),
    )


def test_instance_without_its_document_is_taken_as_it_is_and_drained_by_default() -> None:
    instance = read_instance(ENTRY, inspections(app={"Name": "/renamed"}), None)
    assert instance.grace_s == DEFAULT_GRACE_S
    assert {each.edited for each in instance.containers} == {""}


def test_container_that_went_is_absent() -> None:
    seen = {"id-db": inspection("db")}
    assert [each.name for each in read_instance(ENTRY, seen, REVISION).containers] == ["db"]


def test_orphans_of_one_instance_are_read_as_the_book_had_them() -> None:
    assert read_orphan(list(inspections().values()), REVISION) == ENTRY


@pytest.mark.parametrize(
    "group",
    [
        [inspection("db")],
        [inspection("db"), inspection("app"), inspection("app", Id="more")],
        [inspection("db", NetworkSettings={"Networks": {}}), inspection("app")],
        [inspection("db", Config={"Labels": {names.INSTANCE: "7f"}}), inspection("app")],
    ],
    ids=["half", "one_more", "no_address", "no_name"],
)
def test_orphans_that_are_no_whole_instance_are_none(group: list[dict[str, Any]]) -> None:
    assert read_orphan(group, REVISION) is None


def test_stopped_instance_keeps_the_address_it_reserved() -> None:
    networks = {"net": {"IPAMConfig": {"IPv4Address": "10.1.0.9"}, "IPAddress": ""}}
    assert addresses_of({"NetworkSettings": {"Networks": networks}}) == {"net": "10.1.0.9"}


def test_address_that_docker_chose_counts_too() -> None:
    networks = {"net": {"IPAMConfig": None, "IPAddress": "10.1.0.4"}}
    assert addresses_of({"NetworkSettings": {"Networks": networks}}) == {"net": "10.1.0.4"}


def test_network_tells_its_subnet_and_what_is_taken() -> None:
    endpoints = {"1": {"IPv4Address": "10.1.0.4/24"}, "2": {"IPv4Address": ""}}
    network = {"Name": "net", "IPAM": {"Config": [{"Subnet": "10.1.0.0/24"}]}, "Containers": endpoints}
    assert addresses_of_network(network) == ("10.1.0.0/24", {"10.1.0.1", "10.1.0.4"})


def test_network_with_only_ipv6_is_refused_by_name() -> None:
    with pytest.raises(HostError) as caught:
        addresses_of_network({"Name": "net", "IPAM": {"Config": [{"Subnet": "fd00::/64"}]}})
    assert str(caught.value) == "read network net: it has no IPv4 subnet"
