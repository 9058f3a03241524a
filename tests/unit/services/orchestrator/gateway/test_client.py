from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from runyard.contracts import GatewayDelta, GatewaySnapshot, decode
from runyard.errors import HostError, UsageError
from services.orchestrator.gateway.client import GatewayClient
from services.orchestrator.model.pair import Pair

from ..world import ListJournal

Answer = tuple[int, dict[str, Any] | None]
Call = Callable[[GatewayClient], Awaitable[Any]]


def ask(
    path: Path, answer: Answer, call: Callable[[GatewayClient], Awaitable[Any]]
) -> tuple[Any, list[Any], list[str]]:
    """Call a gateway that answers everything alike; also give what it saw and what was written down."""
    seen: list[Any] = []
    journal = ListJournal()

    async def handle(request: web.Request) -> web.Response:
        seen.append((request.method, request.path, await request.text()))
        status, body = answer
        return web.json_response(body, status=status) if body is not None else web.Response(status=status)

    async def whole() -> Any:
        app = web.Application()
        app.router.add_route("*", "/{path:.*}", handle)
        runner = web.AppRunner(app)
        await runner.setup()
        await web.UnixSite(runner, str(path / "admin.sock")).start()
        client = GatewayClient(path / "admin.sock", journal)
        try:
            return await call(client)
        finally:
            await client.close()
            await runner.cleanup()

    return asyncio.run(whole()), seen, journal.events()


def test_generation_is_read(tmp_path: Path) -> None:
    generation, seen, _ = ask(tmp_path, (200, {"generation": 7}), lambda client: client.generation())
    assert generation == 7
    assert seen == [("GET", "/v1/snapshot", "")]


@pytest.mark.parametrize(("status", "taken"), [(200, True), (409, False)])
def test_snapshot_is_sent_whole_and_a_newer_one_respected(tmp_path: Path, status: int, taken: bool) -> None:
    snapshot = GatewaySnapshot(3, hosts={"a": "default/hello"})
    answer, seen, _ = ask(tmp_path, (status, {"generation": 3}), lambda client: client.put(snapshot))
    assert answer is taken
    assert seen[0][:2] == ("PUT", "/v1/snapshot")
    assert decode(GatewaySnapshot, seen[0][2]) == snapshot


@pytest.mark.parametrize(("status", "taken"), [(200, True), (409, False)])
def test_change_is_sent_and_a_gateway_with_another_base_told_apart(tmp_path: Path, status: int, taken: bool) -> None:
    delta = GatewayDelta(2, 3, hosts={"a": "default/hello"})
    answer, seen, _ = ask(tmp_path, (status, {"generation": 3}), lambda client: client.amend(delta))
    assert answer is taken
    assert seen[0][:2] == ("PATCH", "/v1/snapshot")
    assert decode(GatewayDelta, seen[0][2]) == delta


def test_snapshot_that_the_gateway_could_not_keep_is_written_down_once(tmp_path: Path) -> None:
    async def twice(client: GatewayClient) -> int:
        return await client.generation() + await client.generation()

    answer = (200, {"generation": 3, "warning": "disk full"})
    assert ask(tmp_path, answer, twice)[2] == ["snapshot not kept"]


def test_refused_change_is_an_error_with_the_answer(tmp_path: Path) -> None:
    with pytest.raises(HostError) as caught:
        ask(tmp_path, (507, {"detail": "no memory"}), lambda client: client.amend(GatewayDelta(2, 3)))
    assert str(caught.value) == "send change 3 to the gateway: answered 507: {'detail': 'no memory'}"


def test_refused_snapshot_is_an_error_with_the_answer(tmp_path: Path) -> None:
    with pytest.raises(HostError) as caught:
        ask(tmp_path, (400, {"detail": "hosts: bad"}), lambda client: client.put(GatewaySnapshot(3)))
    assert str(caught.value) == "send snapshot 3 to the gateway: answered 400: {'detail': 'hosts: bad'}"


@pytest.mark.parametrize(("left", "drained"), [(0, True), (1, False)])
def test_drain_is_what_the_gateway_tells_after_its_wait(tmp_path: Path, left: int, drained: bool) -> None:
    answer, seen, _ = ask(tmp_path, (200, {"inflight": left}), lambda client: client.drained("fd00::2", 0.5))
    assert (answer, seen[0][:2]) == (drained, ("GET", "/v1/inflight/fd00::2"))


