"""The control API over real sockets, in front of an orchestrator in the faked world."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from dataclasses import replace
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from aiohttp.test_utils import TestClient, TestServer

from runyard import names
from runyard.contracts import (
    CertificateRequest,
    Holdings,
    InstanceList,
    OrchestratorStatus,
    RollbackRequest,
    RolloutAccepted,
    RolloutOutcome,
    RolloutOutcomes,
    RolloutRequest,
    RouteRequest,
    SecretValue,
    ServiceHolding,
    SignedRevision,
    TrafficShare,
    Variable,
    decode,
    encode,
)
from services.orchestrator.api.control import ControlApi
from services.orchestrator.tls.tls import Tls

from ..world import FOREIGN_KEY, World, container, document, service_request, sign

ROLLOUT = RolloutRequest("default", "hello", (TrafficShare("hello-1", 100),), 5)
SECRETIVE = container(environment=(Variable("DB", secret=SecretValue("db", "latest", "d1")),))
Client = TestClient[Any, Any]


def serving(test: Callable[[World, Client], Coroutine[Any, Any, None]]) -> Callable[[Path], None]:
    def run(tmp_path: Path) -> None:
        async def whole() -> None:
            async with World(tmp_path) as world:
                app = world.api.control_app()
                async with TestClient(TestServer(app)) as client:
                    await test(world, client)

        asyncio.run(whole())

    run.__name__ = test.__name__
    return run


async def problem_of(answer: Any) -> dict[str, Any]:
    assert answer.headers["Content-Type"].startswith("application/problem+json")
    return dict(await answer.json())


async def put(world: World, client: Client, rollout: RolloutRequest = ROLLOUT, *hosts: str) -> RolloutOutcome:
    """Put a service with every document that was added, and wait for its outcome."""
    request = world.request(rollout, RouteRequest("default", "hello", hosts))
    answer = await client.put("/v1/services/default/hello", data=encode(request))
    assert answer.status == 202, await answer.text()
    accepted = decode(RolloutAccepted, await answer.text())
    last = 0
    while True:
        # The request travels on a real socket; only the orchestrator's time is ours to move.
        told = decode(RolloutOutcomes, await (await client.get(f"/v1/rollouts?after={last}")).text())
        found = [each for each in told.outcomes if each.rollout == accepted.rollout]
        if found:
            return found[0]
        last = told.last
        await world.pass_time(0.5)


@serving
async def test_service_is_accepted_at_once_and_its_outcome_told(world: World, client: Client) -> None:
    world.add()
    assert await put(world, client) == RolloutOutcome(1, "default", "hello", "ready")
    assert world.gateway.last.services["default/hello"].traffic == ROLLOUT.traffic
    assert (await client.delete("/v1/services/default/hello")).status == 200
    assert world.gateway.last.services == {}
    await world.pass_time(3)
    assert world.engine.clones() == []


@serving
async def test_rollback_moves_traffic_to_an_idle_revision_once_it_is_ready(world: World, client: Client) -> None:
    for name in ("hello-1", "hello-2"):
        world.add(name)
    history = ("hello-2", "hello-1")
    await put(world, client, RolloutRequest("default", "hello", (TrafficShare("hello-2", 100),), 5, history=history))
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
async def test_failed_rollout_is_told_with_detail_and_log(world: World, client: Client) -> None:
    world.add()
    world.engine.exits_at_once["hello-1"] = 3
    world.engine.output["hello-1"] = ("boom",)
    detail = "rollout default/hello: revision hello-1: container app: exited with code 3 (3 times)"
    assert await put(world, client) == RolloutOutcome(1, "default", "hello", "failed", detail, ("boom",))


@serving
async def test_failed_rollback_answers_409_with_detail_and_log(world: World, client: Client) -> None:
    for name in ("hello-1", "hello-2"):
        world.add(name)
    traffic = (TrafficShare("hello-2", 100),)
    await put(world, client, RolloutRequest("default", "hello", traffic, 5, history=("hello-2", "hello-1")))
    world.engine.exits_at_once["hello-1"] = 3
    world.engine.output["hello-1"] = ("boom",)
    asked = RollbackRequest("default", "hello", "hello-1")
    asking = asyncio.ensure_future(client.put("/v1/rollbacks/default/hello", data=encode(asked)))
    while not asking.done():
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


def body(**changes: Any) -> str:
    request = service_request(ROLLOUT, [document()])
    return encode(replace(request, **changes))


def foreign(signed: SignedRevision) -> str:
    return body(revisions=(signed,))


@pytest.mark.parametrize(
    ("path", "sent", "detail"),
    [
        ("hello", "{", "decode ServiceRequest: not JSON"),
        ("hello", '{"route":{}}', "decode ServiceRequest: field 'rollout' is missing"),
        ("other", body(), "body must be for default/other, got default/hello"),
        ("hello", body(route=RouteRequest("acme", "hello", ())), "body must be for default/hello, got acme/hello"),
        ("hello", foreign(sign(document(), FOREIGN_KEY)), "must be signed by this stack's key"),
        ("hello", foreign(replace(sign(document()), document=encode(document(port=1)))), "must be signed by"),
        ("hello", foreign(sign(document(stack="other"))), "stack: must be test, got 'other'"),
        ("hello", foreign(sign(document(tenant="acme"))), "revision document hello-1 is of acme/hello"),
        ("hello", foreign(sign(document(service="web"))), "revision document hello-1 is of default/web"),
        ("hello", foreign(sign(document(identity="../x"))), "identity: must be its name, or its name and a hash"),
        ("hello", foreign(sign(document(network="host"))), "network: must be one of its tenant's"),
        ("hello", foreign(sign(document(network="runyard.test.tenant.acme"))), "got 'runyard.test.tenant.acme'"),
        ("hello", body(rollout=replace(ROLLOUT, traffic=(TrafficShare("hello-1", 9),))), "must add up to 100"),
        ("hello", body(revisions=()), "traffic names what has no document: hello-1"),
        (
            "hello",
            body(values={"d": 1234}),
            "decode ServiceRequest.values: does not fit, and is not shown: it is secret",
        ),
        ("hello", foreign(sign(document("hello-1", SECRETIVE))), "secret db has no value of key latest"),
    ],
)
def test_service_that_does_not_fit_answers_400_and_leaves_nothing(
    tmp_path: Path, path: str, sent: str, detail: str
) -> None:
    @serving
    async def check(world: World, client: Client) -> None:
        answer = await client.put(f"/v1/services/default/{path}", data=sent)
        assert answer.status == 400
        told = (await problem_of(answer))["detail"]
        assert detail in told
        assert "1234" not in told + str(world.journal.entries)
        assert (world.parts.store.rollouts, world.parts.documents.revisions) == ({}, {})

    check(tmp_path)


@serving
async def test_documents_are_on_disk_before_a_service_is_accepted(world: World, client: Client) -> None:
    world.add()
    world.engine.away = True
    answer = await client.put("/v1/services/default/hello", data=encode(world.request(ROLLOUT)))
    assert answer.status == 202
    assert [each.name for each in (world.directory / "documents").iterdir()] == ["default.hello-1.json"]


@serving
async def test_outcomes_are_asked_with_a_number_and_seconds(world: World, client: Client) -> None:
    for query in ("after=x", "after=-1", "after=1.5", "wait=inf", "wait=-1"):
        assert (await client.get(f"/v1/rollouts?{query}")).status == 400
    told = decode(RolloutOutcomes, await (await client.get("/v1/rollouts?after=9&wait=20.5")).text())
    assert (told.epoch, told.last, told.outcomes) == ("100", 0, ())


@serving
async def test_holdings_have_documents_route_rollout_certificates_and_claim(world: World, client: Client) -> None:
    made = world.add()
    pair = await world.issuer.issue("shop.localhost")
    await client.put("/v1/certificates/shop", data=encode(CertificateRequest("shop", pair.chain, pair.key)))
    await put(world, client)
    claim = '{"stack":"test","services":[]}'
    assert (await client.put("/v1/claim", data=claim)).status == 200
    held = decode(Holdings, await (await client.get("/v1/holdings")).text())
    assert held == Holdings(
        services=(
            ServiceHolding(
                "default",
                "hello",
                documents={"hello-1": names.digest(encode(made))},
                route=names.digest(encode(RouteRequest("default", "hello", ()))),
                rollout=names.digest(encode(ROLLOUT)),
                goal=ROLLOUT.traffic,
                settled=True,
            ),
        ),
        certificates={"shop": names.digest(pair.chain)},
        claim=names.digest(claim),
        images={"sha256:abc": "hello:1"},
        in_step=True,
    )


@serving
async def test_claim_is_kept_given_back_and_refused_of_another_stack(world: World, client: Client) -> None:
    assert (await client.get("/v1/claim")).status == 404
    for sent in ("{", "[]", '{"stack":"other"}', "{}", b"\xff"):
        assert (await client.put("/v1/claim", data=sent)).status == 400
    assert (await client.put("/v1/claim", data='{"stack":"test","a":1}')).status == 200
    assert await (await client.get("/v1/claim")).text() == '{"stack":"test","a":1}'
    assert (await client.put("/v1/claim", data=BytesIO(b" " * (1024 * 1024 + 1)))).status == 413


@serving
async def test_unknown_path_and_wrong_method_are_problems_too(world: World, client: Client) -> None:
    answer = await client.get("/v1/nothing")
    assert answer.status == 404
    assert (await problem_of(answer))["detail"] == "GET /v1/nothing: not found"
    assert (await client.post("/healthz")).status == 405


@serving
async def test_status_is_the_contract_s_message(world: World, client: Client) -> None:
    world.add()
    await put(world, client)
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
    for path, size in (("rollbacks/default/hello", 300_000), ("services/default/hello", 9 * 1024 * 1024)):
        answer = await client.put(f"/v1/{path}", data=BytesIO(b"x" * size))
        assert answer.status == 413


def test_reading_port_cannot_change_anything(tmp_path: Path) -> None:
    async def whole() -> None:
        async with World(tmp_path) as world:
            app = world.api.reading_app()
            async with TestClient(TestServer(app)) as client:
                for path in ("services/default/hello", "claim"):
                    assert (await client.put(f"/v1/{path}", data="{}")).status == 404
                assert (await client.delete("/v1/services/default/hello")).status == 404
                for path in ("holdings", "claim", "rollouts"):
                    assert (await client.get(f"/v1/{path}")).status == 404
                assert (await client.get("/v1/status")).status == 200

    asyncio.run(whole())


def test_registry_tells_other_parts_where_instances_are_and_changes_nothing(tmp_path: Path) -> None:
    async def whole() -> None:
        async with World(tmp_path) as world:
            world.add()
            world.orchestrator.put_service(world.request(ROLLOUT))
            await world.pass_time(2)
            for app, told in ((world.api.registry_app(), True), (world.api.reading_app(), False)):
                async with TestClient(TestServer(app)) as client:
                    listed = decode(InstanceList, await (await client.get("/v1/instances")).text())
                    (instance,) = listed.instances
                    assert (instance.address, bool(instance.containers)) == ("10.130.0.2" if told else "", told)
                    assert (await client.put("/v1/services/default/hello", data="{}")).status == 404
                    assert (await client.get("/v1/holdings")).status == 404

    asyncio.run(whole())


def test_reading_port_keeps_the_logs_of_instances_to_itself(tmp_path: Path) -> None:
    async def whole() -> None:
        async with World(tmp_path) as world:
            world.engine.output["hello-1"] = ("the password is 1234",)
            world.parts.tools.failures.note("default/hello-1", "exited", ("the password is 1234",))
            api = world.api
            world.parts.rollouts.propose("default/hello", ROLLOUT)
            for app, logs in ((api.reading_app(), ()), (api.control_app(), ("the password is 1234",))):
                async with TestClient(TestServer(app)) as client:
                    status = decode(OrchestratorStatus, await (await client.get("/v1/status")).text())
                    assert (status.revisions[0].reason, status.revisions[0].logs) == ("exited", logs)

    asyncio.run(whole())


@serving
async def test_service_has_its_certificate_when_it_is_ready(world: World, client: Client) -> None:
    world.add()
    await put(world, client, ROLLOUT, "hello.localhost")
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
    api = ControlApi(world.orchestrator, world.journal, Tls(world.certificates, world.issuer.authority), world.claim)
    async with TestClient(TestServer(api.control_app())) as other:
        answer = await other.get("/v1/authority")
        assert (answer.status, "this stack has no local CA" in await answer.text()) == (400, True)


def test_body_that_does_not_come_is_given_up(tmp_path: Path) -> None:
    async def never() -> AsyncIterator[bytes]:
        yield b"{"
        await asyncio.Event().wait()

    async def whole() -> None:
        async with World(tmp_path) as world:
            api = ControlApi(world.orchestrator, world.journal, world.tls, world.claim, body_s=0.05)
            async with TestClient(TestServer(api.control_app())) as client:
                answer = await client.put("/v1/claim", data=never())
                assert (answer.status, (await problem_of(answer))["detail"]) == (408, "PUT /v1/claim: request timeout")

    asyncio.run(whole())


def test_port_answers_under_the_names_of_the_loopback_alone(tmp_path: Path) -> None:
    async def whole() -> None:
        async with World(tmp_path) as world:
            for hosts, expected in (((), (200, 421)), ((("localhost", "192.0.2.7"),), (421, 200))):
                async with TestClient(TestServer(world.api.reading_app(*hosts))) as client:
                    given = [
                        await client.get("/v1/status", headers={"Host": host}) for host in ("127.0.0.1:1", "192.0.2.7")
                    ]
                    assert tuple(each.status for each in given) == expected
                    refused = await problem_of(next(each for each in given if each.status == 421))
                    assert refused["detail"].startswith("Host: must be one of localhost, ")

    asyncio.run(whole())
