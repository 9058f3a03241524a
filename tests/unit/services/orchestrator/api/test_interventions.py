"""Scaling and restarting by hand and what is listed of it, over real sockets in the faked world."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

from aiohttp.test_utils import TestClient, TestServer

from runyard.contracts import (
    DecisionList,
    DrainAccepted,
    DrainRequest,
    EndpointList,
    InstanceList,
    Override,
    Pause,
    PauseRequest,
    RestartAccepted,
    RestartRequest,
    RevisionList,
    RolloutRequest,
    ScaleRequest,
    ScalingDocument,
    ServiceList,
    TrafficShare,
    decode,
    encode,
)

from ..world import NETWORK, World
from .test_control import Client, problem_of, put, serving

SCALE, RESTART = "/v1/overrides/default/hello", "/v1/restarts/default/hello"
PAUSE, DRAIN = "/v1/pauses/default/hello", "/v1/drains/default/hello"


async def listed(client: Client, kind: type[Any], query: str = "") -> Any:
    name = kind.__name__.removesuffix("List").lower() + "s"
    answer = await client.get(f"/v1/{name}{query}")
    assert answer.status == 200, await answer.text()
    return decode(kind, await answer.text())


async def scale(client: Client, count: int, for_s: int = 60) -> Any:
    return await client.put(SCALE, data=encode(ScaleRequest("default", "hello", count, for_s)))


async def roll_out(world: World, rollout: RolloutRequest) -> None:
    world.orchestrator.put_service(world.request(rollout))
    await world.pass_time(2)


async def states(client: Client) -> list[tuple[str, str]]:
    return [(each.instance, each.state) for each in (await listed(client, InstanceList)).instances]


@serving
async def test_number_by_hand_holds_until_its_end_and_says_why(world: World, client: Client) -> None:
    world.add(max_instances=4, scaling=ScalingDocument(window_s=6))
    await put(world, client)
    answer = await scale(client, 3)
    override = decode(Override, await answer.text())
    assert override == Override("default", "hello", 3, int(world.clock.now) + 60)
    await world.pass_time(2)
    assert len(world.gateway.addresses("default/hello-1")) == 3
    services = await listed(client, ServiceList)
    assert (services.overrides, services.services[0].service) == ((override,), "hello")
    assert (await listed(client, RevisionList)).revisions[0].desired == 3
    await world.pass_time(80)
    # Nobody calls it, so after its window it sleeps.
    assert world.gateway.addresses("default/hello-1") == ()
    assert (await listed(client, ServiceList)).overrides == ()
    made = [(each.before, each.count, each.why) for each in (await listed(client, DecisionList)).decisions]
    assert (made[:2], made[-1][1]) == ([(0, 1, "rollout"), (1, 3, "by-hand")], 0)


@serving
async def test_number_by_hand_ends_before_its_time_when_it_is_taken_back(world: World, client: Client) -> None:
    world.add(min_instances=1)
    await put(world, client)
    await scale(client, 0, 3600)
    await world.pass_time(5)
    assert world.gateway.addresses("default/hello-1") == ()
    for _ in range(2):
        # A request whose answer was lost is asked again.
        assert (await client.delete(SCALE)).status == 200
    await world.pass_time(2)
    assert len(world.gateway.addresses("default/hello-1")) == 1


@serving
async def test_number_beyond_the_manifest_or_the_week_is_refused(world: World, client: Client) -> None:
    world.add(max_instances=4)
    assert (await scale(client, 1)).status == 404
    assert (await client.delete(SCALE)).status == 404
    await put(world, client)
    for count, for_s, detail in (
        (5, 60, "count must be from 0 to 4, got 5"),
        (-1, 60, "count must be from 0 to 4, got -1"),
        (1, 0, "for_s must be from 1 to 604800, got 0"),
        (1, 604801, "for_s must be from 1 to 604800, got 604801"),
    ):
        answer = await scale(client, count, for_s)
        assert (answer.status, (await problem_of(answer))["detail"]) == (400, f"scale default/hello: {detail}")
    other = await client.put("/v1/overrides/default/cart", data=encode(ScaleRequest("default", "hello", 1, 60)))
    assert other.status == 400
    assert (await listed(client, ServiceList)).overrides == ()


@serving
async def test_deleted_service_takes_its_number_along(world: World, client: Client) -> None:
    world.add()
    await put(world, client)
    await scale(client, 2, 3600)
    await client.delete("/v1/services/default/hello")
    assert world.parts.interventions.overrides(0) == {}


@serving
async def test_restart_replaces_one_instance_after_the_other_and_never_serves_with_fewer(
    world: World, client: Client
) -> None:
    world.add(min_instances=2)
    await put(world, client)
    before = [instance for instance, _ in await states(client)]
    asked = encode(RestartRequest("default", "hello", (*before, "f0f0f0")))
    assert decode(RestartAccepted, await (await client.put(RESTART, data=asked)).text()).instances == tuple(before)
    assert [each.restarting for each in (await listed(client, InstanceList)).instances[:2]] == [True, True]
    seen = []
    for _ in range(60):
        await world.pass_time(0.5)
        seen.append(len(world.gateway.addresses("default/hello-1")))
        # Never more than one beside what is wanted.
        assert len(world.engine.clones()) <= 3
        if not world.parts.interventions.restarting:
            break
    assert min(seen) == 2
    after = await states(client)
    assert not {instance for instance, _ in after} & set(before)
    assert [state for _, state in after] == ["ready", "ready"]
    # Nothing failed.
    (revision,) = (await listed(client, RevisionList)).revisions
    assert (revision.restarts, revision.reason) == (0, "")
    # Asked again because the answer was lost, it replaces none of the new ones.
    assert decode(RestartAccepted, await (await client.put(RESTART, data=asked)).text()).instances == ()


@serving
async def test_restart_of_another_services_instance_is_refused(world: World, client: Client) -> None:
    world.add()
    world.add("cart-1", service="cart")
    await put(world, client)
    await roll_out(world, RolloutRequest("default", "cart", (TrafficShare("cart-1", 100),), 5))
    (cart,) = (await listed(client, InstanceList, "?service=default/cart")).instances
    answer = await client.put(RESTART, data=encode(RestartRequest("default", "hello", (cart.instance,))))
    detail = f"restart default/hello: instance {cart.instance} is of default/cart"
    assert (answer.status, (await problem_of(answer))["detail"]) == (400, detail)
    unknown = await client.put("/v1/restarts/default/x", data=encode(RestartRequest("default", "x", ())))
    assert unknown.status == 404


@serving
async def test_pause_reaches_the_gateway_keeps_the_instances_and_ends_by_itself(world: World, client: Client) -> None:
    world.add(max_instances=4, scaling=ScalingDocument(window_s=6))
    assert (await client.put(PAUSE, data=encode(PauseRequest("default", "hello", 60)))).status == 404
    await put(world, client)
    await scale(client, 2, 5)
    await world.pass_time(3)
    answer = await client.put(PAUSE, data=encode(PauseRequest("default", "hello", 60)))
    until = int(world.clock.now) + 60
    assert decode(Pause, await answer.text()) == Pause("default", "hello", until)
    await world.pass_time(1)
    assert world.gateway.last.services["default/hello"].paused_until_unix_s == until
    assert (await listed(client, ServiceList)).services[0].paused_until_unix_s == until
    # Far beyond its window nobody has called it, and what it has stays.
    await world.pass_time(50)
    assert len(world.gateway.addresses("default/hello-1")) == 2
    await world.pass_time(40)
    assert world.gateway.last.services["default/hello"].paused_until_unix_s == 0
    assert world.gateway.addresses("default/hello-1") == ()


@serving
async def test_pause_is_taken_back_before_its_time_and_refused_for_too_long(world: World, client: Client) -> None:
    world.add()
    await put(world, client)
    answer = await client.put(PAUSE, data=encode(PauseRequest("default", "hello", 604801)))
    detail = "pause default/hello: for_s must be from 1 to 604800, got 604801"
    assert (answer.status, (await problem_of(answer))["detail"]) == (400, detail)
    await client.put(PAUSE, data=encode(PauseRequest("default", "hello", 3600)))
    for _ in range(2):
        assert (await client.delete(PAUSE)).status == 200
    await world.pass_time(1)
    assert world.gateway.last.services["default/hello"].paused_until_unix_s == 0
    assert (await client.delete("/v1/pauses/default/x")).status == 404
    await client.put(PAUSE, data=encode(PauseRequest("default", "hello", 3600)))
    await client.delete("/v1/services/default/hello")
    assert world.parts.interventions.pauses(0) == {}


@serving
async def test_drained_instance_leaves_the_gateway_at_once_and_another_takes_its_place(
    world: World, client: Client
) -> None:
    world.add(min_instances=2)
    await put(world, client)
    (first, _), (second, _) = await states(client)
    (gone,) = {each.address for each in (await listed(client, InstanceList)).instances if each.instance == first}
    asked = encode(DrainRequest("default", "hello", (first, "f0f0f0")))
    assert decode(DrainAccepted, await (await client.put(DRAIN, data=asked)).text()).instances == (first,)
    await world.pass_time(0)
    assert f"{gone}:8080" not in world.gateway.addresses("default/hello-1")
    await world.pass_time(20)
    after = await states(client)
    assert (len(after), {state for _, state in after}, second in dict(after)) == (2, {"ready"}, True)
    assert first not in dict(after)
    (revision,) = (await listed(client, RevisionList)).revisions
    assert (revision.restarts, revision.reason, world.parts.interventions.draining) == (0, "", frozenset())
    # Asked again because the answer was lost, it drains none of the new ones.
    assert decode(DrainAccepted, await (await client.put(DRAIN, data=asked)).text()).instances == ()


@serving
async def test_listings_say_where_instances_are_and_why_one_is_not_ready(world: World, client: Client) -> None:
    world.add()
    world.attempts.default = "HTTP 500"
    await roll_out(world, RolloutRequest("default", "hello", (TrafficShare("hello-1", 100),), 50))
    (instance,) = (await listed(client, InstanceList)).instances
    assert (instance.state, instance.reason, instance.restarting) == ("starting", "startup probe HTTP 500", False)
    assert instance.address.startswith("10.130.0.")
    (endpoint,) = (await listed(client, EndpointList)).endpoints
    assert (endpoint.revision, endpoint.count) == ("hello-1", 0)
    world.attempts.default = ""
    await world.pass_time(2)
    (endpoint,) = (await listed(client, EndpointList)).endpoints
    assert (endpoint.count, endpoint.addresses) == (1, (f"{instance.address}:8080",))
    assert NETWORK not in str(endpoint)


@serving
async def test_listing_of_a_service_has_nothing_of_others(world: World, client: Client) -> None:
    world.add()
    await put(world, client)
    for kind in (ServiceList, RevisionList, InstanceList, EndpointList, DecisionList):
        assert await listed(client, kind, "?service=default/cart") == kind()
        assert await listed(client, kind, "?service=default/hello") == await listed(client, kind) != kind()
    answer = await client.get("/v1/instances?service=hello")
    told = 'GET /v1/instances: service must be TENANT/SERVICE, got "hello"'
    assert (answer.status, (await problem_of(answer))["detail"]) == (400, told)


def test_what_was_asked_by_hand_is_kept_over_a_restart_of_the_orchestrator(tmp_path: Path) -> None:
    async def whole() -> None:
        async with World(tmp_path) as world:
            world.add(max_instances=4)
            async with TestClient(TestServer(world.api.control_app())) as client:
                await put(world, client)
                await scale(client, 3, 3600)
                await world.pass_time(3)
                (*others, _) = await states(client)
                asked = RestartRequest("default", "hello", tuple(instance for instance, _ in others))
                await client.put(RESTART, data=encode(asked))
        again = World(tmp_path, world.engine, world.gateway, boot_ms=0x9000)
        async with again, TestClient(TestServer(again.api.control_app())) as client:
            assert any(each.restarting for each in (await listed(client, InstanceList)).instances)
            await again.pass_time(30)
            left = {instance for instance, _ in await states(client)}
            assert (len(left), left & set(asked.instances)) == (3, set())
            (override,) = (await listed(client, ServiceList)).overrides
            assert override.count == 3
            # What it found was decided in its life before, but for the one that stood in for another just then.
            made = [(each.before, each.count) for each in (await listed(client, DecisionList)).decisions]
            assert made in ([], [(4, 3)])

    asyncio.run(whole())
