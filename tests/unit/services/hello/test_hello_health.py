"""The workload's probes: HTTP with toggles, and the gRPC health protocol on the same port."""

from __future__ import annotations

import grpc
import pytest

from tests.unit.services.workload.program import Workload

CHECK = "/grpc.health.v1.Health/Check"
SERVING, NOT_SERVING = b"\x08\x01", b"\x08\x02"


def ask(workload: Workload, message: bytes = b"", method: str = CHECK) -> bytes:
    with grpc.insecure_channel(f"127.0.0.1:{workload.port}") as channel:
        answer: bytes = channel.unary_unary(method)(message, timeout=20)
        return answer


def test_healthz_is_ok_at_first(workload: Workload) -> None:
    answer = workload.get("/healthz")
    assert (answer.status, answer.json()) == (200, {"ready": True, "live": True})


@pytest.mark.parametrize("name", ["ready", "live"])
def test_toggle_fails_its_own_probe_and_healthz_until_set_back(workload: Workload, name: str) -> None:
    assert workload.get(f"/{name}?ok=false").status == 200
    assert workload.get(f"/{name}").status == 503
    assert workload.get("/healthz").status == 503
    other = "live" if name == "ready" else "ready"
    assert workload.get(f"/{other}").status == 200
    assert workload.get(f"/{name}?ok=true").status == 200
    assert workload.get("/healthz").status == 200


def test_toggle_refuses_a_value_that_is_no_truth(workload: Workload) -> None:
    answer = workload.get("/ready?ok=perhaps")
    assert (answer.status, answer.json()) == (400, {"error": 'ok: must be true or false, got "perhaps"'})
    assert workload.get("/ready").status == 200


def test_grpc_check_answers_serving_and_follows_the_toggle(workload: Workload) -> None:
    assert ask(workload) == SERVING
    workload.get("/ready?ok=false")
    assert ask(workload) == NOT_SERVING


def test_grpc_check_knows_its_own_service_by_name(workload: Workload) -> None:
    assert ask(workload, b"\x0a\x05hello") == SERVING


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
    workload: Workload, message: bytes, method: str, code: grpc.StatusCode
) -> None:
    with pytest.raises(grpc.RpcError) as refusal:
        ask(workload, message, method)
    assert refusal.value.code() == code
