"""Things, from what the engine's listings have of them and what they leave out."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from runyard.host.thing import Found, Thing, containers_of, found_of, networks_of, volumes_of

LABELS = {"runyard.dev/stack": "dev", "runyard.dev/role": "gateway"}


def listed(**changes: Any) -> dict[str, Any]:
    return {"Id": "1", "Names": ["/web"], "Labels": LABELS, "Created": 1_795_435_200, "State": "running", **changes}


def published(*ports: dict[str, Any]) -> tuple[str, ...]:
    (found,) = containers_of([listed(Ports=list(ports))])
    return found.published


def test_container_has_the_stack_and_the_role_of_its_labels() -> None:
    assert containers_of([listed()]) == [Thing("container", "web", "1", "dev", "gateway")]
    assert containers_of([listed(Labels=None)]) == [Thing("container", "web", "1")]


def test_container_that_is_just_being_removed_has_no_name() -> None:
    (found,) = containers_of([listed(Names=[])])
    assert found.name == found_of(listed(Names=None)).name == ""


def test_ports_are_those_of_tcp_that_the_host_has() -> None:
    tcp = {"PrivatePort": 80, "Type": "tcp"}
    assert published(
        {**tcp, "IP": "127.0.0.1", "PublicPort": 8080},
        {**tcp, "IP": "::", "PublicPort": 8080},
        {**tcp, "PublicPort": 8081},
        {**tcp, "Type": "udp", "IP": "127.0.0.1", "PublicPort": 53},
        tcp,
    ) == ("127.0.0.1:8080", ":::8080", ":8081")
    assert containers_of([listed(Ports=None)])[0].published == ()


def test_network_has_the_subnets_that_it_was_given() -> None:
    pools = [{"Subnet": "10.0.0.0/24", "Gateway": "10.0.0.1"}, {"Gateway": "10.1.0.1"}]
    networks: list[dict[str, Any]] = [
        {"Name": "inner", "Id": "1", "Labels": LABELS, "IPAM": {"Config": pools}},
        {"Name": "host", "Id": "2", "Labels": None, "IPAM": {"Config": None}},
        {"Name": "none", "Id": "3", "Labels": {}, "IPAM": None},
    ]
    assert networks_of(networks) == [
        Thing("network", "inner", "1", "dev", "gateway", ("10.0.0.0/24",)),
        Thing("network", "host", "2"),
        Thing("network", "none", "3"),
    ]


def test_volume_is_known_by_its_name() -> None:
    assert volumes_of([{"Name": "kept", "Labels": None}]) == [Thing("volume", "kept", "kept")]


def test_container_of_a_listing_has_the_engines_time_and_word() -> None:
    made = datetime.fromtimestamp(1_795_435_200, UTC)
    assert found_of(listed(Labels=None)) == Found("web", "1", made, {}, "running")
