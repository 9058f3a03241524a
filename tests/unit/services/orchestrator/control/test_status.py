from __future__ import annotations

import asyncio
from pathlib import Path

from runyard.contracts import OrchestratorStatus, RouteRequest, TrafficShare
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
