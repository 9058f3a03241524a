"""The hello's probes: HTTP with toggles, and the gRPC health protocol on the same port."""

from __future__ import annotations

import grpc
import pytest

from tests.unit.services.hello.program import Hello

CHECK = "/grpc.health.v1.Health/Check"
SERVING, NOT_SERVING = b"\x08\x01", b"\x08\x02"


def ask(hello: Hello, message: bytes = b"", method: str = CHECK) -> bytes:
    with grpc.insecure_channel(f"127.0.0.1:{hello.port}") as channel:
        answer: bytes = channel.unary_unary(method)(message, timeout=20)
        return answer


def test_healthz_is_ok_at_first(hello: Hello) -> None:
    answer = hello.get("/healthz")
    assert (answer.status, answer.json()) == (200, {"ready": True, "live": True})


@pytest.mark.parametrize("name", ["ready", "live"])
def test_toggle_fails_its_own_probe_and_healthz_until_set_back(hello: Hello, name: str) -> None:
    assert hello.get(f"/{name}?ok=false").status == 200
    assert hello.get(f"/{name}").status == 503
    assert hello.get("/healthz").status == 503
    other = "live" if name == "ready" else "ready"
    assert hello.get(f"/{other}").status == 200
    assert hello.get(f"/{name}?ok=true").status == 200
    assert hello.get("/healthz").status == 200


def test_toggle_refuses_a_value_that_is_no_truth(hello: Hello) -> None:
    answer = hello.get("/ready?ok=perhaps")
    assert (answer.status, answer.json()) == (400, {"error": 'ok: must be true or false, got "perhaps"'})
    assert hello.get("/ready").status == 200


def test_grpc_check_answers_serving_and_follows_the_toggle(hello: Hello) -> None:
    assert ask(hello) == SERVING
    hello.get("/ready?ok=false")
    assert ask(hello) == NOT_SERVING


def test_grpc_check_knows_its_own_service_by_name(hello: Hello) -> None:
    assert ask(hello, b"\x0a\x05hello") == SERVING


@pytest.mark.parametrize(
    ("message", "method", "code"),
    [
        (b"\x0a\x05other", CHECK, grpc.StatusCode.NOT_FOUND),
        (b"\x0a\x09short", CHECK, grpc.StatusCode.INTERNAL),
        (b"\x12\x01x", CHECK, grpc.StatusCode.INTERNAL),
        (b"", "/grpc.health.v1.Health/Watch", grpc.StatusCode.UNIMPLEMENTED),
    ],
)
def test_grpc_refuses_with_the_protocols_status(
    hello: Hello, message: bytes, method: str, code: grpc.StatusCode
) -> None:
    with pytest.raises(grpc.RpcError) as refusal:
        ask(hello, message, method)
    assert refusal.value.code() == code
