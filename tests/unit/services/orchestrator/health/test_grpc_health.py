from __future__ import annotations

import asyncio

import grpc
import grpc.aio
import pytest

from services.orchestrator.health.grpc_health import METHOD, check_grpc, decode_status, encode_request


@pytest.mark.parametrize(
    ("service", "message"),
    [("", b""), ("a", b"\x0a\x01a"), ("x" * 200, b"\x0a\xc8\x01" + b"x" * 200)],
)
def test_request_is_encoded_as_protobuf_does(service: str, message: bytes) -> None:
    assert encode_request(service) == message


@pytest.mark.parametrize(("message", "status"), [(b"", 0), (b"\x08\x01", 1), (b"\x08\x02", 2), (b"\x12\x01", 0)])
def test_status_is_decoded_and_absent_means_unknown(message: bytes, status: int) -> None:
    assert decode_status(message) == status


class Health(grpc.GenericRpcHandler):  # type: ignore[misc]
    """A server of the health check that knows one service."""

    def __init__(self, answer: bytes) -> None:
        self.answer = answer

    def service(self, details: grpc.HandlerCallDetails) -> grpc.RpcMethodHandler | None:
        if details.method != METHOD:
            return None

        async def check(request: bytes, context: grpc.aio.ServicerContext) -> bytes:
            if request not in (b"", encode_request("shop.Cart")):
                await context.abort(grpc.StatusCode.NOT_FOUND, "unknown service")
            return self.answer

        return grpc.unary_unary_rpc_method_handler(check)


async def ask(answer: bytes, service: str) -> str:
    server = grpc.aio.server()
    server.add_generic_rpc_handlers((Health(answer),))
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    try:
        return await check_grpc(f"127.0.0.1:{port}", service)
    finally:
        await server.stop(None)


@pytest.mark.parametrize("service", ["", "shop.Cart"])
def test_serving_service_passes(service: str) -> None:
    assert asyncio.run(ask(b"\x08\x01", service)) == ""


def test_service_that_does_not_serve_fails_with_its_status() -> None:
    assert asyncio.run(ask(b"\x08\x02", "")) == "not serving (status 2)"


def test_unknown_service_fails_with_the_server_s_words() -> None:
    assert asyncio.run(ask(b"\x08\x01", "nobody")) == "not_found: unknown service"


def test_server_that_is_not_there_is_unavailable() -> None:
    answer = asyncio.run(check_grpc("127.0.0.1:1", ""))
    assert answer.startswith("unavailable: ")
