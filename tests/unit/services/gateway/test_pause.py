"""Paused services: requests are held for a bounded time, reach no instance, and go on with the end of the pause."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor

from runyard.contracts import Fallback, Handling, Limits
from tests.harness.waiting import until
from tests.unit.services.gateway.instance import Instance
from tests.unit.services.gateway.nginx import Gateway, assert_lasted, endpoints, service, settled
from tests.unit.services.gateway.test_load import gauges, tell

LONG_S = 600


def serve(gateway: Gateway, instance: Instance, for_s: int, **fields: object) -> int:
    """Serve hello, paused for so long; gives until when."""
    end = int(time.time()) + for_s if for_s else 0
    gateway.serve(instance.port, paused_until_unix_s=end, **fields)
    return end


def test_request_is_held_and_goes_on_when_the_pause_is_taken_back(gateway: Gateway, instance: Instance) -> None:
    serve(gateway, instance, LONG_S)
    with ThreadPoolExecutor(20) as pool:
        held = [pool.submit(gateway.request, method, "/") for method in ("GET", "POST") * 10]
        until(lambda: metric(gateway) == 20, "all of them wait")
        assert instance.seen == []
        # It is no load of the revision: nothing is started for it.
        assert "default/hello-1" not in tell(gateway).revisions
        serve(gateway, instance, 0)
        assert {each.result().status for each in held} == {200}
    assert len(instance.seen) == 20
    settled(gateway)
    assert tell(gateway).revisions["default/hello-1"].arrivals == 20


def test_request_that_waited_in_vain_is_told_when_to_come_again(gateway: Gateway, instance: Instance) -> None:
    end = serve(gateway, instance, LONG_S, limits=Limits(queue_timeout_s=1))
    began = time.monotonic()
    answer = gateway.request()
    assert_lasted(time.monotonic() - began, 1)
    assert (answer.status, answer.json()["type"]) == (503, "urn:runyard:problem:paused")
    assert abs(int(answer.headers["Retry-After"]) - (end - time.time())) <= 2
    assert instance.seen == []
    settled(gateway)


def test_pause_ends_at_its_time_without_anybody_to_say_so(gateway: Gateway, instance: Instance) -> None:
    end = serve(gateway, instance, 2)
    answer = gateway.request()
    assert (answer.status, len(instance.seen)) == (200, 1)
    assert time.time() >= end


def test_what_an_instance_has_goes_on_and_a_body_is_kept_for_it(gateway: Gateway, instance: Instance) -> None:
    gateway.serve(instance.port)
    with ThreadPoolExecutor(2) as pool:
        under_way = pool.submit(gateway.request, "GET", "/wait")
        until(lambda: instance.waiting == 1, "it is at the instance")
        serve(gateway, instance, LONG_S)
        later = pool.submit(gateway.request, "POST", "/echo", body=b"kept")
        until(lambda: metric(gateway) == 1, "the other one waits")
        instance.release()
        assert under_way.result().status == 200
        serve(gateway, instance, 0)
        assert later.result().status == 200


def test_upload_that_is_not_kept_waits_too(gateway: Gateway, instance: Instance) -> None:
    unread = Handling(request_buffering=False)
    serve(gateway, instance, LONG_S, handling=unread)
    with ThreadPoolExecutor(1) as pool:
        held = pool.submit(gateway.request, "POST", "/echo", body=b"x" * 100_000)
        until(lambda: metric(gateway) == 1, "it waits")
        serve(gateway, instance, 0, handling=unread)
        assert held.result().status == 200


def test_line_is_bounded_and_a_fallback_answers(gateway: Gateway, instance: Instance) -> None:
    serve(gateway, instance, LONG_S, limits=Limits(queue_size=1, queue_timeout_s=1), fallback=Fallback(page="soon"))
    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(gateway.request)
        until(lambda: metric(gateway) == 1, "the first one waits")
        assert gateway.request().status == 429
        answer = first.result()
    assert (answer.status, answer.text, "Retry-After" in answer.headers) == (503, "soon", True)


def test_call_of_another_service_waits_and_what_slept_answers_it(gateway: Gateway, instance: Instance) -> None:
    caller = service(uses=("hello",))
    paused = service(("hello-1", 100), paused_until_unix_s=int(time.time()) + LONG_S)
    gateway.push(
        services={"default/hello": paused, "default/caller": caller},
        callers={"127.0.0.7": "default/caller"},
        endpoints={"default/hello-1": endpoints()},
    )
    with ThreadPoolExecutor(1) as pool:
        call = pool.submit(gateway.request, "GET", "/", host="hello.internal", source="127.0.0.7")
        until(lambda: metric(gateway) == 1, "it waits")
        gateway.push(services={"default/hello": service(("hello-1", 100)), "default/caller": caller})
        # Now it waits for an instance, as with any service that sleeps.
        until(lambda: gauges(gateway) == (0, 1), "it waits for the revision")
        gateway.push(endpoints={"default/hello-1": endpoints(instance.port)})
        assert call.result().status == 200


def metric(gateway: Gateway) -> int:
    text = gateway.admin("GET", "/metrics").text
    name = 'runyard_gateway_queue_length{tenant="default",service="hello"} '
    return next((int(line.removeprefix(name)) for line in text.splitlines() if line.startswith(name)), 0)
