"""A gRPC server with a method of each kind, and a client of it: bytes in, bytes out."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import grpc

SERVICE = "shop.Orders"


def identity(data: bytes) -> bytes:
    return data


class CallServer(grpc.GenericRpcHandler):  # type: ignore[misc]
    """Methods: Unary echoes, Count streams, Sum takes a stream, Chat answers each message, Fail fails, Wait waits."""

    def __init__(self) -> None:
        self.server = grpc.server(ThreadPoolExecutor(8))
        self.server.add_generic_rpc_handlers((self,))
        self.port = self.server.add_insecure_port("127.0.0.1:0")
        self.metadata: list[dict[str, Any]] = []
        self.gate = threading.Event()
        self.server.start()

    def stop(self) -> None:
        self.gate.set()
        self.server.stop(None).wait()

    def service(self, details: grpc.HandlerCallDetails) -> grpc.RpcMethodHandler | None:
        self.metadata.append(dict(details.invocation_metadata))
        kinds = {
            "Unary": grpc.unary_unary_rpc_method_handler(self.unary),
            "Count": grpc.unary_stream_rpc_method_handler(self.count),
            "Sum": grpc.stream_unary_rpc_method_handler(self.sum),
            "Chat": grpc.stream_stream_rpc_method_handler(self.chat),
            "Fail": grpc.unary_unary_rpc_method_handler(self.fail),
            "Wait": grpc.unary_unary_rpc_method_handler(self.wait),
        }
        return kinds.get(details.method.removeprefix(f"/{SERVICE}/"))

    def unary(self, request: bytes, context: grpc.ServicerContext) -> bytes:
        context.set_trailing_metadata((("cost", "7"),))
        return b"echo " + request

    def count(self, request: bytes, context: grpc.ServicerContext) -> Iterator[bytes]:
        for number in range(int(request)):
            yield str(number).encode()

    def sum(self, requests: Iterator[bytes], context: grpc.ServicerContext) -> bytes:
        return str(sum(map(int, requests))).encode()

    def chat(self, requests: Iterator[bytes], context: grpc.ServicerContext) -> Iterator[bytes]:
        for request in requests:
            yield b"heard " + request

    def fail(self, request: bytes, context: grpc.ServicerContext) -> bytes:
        context.set_trailing_metadata((("reason", "stock"),))
        context.abort(grpc.StatusCode.FAILED_PRECONDITION, "nothing left")
        raise AssertionError("abort has raised")

    def wait(self, request: bytes, context: grpc.ServicerContext) -> bytes:
        self.gate.wait(20)
        return request


class CallClient:
    """A channel to a port of the gateway, with the service's host as its authority."""

    def __init__(self, port: int, authority: str = "hello.localhost") -> None:
        options = [("grpc.default_authority", authority), ("grpc.enable_retries", 0)]
        self.channel = grpc.insecure_channel(f"127.0.0.1:{port}", options)

    def call(self, method: str, request: bytes, **options: Any) -> tuple[bytes, grpc.Call]:
        answer: tuple[bytes, grpc.Call] = self._method("unary_unary", method).with_call(request, timeout=20, **options)
        return answer

    def failure(self, method: str, request: bytes = b"", **options: Any) -> grpc.RpcError:
        try:
            self.call(method, request, **options)
        except grpc.RpcError as error:
            return error
        raise AssertionError(f"{method} did not fail")

    def stream(self, kind: str, method: str, requests: Any) -> Any:
        return self._method(kind, method)(requests, timeout=20)

    def _method(self, kind: str, method: str) -> Any:
        return getattr(self.channel, kind)(f"/{SERVICE}/{method}", identity, identity)
