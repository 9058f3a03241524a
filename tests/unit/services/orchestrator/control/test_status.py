from __future__ import annotations

import asyncio
from pathlib import Path

from runyard.contracts import Objective, OrchestratorStatus, RouteRequest, TrafficShare
from services.orchestrator.traffic.commitment import Commitment

from ..world import World, document, sign


def status_of(directory: Path, *, held: bool = True, away: bool = False) -> OrchestratorStatus:
    async def whole() -> OrchestratorStatus:
        async with World(directory) as world:
            if held:
                world.parts.documents.put([sign(document(callees=("cart",), min_instances=1))])
            commitment = Commitment("default", "hello", (TrafficShare("hello-1", 100),))
            world.parts.store.put(RouteRequest("default", "hello", ("h.localhost",)), commitment)
            await world.pass_time(6)
            world.engine.away = away
            await world.pass_time(6)
            return world.orchestrator.status()

    return asyncio.run(whole())


def test_status_joins_hosts_uses_and_traffic(tmp_path: Path) -> None:
    (service,) = status_of(tmp_path).services
    assert (service.hosts, service.uses) == (("h.localhost",), ("cart",))
    assert service.traffic == (TrafficShare("hello-1", 100),)


def test_status_of_a_serving_revision_has_its_addresses_and_no_reason(tmp_path: Path) -> None:
    (revision,) = status_of(tmp_path).revisions
    assert (revision.desired, revision.ready, revision.restarts, revision.reason) == (1, 1, 0, "")
    assert revision.addresses == ("10.130.0.2:8080",)


def test_status_of_a_revision_without_document_says_so(tmp_path: Path) -> None:
    (revision,) = status_of(tmp_path, held=False).revisions
    assert (revision.desired, revision.ready, revision.reason) == (1, 0, "it has no document")


def test_status_without_an_engine_is_out_of_step_and_keeps_what_was_known(tmp_path: Path) -> None:
    status = status_of(tmp_path, away=True)
    assert not status.in_step
    assert status.problems == ("the container engine does not answer",)
    assert status.revisions[0].ready == 1


def test_status_names_documents_that_cannot_be_read(tmp_path: Path) -> None:
    (tmp_path / "services").mkdir()
    (tmp_path / "services" / "default.other.json").write_text("{")
    status = status_of(tmp_path)
    assert status.problems == ("file services/default.other.json cannot be read",)
    assert not status.in_step


def test_status_tells_what_a_service_promises_and_how_many_instances_it_may_have(tmp_path: Path) -> None:
    async def whole() -> OrchestratorStatus:
        async with World(tmp_path) as world:
            world.parts.documents.put([sign(document(min_instances=1, max_instances=4))])
            commitment = Commitment("default", "hello", (TrafficShare("hello-1", 100),))
            objective = Objective(errors=0.01)
            world.parts.store.put(RouteRequest("default", "hello", ("h.localhost",), objective=objective), commitment)
            await world.pass_time(6)
            return world.orchestrator.status()

    status = asyncio.run(whole())
    assert status.services[0].objective == Objective(errors=0.01)
    assert status.revisions[0].most == 4


def test_status_counts_instances_that_the_kernel_ended_for_their_memory(tmp_path: Path) -> None:
    async def whole() -> OrchestratorStatus:
        async with World(tmp_path) as world:
            world.parts.documents.put([sign(document(min_instances=1))])
            commitment = Commitment("default", "hello", (TrafficShare("hello-1", 100),))
            world.parts.store.put(RouteRequest("default", "hello", ("h.localhost",)), commitment)
            await world.pass_time(6)
            for exit_code, oom in ((137, True), (1, False)):
                (container,) = [each for each in world.engine.containers if each in serving(world)]
                world.engine.die(container, exit_code, oom=oom)
                await world.pass_time(30)
            return world.orchestrator.status()

    (revision,) = asyncio.run(whole()).revisions
    assert (revision.restarts, revision.oom_kills) == (2, 1)


def serving(world: World) -> set[str]:
    """Name the containers that run the program of an instance."""
    return {
        part.id for each in world.parts.tools.inventory.instances() for part in each.containers if part.role == "app"
    }
