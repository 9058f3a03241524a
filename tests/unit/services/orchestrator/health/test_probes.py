from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import grpc
import grpc.aio
import pytest
from aiohttp import web

from runyard.contracts import Probe, SecretValue, Variable
from runyard.errors import HostUnreachable, NotFound
from services.orchestrator.health.probes import SEEN_LENGTH, ProbeRunner, Target, describe
from tests.harness.ports import free_port

from ..world import FakeEngine, container


@asynccontextmanager
async def http_server(status: int, seen: list[web.Request] | None = None) -> AsyncIterator[int]:
    async def answer(request: web.Request) -> web.Response:
        if seen is not None:
            seen.append(request)
        return web.Response(status=status, headers={"Location": "/elsewhere"})

    app = web.Application()
    app.router.add_get("/{path:.*}", answer)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    yield runner.addresses[0][1]
    await runner.cleanup()


async def attempt(probe: Probe, port: int, engine: FakeEngine | None = None) -> str | None:
    runner = ProbeRunner(engine or FakeEngine(), lambda _: "")
    try:
        return await runner.attempt(probe, Target("c", "127.0.0.1", port, container()))
    finally:
        await runner.close()


@pytest.mark.parametrize(
    ("status", "answer"),
    [
        (200, ""),
        (204, ""),
        (302, ""),
        (399, ""),
        (404, "http :{port}/up: answered 404"),
        (500, "http :{port}/up: answered 500"),
    ],
)
def test_http_passes_on_any_answer_from_200_to_399(status: int, answer: str) -> None:
    async def whole() -> None:
        async with http_server(status) as port:
            assert await attempt(Probe(kind="http", path="/up"), port) == answer.format(port=port)

    asyncio.run(whole())


def test_http_sends_the_probe_s_headers_and_follows_nothing() -> None:
    async def whole() -> None:
        seen: list[web.Request] = []
        async with http_server(302, seen) as port:
            await attempt(Probe(kind="http", headers=(("X-Check", "1"), ("Host", "shop"))), port)
            await attempt(Probe(kind="http", headers=(("user-agent", "mine"),)), port)
        request, other = seen
        assert (request.headers["X-Check"], request.headers["Host"], request.path) == ("1", "shop", "/")
        # Programs that Kubernetes probes know it by this.
        assert request.headers["User-Agent"].startswith("kube-probe/1.")
        assert other.headers.getall("User-Agent") == ["mine"]

    asyncio.run(whole())


@pytest.mark.parametrize("kind", ["tcp", "http"])
def test_refused_connection_says_so(kind: str) -> None:
    port = free_port()
    path = "/" if kind == "http" else ""
    answer = asyncio.run(attempt(Probe(kind=kind), port))  # type: ignore[arg-type]
    assert answer == f"{kind} :{port}{path}: connection refused"


def test_tcp_passes_when_something_listens_on_the_probe_s_own_port() -> None:
    async def whole() -> None:
        async with http_server(500) as port:
            assert await attempt(Probe(kind="tcp", port=port), port=1) == ""

    asyncio.run(whole())


