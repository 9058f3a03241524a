from __future__ import annotations

from typing import Any

import pytest

from runyard import names
from runyard.errors import HostError
from services.orchestrator.engine.docker.descriptions import (
    addresses_of,
    read_container,
    read_moment,
    read_state,
    read_subnet,
)
from services.orchestrator.engine.port import SeenContainer, Subnet


def inspection(**changes: Any) -> dict[str, Any]:
    """Describe a container as Docker does."""
    labels = {names.TENANT: "shop", names.REVISION: "web-1", names.INSTANCE: "7f", names.CONTAINER: "app"}
    return {
        "Id": "c0ffee",
        "Name": "/web",
        "Config": {"Labels": labels},
        "State": {"Status": "exited", "ExitCode": 137, "OOMKilled": True},
        "NetworkSettings": {"Networks": {"net": {"IPAMConfig": {"IPv4Address": "10.1.0.9"}}}},
        **changes,
    }


def test_container_is_what_docker_shows_and_what_its_labels_claim() -> None:
    seen, places = inspection(), {"net": "10.1.0.9"}
    whose = ("shop", "web-1", "7f", "app")
    assert read_container(seen) == SeenContainer("c0ffee", "web", "ended", *whose, 137, True, places, seen)


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2026-11-23T12:00:00.123456789Z", 1_795_435_200_123),
        ("2026-11-23T12:00:00.5Z", 1_795_435_200_500),
        ("2026-11-23T12:00:00Z", 1_795_435_200_000),
        ("0001-01-01T00:00:00Z", 0),
        ("", 0),
    ],
)
def test_start_is_read_to_the_millisecond_and_one_that_never_came_is_none(text: str, moment: int) -> None:
    assert read_moment(text) == moment
    assert read_container(inspection(State={"Status": "running", "StartedAt": text})).started_ms == moment


@pytest.mark.parametrize("status", ["exited", "dead", "removing"])
def test_container_that_never_runs_again_has_ended(status: str) -> None:
    assert read_state(status) == "ended"


@pytest.mark.parametrize("status", ["created", "running", "paused", "restarting"])
def test_other_status_is_the_state(status: str) -> None:
    assert read_state(status) == status


def test_container_without_labels_claims_nothing() -> None:
    seen = read_container(inspection(Config={"Labels": None}))
    assert (seen.tenant, seen.revision, seen.instance, seen.container) == ("", "", "", "")


def test_stopped_container_keeps_the_address_it_reserved() -> None:
    networks = {"net": {"IPAMConfig": {"IPv4Address": "10.1.0.9"}, "IPAddress": ""}}
    assert addresses_of({"NetworkSettings": {"Networks": networks}}) == {"net": "10.1.0.9"}


def test_address_that_docker_chose_counts_too() -> None:
    networks = {"net": {"IPAMConfig": None, "IPAddress": "10.1.0.4"}}
    assert addresses_of({"NetworkSettings": {"Networks": networks}}) == {"net": "10.1.0.4"}


def test_network_tells_its_subnet_and_what_is_taken() -> None:
    endpoints = {"1": {"IPv4Address": "10.1.0.4/24"}, "2": {"IPv4Address": ""}}
    network = {"Name": "net", "IPAM": {"Config": [{"Subnet": "10.1.0.0/24"}]}, "Containers": endpoints}
    assert read_subnet(network) == Subnet("10.1.0.0/24", frozenset({"10.1.0.1", "10.1.0.4"}))


def test_network_with_only_ipv6_is_refused_by_name() -> None:
    with pytest.raises(HostError) as caught:
        read_subnet({"Name": "net", "IPAM": {"Config": [{"Subnet": "fd00::/64"}]}})
    assert str(caught.value) == "read network net: it has no IPv4 subnet"