def test_drains_hold_up_nothing_else(tmp_path: Path) -> None:
    # More than any limit on connections that an HTTP client has by itself.
    drains = 150

    async def whole() -> int:
        waiting, done = asyncio.Event(), asyncio.Event()
        held = 0

        async def handle(request: web.Request) -> web.Response:
            nonlocal held
            if request.path == "/v1/snapshot":
                return web.json_response({"generation": 7})
            held += 1
            if held == drains:
                waiting.set()
            await done.wait()
            return web.json_response({"inflight": 0})

        app = web.Application()
        app.router.add_route("*", "/{path:.*}", handle)
        runner = web.AppRunner(app)
        await runner.setup()
        await web.UnixSite(runner, str(tmp_path / "admin.sock")).start()
        client = GatewayClient(tmp_path / "admin.sock", ListJournal())
        tasks = [asyncio.create_task(client.drained(f"10.0.0.{number}", 10)) for number in range(drains)]
        await waiting.wait()
        generation = await client.generation()
        done.set()
        assert all(await asyncio.gather(*tasks))
        await client.close()
        await runner.cleanup()
        return generation

    assert asyncio.run(whole()) == 7


def test_gateway_that_is_not_there_is_an_error_that_names_its_socket(tmp_path: Path) -> None:
    async def whole() -> None:
        client = GatewayClient(tmp_path / "none.sock", ListJournal())
        try:
            await client.generation()
        finally:
            await client.close()

    with pytest.raises(HostError) as caught:
        asyncio.run(whole())
    assert str(caught.value).startswith(f"ask the gateway at {tmp_path}/none.sock: ")


@pytest.mark.parametrize("call", [GatewayClient.generation, lambda client: client.drained("10.0.0.2", 0)])
def test_failing_gateway_is_an_error(tmp_path: Path, call: Callable[[GatewayClient], Awaitable[object]]) -> None:
    with pytest.raises(HostError, match="answered 500"):
        ask(tmp_path, (500, None), call)


PAIR = Pair("CHAIN", "KEY")


def test_certificates_are_listed_sent_and_removed(tmp_path: Path) -> None:
    listed, seen, _ = ask(tmp_path, (200, {"certificates": {"a.b": "0f"}}), lambda client: client.certificates())
    assert (listed, seen) == ({"a.b": "0f"}, [("GET", "/v1/certificates", "")])
    _, seen, _ = ask(tmp_path, (200, {}), lambda client: client.put_certificate("*.a.b", PAIR))
    assert seen == [("PUT", "/v1/certificates/*.a.b", PAIR.message())]
    _, seen, _ = ask(tmp_path, (200, {}), lambda client: client.delete_certificate("a.b"))
    assert seen == [("DELETE", "/v1/certificates/a.b", "")]


def test_broken_certificate_is_told_apart_from_a_gateway_in_trouble(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"^certificate a\.b: refused by the gateway: no key$"):
        ask(tmp_path, (422, {"detail": "no key"}), lambda client: client.put_certificate("a.b", PAIR))
    with pytest.raises(HostError, match="answered 500"):
        ask(tmp_path, (500, {}), lambda client: client.put_certificate("a.b", PAIR))


def test_challenges_are_set_and_taken_away(tmp_path: Path) -> None:
    _, seen, _ = ask(tmp_path, (200, {}), lambda client: client.put_challenge("token", "token.thumb"))
    assert seen == [("PUT", "/v1/challenges/token", "token.thumb")]
    _, seen, _ = ask(tmp_path, (200, {}), lambda client: client.delete_challenge("token"))
    assert seen == [("DELETE", "/v1/challenges/token", "")]


@pytest.mark.parametrize(
    "call",
    [
        lambda client: client.certificates(),
        lambda client: client.delete_certificate("a"),
        lambda client: client.put_challenge("t", "t.x"),
        lambda client: client.delete_challenge("t"),
    ],
)
def test_refusal_of_a_tls_request_is_told(tmp_path: Path, call: Call) -> None:
    with pytest.raises(HostError, match=r"answered 404$"):
        ask(tmp_path, (404, {}), call)
