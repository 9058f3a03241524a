from __future__ import annotations

from contextlib import closing
from pathlib import Path

import pytest

from runyard import names
from runyard.errors import ContractError, HostUnreachable
from runyard.host.transport import Transport
from runyard.uptodate.observation import find_image, observe, observe_listing
from tests.unit.runyard.host.docker_api import serve
from tests.unit.runyard.uptodate.world import STACK, World, listed

IMAGES = {"nginx:latest": "1", "nginx:1": "2", "me/app:1": "3", "host:5000/app:latest": "4", "app@sha256:a": "5"}


@pytest.mark.parametrize(
    ("reference", "found"),
    [
        *(("nginx", "1"), ("nginx:1", "2"), ("docker.io/library/nginx:1", "2"), ("docker.io/me/app:1", "3")),
        *(("host:5000/app", "4"), ("app@sha256:a", "5"), ("app@sha256:b", ""), ("me/app", ""), ("", "")),
    ],
)
def test_image_is_found_by_its_name_as_docker_reads_it(reference: str, found: str) -> None:
    assert find_image(IMAGES, reference) == found


def test_listing_has_what_carries_the_stacks_label_and_names_its_neighbours(tmp_path: Path) -> None:
    world = World(tmp_path)
    neighbour = listed("runyard.two.orchestrator", "c8", "orchestrator")
    neighbour["Labels"]["runyard.dev/stack"] = "two"
    world.containers().append(neighbour)
    with serve(world.api, tmp_path / "docker.sock"), closing(Transport(f"unix://{tmp_path}/docker.sock")) as transport:
        listing = observe_listing(transport, STACK)
    assert listing.host == ("engine-1", 2, 8 << 30)
    assert listing.neighbours == ("two",)
    assert ("container", "runyard.two.orchestrator", "c8") not in listing.things
    assert ("volume", "runyard.dev.gateway", "runyard.dev.gateway") in listing.things


def test_orchestrators_are_asked_as_the_client_asks_them(tmp_path: Path) -> None:
    world = World(tmp_path)
    with serve(world.api, tmp_path / "docker.sock"), closing(Transport(f"unix://{tmp_path}/docker.sock")) as transport:
        observe(transport, STACK)
    assert world.api.commands == [list(names.ORCHESTRATOR_RELAY)]
    assert world.api.sent == [("GET /v1/holdings", None)]


def test_orchestrator_that_answers_nonsense_is_an_error(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.api.relayed = ["{}{"]
    with (
        serve(world.api, tmp_path / "docker.sock"),
        closing(Transport(f"unix://{tmp_path}/docker.sock")) as transport,
        pytest.raises(ContractError, match="decode Holdings: not JSON"),
    ):
        observe(transport, STACK)


def test_engine_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    with closing(Transport(f"unix://{tmp_path}/none.sock")) as transport, pytest.raises(HostUnreachable):
        observe(transport, STACK)
