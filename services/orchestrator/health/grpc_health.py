"""The standard gRPC health check, with its two one-field messages encoded by hand."""

from __future__ import annotations

METHOD = "/grpc.health.v1.Health/Check"
SERVING = 1


def encode_request(service: str) -> bytes:
    """Encode HealthCheckRequest: field 1, a string; an empty one is not sent."""
    name = service.encode()
    return b"\x0a" + _varint(len(name)) + name if name else b""


def decode_status(message: bytes) -> int:
    """Decode HealthCheckResponse: field 1, an enum; absent means 0 (unknown)."""
    if len(message) < 2 or message[0] != 0x08:
        return 0
    return message[1]


def _varint(number: int) -> bytes:
    low, rest = number & 0x7F, number >> 7
    return bytes([low]) if not rest else bytes([low | 0x80]) + _varint(rest)


async def check_grpc(address: str, service: str) -> str:
    """Ask `address` for the health of `service`; empty if it serves, else what was seen."""
    # Imported here: gRPC costs 20 MB of memory and most platforms have no gRPC probe.
    import grpc.aio

    # A pool of its own for each try, or a refused connection would put the next tries into gRPC's own back-off.
    options = [("grpc.use_local_subchannel_pool", 1), ("grpc.enable_http_proxy", 0)]
    async with grpc.aio.insecure_channel(address, options=options) as channel:
        check = channel.unary_unary(METHOD, request_serializer=None, response_deserializer=None)
        try:
            status = decode_status(await check(encode_request(service)))
        except grpc.aio.AioRpcError as error:
            return f"{error.code().name.lower()}: {error.details()}"
    return "" if status == SERVING else f"not serving (status {status})"
