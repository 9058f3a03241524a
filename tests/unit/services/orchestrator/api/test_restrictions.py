"""What budgets restrict: told on a socket of its own, kept, and stronger than load, manifest and hand."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from aiohttp.test_utils import TestClient, TestServer

from runyard.contracts import (
    DecisionList,
    Restriction,
    Restrictions,
    RevisionList,
    ScalingDocument,
    ServiceList,
    encode,
)
from services.billing.adapters.orchestrator import Orchestrator, OrchestratorUnavailable
from services.orchestrator.api.listener import READING, Connections, open_site

from ..world import World
from .test_control import Client, problem_of, put, serving
from .test_interventions import listed, scale

RESTRICTIONS = "/v1/restrictions"
REASON = "actual cost of 2026-11 came to 100 % of its tenant's budget"


async def restrict(world: World, client: Client, most: int | None, for_s: int = 600) -> None:
    until = int(world.clock.now) + for_s
    found = () if most is None else (Restriction("default", most, until, REASON),)
    answer = await client.put(RESTRICTIONS, data=encode(Restrictions(found)))
    assert answer.status == 200, await answer.text()
    await world.pass_time(2)


def count(world: World) -> int:
    return len(world.gateway.addresses("default/hello-1"))


@serving
async def test_tenant_that_may_have_none_has_none_until_it_may_again(world: World, client: Client) -> None:
    world.add(min_instances=2, max_instances=4)
    await put(world, client)
    assert count(world) == 2
    await restrict(world, client, 0)
    assert count(world) == 0
    assert world.gateway.last.services["default/hello"].stopped
    (service,) = (await listed(client, ServiceList)).services
    assert service.restriction is not None
    assert (service.restriction.most, service.restriction.reason) == (0, REASON)
    told = (await listed(client, DecisionList)).decisions[-1]
    assert (told.count, told.why, told.reason.partition(": ")[2]) == (0, "budget", REASON)
    await restrict(world, client, None)
    assert count(world) == 2
    assert not world.gateway.last.services["default/hello"].stopped
    assert (await listed(client, ServiceList)).services[0].restriction is None


@serving
async def test_restriction_ends_by_itself_when_its_time_is_over(world: World, client: Client) -> None:
    world.add(min_instances=1)
    await put(world, client)
    await restrict(world, client, 0, for_s=30)
    assert count(world) == 0
    await world.pass_time(40)
    assert count(world) == 1


@serving
async def test_bound_holds_hands(world: World, client: Client) -> None:
    world.add(max_instances=4, scaling=ScalingDocument(window_s=6))
    await put(world, client)
    await scale(client, 3)
    await restrict(world, client, 2)
    assert count(world) == 2
    assert (await listed(client, RevisionList)).revisions[0].desired == 2


@serving
async def test_restriction_is_kept_over_a_restart_and_told_twice_changes_nothing(world: World, client: Client) -> None:
    world.add(min_instances=1)
    await put(world, client)
    await restrict(world, client, 0)
    kept = world.parts.interventions.restrictions(world.clock.now)
    await restrict(world, client, 0, for_s=598)
    assert world.parts.interventions.restrictions(world.clock.now) == kept
    assert type(world.parts.interventions)(world.directory, world.journal).restrictions(world.clock.now) == kept


@serving
async def test_restriction_for_longer_than_a_month_is_refused(world: World, client: Client) -> None:
    until = int(world.clock.now) + 40 * 24 * 3600
    message = Restrictions((Restriction("default", 0, until, REASON),))
    problem = await problem_of(await client.put(RESTRICTIONS, data=encode(message)))
    assert problem["status"] == 400
    assert problem["detail"].startswith("restrict default: must be a number from 0 for at most a month, got 0 until ")


@pytest.mark.parametrize(("method", "path"), [("GET", "/v1/services"), ("PUT", "/v1/overrides/default/hello")])
def test_ledger_s_socket_answers_restrictions_alone(tmp_path: Path, method: str, path: str) -> None:
    async def whole() -> None:
        async with World(tmp_path) as world, TestClient(TestServer(world.api.restricting_app())) as client:
            assert (await client.put(RESTRICTIONS, data=encode(Restrictions()))).status == 200
            assert (await client.request(method, path, data="{}")).status == 404

    asyncio.run(whole())


def test_ledger_is_heard_on_its_socket_and_told_what_is_refused(tmp_path: Path) -> None:
    place = tmp_path / "restrictions.sock"
    ledger = Orchestrator(place)

    async def whole() -> None:
        async with World(tmp_path) as world:
            connections = Connections(READING, world.journal)
            runner = await open_site(world.api.restricting_app(), place, connections, shutdown_s=0)
            try:
                until = int(world.clock.now) + 600
                wanted = (Restriction("default", 1, until, REASON),)
                await asyncio.to_thread(ledger.restrict, Restrictions(wanted))
                assert tuple(world.parts.interventions.restrictions(world.clock.now).values()) == wanted
                with pytest.raises(OrchestratorUnavailable, match=r"it answered 400: .*must be a number from 0"):
                    await asyncio.to_thread(ledger.restrict, Restrictions((Restriction("default", -1, until, REASON),)))
            finally:
                await runner.cleanup()

    asyncio.run(whole())