def test_silence_fails_after_the_timeout() -> None:
    async def whole() -> None:
        release = asyncio.Event()

        async def silent(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await release.wait()
            writer.close()

        async with await asyncio.start_server(silent, "127.0.0.1", 0) as server:
            port = server.sockets[0].getsockname()[1]
            answer = await attempt(Probe(kind="http", timeout_s=1), port)
            assert answer == f"http :{port}/: no answer in 1 s"
            release.set()

    asyncio.run(whole())


@pytest.mark.parametrize(("code", "answer"), [(0, ""), (2, "command test -e /up: exit code 2")])
def test_command_passes_on_exit_code_zero(code: int, answer: str) -> None:
    engine = FakeEngine()
    engine.exit_code = code
    assert asyncio.run(attempt(Probe(kind="exec", command=("test", "-e", "/up")), 1, engine)) == answer


def test_command_in_a_container_with_secrets_goes_through_the_launcher_with_what_it_is_told() -> None:
    engine, secret = FakeEngine(), SecretValue("db", "latest", "d1")
    target = Target("c", "a", 1, container(environment=(Variable("DB", secret=secret),)))
    runner = ProbeRunner(engine, lambda each: f"told of {each.name}")
    assert asyncio.run(runner.attempt(Probe(kind="exec", command=("test", "-e", "/up")), target)) == ""
    assert engine.inputs == {"/.runyard/launch -- test -e /up": "told of app"}


def test_command_through_an_engine_that_is_away_could_not_be_tried() -> None:
    engine = FakeEngine()
    engine.errors["run"] = HostUnreachable("run: connection refused")
    assert asyncio.run(attempt(Probe(kind="exec", command=("true",)), 1, engine)) is None


def test_command_in_a_container_that_is_gone_fails() -> None:
    engine = FakeEngine()
    engine.errors["run"] = NotFound("run a command in container c: no such container")
    answer = asyncio.run(attempt(Probe(kind="exec", command=("true",)), 1, engine))
    assert answer == "command true: run a command in container c: no such container"


class SlowEngine(FakeEngine):
    async def run(self, container: str, command: tuple[str, ...], standard_input: str = "") -> int:
        await asyncio.Event().wait()
        return 0


@pytest.mark.parametrize(("away", "answer"), [(False, "command true: no answer in 0 s"), (True, None)])
def test_slow_command_fails_only_if_the_engine_itself_answers(away: bool, answer: str | None) -> None:
    engine = SlowEngine()
    engine.away = away
    assert asyncio.run(attempt(Probe(kind="exec", command=("true",), timeout_s=0), 1, engine)) == answer


def test_description_names_kind_port_and_what_is_asked() -> None:
    target = Target("c", "a", 8080, container())
    assert describe(Probe(kind="grpc", port=9, service="shop.Cart"), target) == "grpc :9 shop.Cart"
    assert describe(Probe(kind="grpc"), target) == "grpc :8080"
    assert describe(Probe(kind="tcp"), target) == "tcp :8080"


ESCAPES = "\x1b[2K\u202e\u2028\u200b"


class TellingHealth(grpc.GenericRpcHandler):  # type: ignore[misc]
    """A health server whose reason is for somebody's terminal."""

    def service(self, details: grpc.HandlerCallDetails) -> grpc.RpcMethodHandler:
        async def check(request: bytes, context: grpc.aio.ServicerContext) -> bytes:
            await context.abort(grpc.StatusCode.UNAVAILABLE, f"all is well{ESCAPES}" + "x" * 4000)
            return b""

        return grpc.unary_unary_rpc_method_handler(check)


def test_reason_of_a_grpc_server_is_readable_and_short() -> None:
    async def whole() -> str | None:
        server = grpc.aio.server()
        server.add_generic_rpc_handlers((TellingHealth(),))
        port = server.add_insecure_port("127.0.0.1:0")
        await server.start()
        try:
            return await attempt(Probe(kind="grpc", timeout_s=5), port)
        finally:
            await server.stop(None)

    seen = asyncio.run(whole())
    assert seen is not None
    assert r"unavailable: all is well\x1b[2K\u202e\u2028\u200bx" in seen
    assert seen.isprintable()
    assert len(seen) < SEEN_LENGTH + 100


def test_answer_that_is_no_http_is_readable() -> None:
    async def whole() -> str | None:
        async def answer(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            writer.write(f"HTTP/1.1 {ESCAPES} OK\r\n\r\n".encode())
            await writer.drain()
            writer.close()

        server = await asyncio.start_server(answer, "127.0.0.1", 0)
        async with server:
            return await attempt(Probe(kind="http", path="/", timeout_s=5), server.sockets[0].getsockname()[1])

    seen = asyncio.run(whole())
    assert seen
    assert seen.isprintable()
    assert ESCAPES not in seen
