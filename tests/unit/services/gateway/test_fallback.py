"""Fallback: what a service has instead of the gateway's own answer when it is down."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from runyard.contracts import Fallback, Handling, Limits
from tests.harness.ports import free_ports
from tests.harness.waiting import until
from tests.unit.services.gateway.conftest import MakeGateway, MakeInstance
from tests.unit.services.gateway.nginx import Gateway, endpoints, service, settled


def serve_two(gateway: Gateway, own: tuple[int, ...], other: tuple[int, ...], **fields: object) -> None:
    """Push hello, which falls back to other, and other, which falls back to hello."""
    gateway.push(
        services={
            "default/hello": service(("hello-1", 100), fallback=Fallback(service="other"), **fields),
            "default/other": service(("other-1", 100), fallback=Fallback(service="hello")),
        },
        hosts={"hello.localhost": "default/hello"},
        endpoints={"default/hello-1": endpoints(*own, concurrency=1), "default/other-1": endpoints(*other)},
    )


@pytest.mark.parametrize(
    ("page", "media_type"),
    [("<h1>Back soon</h1>", "text/html; charset=utf-8"), ("Back soon, café", "text/plain; charset=utf-8")],
)
def test_page_is_given_with_the_status_of_the_answer(start_gateway: MakeGateway, page: str, media_type: str) -> None:
    gateway = start_gateway(hold_timeout_ms=100)
    gateway.serve(fallback=Fallback(page=page))
    answer = gateway.request()
    assert (answer.status, answer.headers["Content-Type"], answer.body.decode()) == (503, media_type, page)
    assert answer.headers["Retry-After"] == "1"
    metrics = gateway.admin("GET", "/metrics").body.decode()
    assert 'runyard_gateway_fallbacks_total{tenant="default",service="hello"} 1\n' in metrics


def test_other_service_answers_when_the_own_is_down(start_gateway: MakeGateway, make_instance: MakeInstance) -> None:
    gateway, other = start_gateway(hold_timeout_ms=100), make_instance("other")
    serve_two(gateway, (), (other.port,))
    answer = gateway.request("POST", "/pay?x=1", body=b"x" * 100_000)
    assert (answer.status, answer.json()["name"], answer.json()["path"]) == (200, "other", "/pay?x=1")
    assert answer.json()["body"] == "x" * 100_000
    # The log tells who answered.
    assert gateway.requests(1)[0]["service"] == "other"
    settled(gateway)


def test_breaker_sends_to_the_fallback_at_once(gateway: Gateway, make_instance: MakeInstance) -> None:
    other = make_instance("other")
    serve_two(gateway, tuple(free_ports(1)), (other.port,))
    with ThreadPoolExecutor(8) as pool:
        assert {pool.submit(gateway.request).result().json()["name"] for _ in range(8)} == {"other"}


def test_two_services_that_fall_back_to_each_other_end(start_gateway: MakeGateway) -> None:
    gateway = start_gateway(hold_timeout_ms=100)
    serve_two(gateway, (), ())
    assert gateway.request().kind == "no-instance"


def test_post_that_an_instance_has_seen_goes_nowhere_else(gateway: Gateway, make_instance: MakeInstance) -> None:
    own, other = make_instance("own"), make_instance("other")
    serve_two(gateway, (own.port,), (other.port,))
    answer = gateway.request("POST", "/break", body=b"pay")
    assert (answer.status, answer.kind) == (502, "instance-failed")
    assert other.seen == []
    # A GET may be asked of both; what breaks both is answered by neither.
    assert gateway.request("GET", "/break").status == 502
    assert gateway.request("GET", "/").json()["name"] == "own"


def test_limits_and_unknown_hosts_have_no_fallback(gateway: Gateway, make_instance: MakeInstance) -> None:
    own, other = make_instance("own"), make_instance("other")
    serve_two(gateway, (own.port,), (other.port,), limits=Limits(requests_per_second=1))
    kinds = {answer.kind for answer in (gateway.request() for _ in range(5)) if answer.status == 429}
    assert kinds == {"service-limit"}
    assert gateway.request(host="unknown.localhost").kind == "unknown-host"


def test_fallback_is_held_to_the_limits_of_the_service_that_answers(
    gateway: Gateway, make_instance: MakeInstance
) -> None:
    other = make_instance("other")
    gateway.push(
        services={
            "default/hello": service(
                ("hello-1", 100), stopped=True, fallback=Fallback(service="other"), limits=Limits(concurrent_requests=9)
            ),
            "default/other": service(
                ("other-1", 100), limits=Limits(concurrent_requests=1), handling=Handling(max_request_bytes=10)
            ),
        },
        hosts={"hello.localhost": "default/hello"},
        endpoints={"default/other-1": endpoints(other.port)},
    )
    with ThreadPoolExecutor(5) as pool:
        asked = [pool.submit(gateway.request, "GET", "/wait") for _ in range(5)]
        until(lambda: sum(each.done() for each in asked) == 4, "all but one are refused")
        assert other.waiting == 1
        other.release()
        answers = [each.result() for each in asked]
    # The answer of its own service tells more than that of the other.
    assert sorted(each.status for each in answers) == [200, 503, 503, 503, 503]
    assert {each.kind for each in answers if each.status == 503} == {"stopped"}
    assert gateway.request("POST", body=b"x" * 11).kind == "stopped"
    # Neither service's count was left behind.
    for _ in range(10):
        until(lambda: gateway.request("POST", body=b"x" * 10).status == 200, "the one before is given back")
