from __future__ import annotations

import asyncio
from pathlib import Path

from runyard.contracts import OrchestratorStatus, RouteRequest, TrafficShare
from services.orchestrator.commitment import Commitment

from .world import World


def status_of(directory: Path, *, template: bool = True, route: bool = False, away: bool = False) -> OrchestratorStatus:
    async def whole() -> OrchestratorStatus:
        async with World(directory) as world:
            if template:
                world.add_template(callees=("cart",))
            world.parts.store.put_rollout(Commitment("default", "hello", (TrafficShare("hello-1", 100),)))
            if route:
                await world.orchestrator.put_route(RouteRequest("default", "hello", ("h.localhost",)))
            await world.pass_time(6)
            world.engine.away = away
            await world.pass_time(6)
            return world.orchestrator.status()

    return asyncio.run(whole())


def test_status_joins_hosts_uses_and_traffic(tmp_path: Path) -> None:
    (service,) = status_of(tmp_path, route=True).services
    assert (service.hosts, service.uses) == (("h.localhost",), ("cart",))
    assert service.traffic == (TrafficShare("hello-1", 100),)


def test_status_of_a_serving_revision_has_its_addresses_and_no_reason(tmp_path: Path) -> None:
    (revision,) = status_of(tmp_path).revisions
    assert (revision.desired, revision.ready, revision.restarts, revision.reason) == (1, 1, 0, "")
    assert revision.addresses == ("10.130.0.2:8080",)


def test_status_of_a_revision_without_template_says_so(tmp_path: Path) -> None:
    (revision,) = status_of(tmp_path, template=False).revisions
    assert (revision.desired, revision.ready, revision.reason) == (1, 0, "it has no template")


def test_status_without_an_engine_is_out_of_step_and_keeps_what_was_known(tmp_path: Path) -> None:
    status = status_of(tmp_path, away=True)
    assert not status.in_step
    assert status.problems == ("the container engine does not answer",)
    assert status.revisions[0].ready == 1


def test_status_names_documents_that_cannot_be_read(tmp_path: Path) -> None:
    (tmp_path / "routes").mkdir()
    (tmp_path / "routes" / "default.other.json").write_text("{")
    status = status_of(tmp_path)
    assert status.problems == ("document routes/default.other.json cannot be read",)
    assert not status.in_step
