"""The control API over real sockets, in front of an orchestrator in the faked world."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest
from aiohttp.test_utils import TestClient, TestServer

from runyard.contracts import (
    CertificateRequest,
    OrchestratorStatus,
    RollbackRequest,
    RolloutRequest,
    RouteRequest,
    TrafficShare,
    decode,
    encode,
)
from services.orchestrator.control import STATUSES, ControlApi
from services.orchestrator.tls import Tls

from .world import World

ROLLOUT = RolloutRequest("default", "hello", (TrafficShare("hello-1", 100),), 5)
Client = TestClient[Any, Any]


def serving(test: Callable[[World, Client], Coroutine[Any, Any, None]]) -> Callable[[Path], None]:
    def run(tmp_path: Path) -> None:
        async def whole() -> None:
            async with World(tmp_path) as world:
                app = ControlApi(world.orchestrator, world.journal, world.tls).control_app()
                async with TestClient(TestServer(app)) as client:
                    await test(world, client)

        asyncio.run(whole())

    run.__name__ = test.__name__
    return run


async def problem_of(answer: Any) -> dict[str, Any]:
    assert answer.headers["Content-Type"].startswith("application/problem+json")
    return dict(await answer.json())


@serving
async def test_rollout_answers_200_when_it_is_done(world: World, client: Client) -> None:
    world.add_template()
    answer = await client.put("/v1/rollouts/default/hello", data=encode(ROLLOUT))
    assert answer.status == 200
    assert world.gateway.last.services["default/hello"].traffic == ROLLOUT.traffic
    assert (await client.delete("/v1/rollouts/default/hello")).status == 200
    assert world.engine.clones() == []


@serving
async def test_rollback_moves_traffic_to_an_idle_revision_once_it_is_ready(world: World, client: Client) -> None:
    for name in ("hello-1", "hello-2"):
        world.add_template(name)
    history = ("hello-2", "hello-1")
    first = RolloutRequest("default", "hello", (TrafficShare("hello-2", 100),), 5, history=history)
    await client.put("/v1/rollouts/default/hello", data=encode(first))
    asked = RollbackRequest("default", "hello", "hello-1")
    for _ in range(2):
        # A request whose answer was lost is asked again.
        assert (await client.put("/v1/rollbacks/default/hello", data=encode(asked))).status == 200
        assert world.gateway.last.services["default/hello"].traffic == (TrafficShare("hello-1", 100),)
        assert len(world.gateway.addresses("default/hello-1")) == 1
    (service,) = decode(OrchestratorStatus, await (await client.get("/v1/status")).text()).services
    assert service.history == history


@serving
async def test_rollback_to_an_unknown_revision_answers_404_and_moves_nothing(world: World, client: Client) -> None:
    answer = await client.put(
        "/v1/rollbacks/default/hello", data=encode(RollbackRequest("default", "hello", "hello-1"))
    )
    assert answer.status == 404
    assert (await problem_of(answer))["detail"] == "rollback default/hello: it has no traffic in force"


@serving
async def test_failed_rollout_answers_409_with_detail_and_log(world: World, client: Client) -> None:
    world.add_template()
    world.engine.exits_at_once["hello-1"] = 3
    world.engine.output["hello-1"] = ("boom",)
    asking = asyncio.ensure_future(client.put("/v1/rollouts/default/hello", data=encode(ROLLOUT)))
    while not asking.done():
        # The request travels on a real socket; only the orchestrator's time is ours to move.
        await asyncio.wait({asking}, timeout=0.02)
        await world.pass_time(0.5)
    answer = await asking
    assert answer.status == 409
    assert await problem_of(answer) == {
        "type": "about:blank",
        "title": "rollout failed",
        "status": 409,
        "detail": "rollout default/hello: revision hello-1: container app: exited with code 3 (3 times)",
        "logs": ["boom"],
    }


@serving
async def test_routes_are_put_and_deleted(world: World, client: Client) -> None:
    route = RouteRequest("default", "hello", ("hello.localhost",))
    assert (await client.put("/v1/routes/default/hello", data=encode(route))).status == 200
    assert world.gateway.last.hosts == {"hello.localhost": "default/hello"}
    assert (await client.delete("/v1/routes/default/hello")).status == 200
    assert world.gateway.last.hosts == {}


@pytest.mark.parametrize(
    ("path", "body", "detail"),
    [
        ("routes/default/hello", "{", "decode RouteRequest: not JSON"),
        ("rollouts/default/hello", '{"tenant":"default"}', "decode RolloutRequest: field 'service' is missing"),
        ("rollouts/default/other", encode(ROLLOUT), "body must be for default/other, got default/hello"),
    ],
)
def test_request_that_does_not_fit_answers_400(tmp_path: Path, path: str, body: str, detail: str) -> None:
    @serving
    async def check(world: World, client: Client) -> None:
        answer = await client.put(f"/v1/{path}", data=body)
        assert answer.status == 400
        assert detail in (await problem_of(answer))["detail"]
        assert world.parts.store.rollouts == {}

    check(tmp_path)


@serving
async def test_unknown_path_and_wrong_method_are_problems_too(world: World, client: Client) -> None:
    answer = await client.get("/v1/nothing")
    assert answer.status == 404
    assert (await problem_of(answer))["detail"] == "GET /v1/nothing: not found"
    assert (await client.post("/healthz")).status == 405


@serving
async def test_status_is_the_contract_s_message(world: World, client: Client) -> None:
    world.add_template()
    await client.put("/v1/rollouts/default/hello", data=encode(ROLLOUT))
    status = decode(OrchestratorStatus, await (await client.get("/v1/status")).text())
    assert status == world.orchestrator.status()
    assert status.in_step
    assert status.revisions[0].addresses == ("10.130.0.2:8080",)


@serving
async def test_health_follows_the_engine(world: World, client: Client) -> None:
    assert (await client.get("/healthz")).status == 200
    world.engine.away = True
    await world.pass_time(6)
    answer = await client.get("/healthz")
    assert answer.status == 503
    assert await answer.json() == {"status": "degraded"}


@serving
async def test_body_over_the_limit_is_refused(world: World, client: Client) -> None:
    answer = await client.put("/v1/routes/default/hello", data="x" * 300_000)
    assert answer.status == 413


def test_reading_port_cannot_change_anything(tmp_path: Path) -> None:
    async def whole() -> None:
        async with World(tmp_path) as world:
            app = ControlApi(world.orchestrator, world.journal, world.tls).reading_app()
            async with TestClient(TestServer(app)) as client:
                assert (await client.put("/v1/rollouts/default/hello", data=encode(ROLLOUT))).status == 404
                assert (await client.delete("/v1/rollouts/default/hello")).status == 404
                assert (await client.get("/v1/status")).status == 200

    asyncio.run(whole())


def test_reading_port_keeps_the_logs_of_instances_to_itself(tmp_path: Path) -> None:
    async def whole() -> None:
        async with World(tmp_path) as world:
            world.add_template()
            world.engine.output["hello-1"] = ("the password is 1234",)
            world.parts.tools.failures.note("default/hello-1", "exited", ("the password is 1234",))
            api = ControlApi(world.orchestrator, world.journal, world.tls)
            world.orchestrator._reconciler.set_candidate("default/hello", ROLLOUT)
            for app, logs in ((api.reading_app(), ()), (api.control_app(), ("the password is 1234",))):
                async with TestClient(TestServer(app)) as client:
                    status = decode(OrchestratorStatus, await (await client.get("/v1/status")).text())
                    assert (status.revisions[0].reason, status.revisions[0].logs) == ("exited", logs)

    asyncio.run(whole())


def test_every_status_can_be_reached() -> None:
    # A wider kind before a narrower one would hide it.
    for index, (kind, _, _) in enumerate(STATUSES):
        assert not any(issubclass(kind, earlier) for earlier, _, _ in STATUSES[:index])


@serving
async def test_route_has_its_certificate_when_it_is_done(world: World, client: Client) -> None:
    route = RouteRequest("default", "hello", ("hello.localhost",))
    assert (await client.put("/v1/routes/default/hello", data=encode(route))).status == 200
    assert set(world.admin.pairs) == {"hello.localhost"}
    status = decode(OrchestratorStatus, await (await client.get("/v1/status")).text())
    assert [(each.host, each.source, each.problem) for each in status.certificates] == [
        ("hello.localhost", "local", "")
    ]


@serving
async def test_certificate_is_taken_refused_and_given_back(world: World, client: Client) -> None:
    pair = await world.issuer.issue("shop.localhost")
    message = CertificateRequest("shop", pair.chain, pair.key)
    assert (await client.put("/v1/certificates/shop", data=encode(message))).status == 200
    assert world.admin.pairs == {"shop.localhost": pair}
    for path, body, told in (
        ("shop", encode(CertificateRequest("shop", pair.chain, "x")), "key: must be a PEM private key"),
        ("other", encode(message), "body must be for it, got 'shop'"),
        ("..", encode(message), ""),
    ):
        answer = await client.put(f"/v1/certificates/{path}", data=body)
        assert answer.status in (400, 404)
        assert told in await answer.text()
    assert "PRIVATE" not in repr(world.journal.entries)
    assert (await client.delete("/v1/certificates/shop")).status == 200
    assert world.admin.pairs == {}


@serving
async def test_authority_is_given_as_pem_and_not_without_a_local_one(world: World, client: Client) -> None:
    assert await (await client.get("/v1/authority")).text() == world.issuer.authority()
    api = ControlApi(world.orchestrator, world.journal, Tls(world.certificates))
    async with TestClient(TestServer(api.control_app())) as other:
        answer = await other.get("/v1/authority")
        assert (answer.status, "this stack has no local CA" in await answer.text()) == (400, True)
