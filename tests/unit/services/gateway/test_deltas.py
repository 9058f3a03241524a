"""Deltas: what changed of a snapshot is put in force whole or not at all, on the generation that it is based on."""

from __future__ import annotations

import itertools
import json
import threading
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import replace
from typing import Any

import pytest

from runyard.contracts import GatewayDelta, GatewayRemovals, GatewaySnapshot, decode, encode
from tests.harness.client import Answer, answer_of
from tests.unit.services.gateway.conftest import MakeGateway, MakeInstance
from tests.unit.services.gateway.instance import Instance
from tests.unit.services.gateway.nginx import Gateway, endpoints, service, settled

InBackground = Callable[..., Future[Any]]


def amend(gateway: Gateway, delta: GatewayDelta | dict[str, Any]) -> Answer:
    body = encode(delta) if isinstance(delta, GatewayDelta) else json.dumps(delta)
    return gateway.admin("PATCH", "/v1/snapshot", body)


@pytest.fixture
def serving(gateway: Gateway, instance: Instance) -> Gateway:
    """A gateway with generation 1: hello at hello.localhost."""
    gateway.serve(instance.port)
    return gateway


def test_delta_changes_adds_and_removes(serving: Gateway, make_instance: MakeInstance) -> None:
    other = make_instance("two")
    delta = GatewayDelta(
        1,
        2,
        services={"default/cart": service(("cart-1", 100))},
        hosts={"cart.localhost": "default/cart"},
        endpoints={"default/hello-1": endpoints(other.port), "default/cart-1": endpoints(other.port)},
        callers={"127.0.0.9": "default/cart"},
    )
    answer = amend(serving, delta)
    assert (answer.status, answer.json()) == (200, {"generation": 2})
    assert serving.request().json()["name"] == "two"
    assert serving.request(host="cart.localhost").status == 200
    gone = GatewayRemovals(
        services=("default/cart",), hosts=("cart.localhost",), endpoints=("default/cart-1",), callers=("127.0.0.9",)
    )
    assert amend(serving, GatewayDelta(2, 3, removed=gone)).status == 200
    assert serving.request(host="cart.localhost").kind == "unknown-host"
    serving.keep()
    counts = {"generation": 3, "hosts": 1, "services": 1, "endpoints": 1, "callers": 0, "paths": 0, "kept": 3}
    assert serving.admin("GET", "/v1/snapshot").json() == counts


def test_deltas_and_snapshots_leave_the_same_file(serving: Gateway) -> None:
    for generation in range(2, 30):
        delta = GatewayDelta(
            generation - 1,
            generation,
            services={f"default/s{generation}": service((f"s{generation}-1", 100))},
            hosts={f"s{generation}.localhost": f"default/s{generation}"},
            removed=GatewayRemovals(hosts=(f"s{generation - 3}.localhost",) if generation > 4 else ()),
        )
        assert amend(serving, delta).status == 200
    serving.keep()
    services = {f"default/s{number}": service((f"s{number}-1", 100)) for number in range(2, 30)}
    hosts = {f"s{number}.localhost": f"default/s{number}" for number in (27, 28, 29)}
    expected = replace(
        serving.snapshot,
        generation=29,
        services={**serving.snapshot.services, **services},
        hosts={**serving.snapshot.hosts, **hosts},
    )
    assert decode(GatewaySnapshot, serving.state.read_text()) == expected


@pytest.mark.parametrize("base", [2, 7])
def test_delta_on_another_generation_is_409_and_changes_nothing(serving: Gateway, base: int) -> None:
    answer = amend(serving, GatewayDelta(base, base + 1, removed=GatewayRemovals(hosts=("hello.localhost",))))
    assert (answer.status, answer.kind, answer.json()["generation"]) == (409, "base", 1)
    assert answer.json()["detail"] == f"base: must be what is in force, 1, got {base}"
    assert serving.request().status == 200


def test_delta_that_removes_what_is_not_there_is_409_so_that_a_snapshot_follows(serving: Gateway) -> None:
    gone = GatewayRemovals(hosts=("hello.localhost",), endpoints=("default/none",))
    answer = amend(serving, GatewayDelta(1, 2, removed=gone))
    assert (answer.status, answer.kind) == (409, "base")
    assert answer.json()["detail"] == "removed.endpoints: default/none is not in force"
    assert serving.request().status == 200


def test_same_delta_again_is_taken_for_the_same(serving: Gateway) -> None:
    delta = GatewayDelta(1, 2, hosts={"other.localhost": "default/hello"})
    for _ in range(2):
        answer = amend(serving, delta)
        assert (answer.status, answer.json()) == (200, {"generation": 2})
    assert amend(serving, replace(delta, hosts={})).kind == "base"


def test_delta_to_a_gateway_that_has_nothing_is_409(gateway: Gateway) -> None:
    assert amend(gateway, GatewayDelta(1, 2)).kind == "base"


GOOD: dict[str, Any] = {"base": 1, "generation": 2}


@pytest.mark.parametrize(
    ("delta", "detail"),
    [
        ({"generation": 2}, "delta: field base is missing"),
        ({"base": 1}, "delta: field generation is missing"),
        ({**GOOD, "base": 0}, "delta.base: must be a whole number"),
        ({**GOOD, "generation": 1}, "delta.generation: must be above 1, got 1"),
        ({**GOOD, "version": 2}, "delta.version: must be a whole number from 1 to 1, got 2"),
        ({**GOOD, "surprise": 1}, 'delta: unknown field "surprise"'),
        ({**GOOD, "hosts": {"a b": "default/hello"}}, "delta.hosts: must be a DNS label"),
        ({**GOOD, "services": {"default/hello": {"timeout_s": 0}}}, "delta.services.default/hello.timeout_s: must be"),
        ({**GOOD, "endpoints": {"default/a": {"addresses": ["evil:80"]}}}, "addresses[0]: must be an IP address"),
        ({**GOOD, "removed": {"surprise": []}}, 'delta.removed: unknown field "surprise"'),
        ({**GOOD, "removed": {"hosts": {"a": 1}}}, "delta.removed.hosts: must be a list"),
        ({**GOOD, "removed": {"hosts": ["a\nb"]}}, "delta.removed.hosts[0]: must be a DNS label"),
        ({**GOOD, "removed": {"callers": ["epoch"]}}, "delta.removed.callers[0]: must be an IP address"),
        ({**GOOD, "removed": {"services": ["a"]}}, "delta.removed.services[0]: must be tenant/name"),
        (
            {**GOOD, "hosts": {"a": "default/hello"}, "removed": {"hosts": ["b", "a"]}},
            'delta.removed.hosts[1]: must not be among what changes, got "a"',
        ),
    ],
)
def test_garbage_is_400_and_changes_nothing(serving: Gateway, delta: dict[str, Any], detail: str) -> None:
    answer = amend(serving, delta)
    assert (answer.status, answer.kind, answer.json()["generation"]) == (400, "shape", 1)
    assert detail in answer.json()["detail"]
    assert serving.request().status == 200


def renaming(base: int, count: int, port: int) -> GatewayDelta:
    """Move every host from the services of one generation to those of the next, which are new; the others go."""
    old, new = (
        [f"default/s{number}-{base}" for number in range(count)],
        [f"default/s{number}-{base + 1}" for number in range(count)],
    )
    return GatewayDelta(
        base,
        base + 1,
        services={key: service((key[8:], 100)) for key in new},
        hosts={f"h{number}.localhost": key for number, key in enumerate(new)},
        endpoints={key: endpoints(port) for key in new},
        removed=GatewayRemovals(services=tuple(old), endpoints=tuple(old)) if base > 1 else GatewayRemovals(),
    )


def test_no_request_sees_half_a_delta(
    start_gateway: MakeGateway, instance: Instance, in_background: InBackground
) -> None:
    # More than a writer writes at a time, so that others have their turn in between, in every worker; and each request
    # is for another host, of which its worker has read nothing yet.
    gateway, count, last = start_gateway(workers=4), 400, 16
    gateway.push()
    assert amend(gateway, renaming(1, count, instance.port)).status == 200
    over = threading.Event()

    def ask(first: int) -> set[int]:
        seen = set()
        with gateway.connect() as connection:
            for number in itertools.count(first):
                connection.request("GET", "/", headers={"Host": f"h{number % count}.localhost"})
                seen.add(answer_of(connection.getresponse()).status)
                if over.is_set():
                    return seen
        raise AssertionError

    asking = [in_background(ask, number * 49) for number in range(8)]
    for base in range(2, last):
        assert amend(gateway, renaming(base, count, instance.port)).status == 200
    over.set()
    assert [each.result() for each in asking] == [{200}] * 8
    settled(gateway)


def test_confirmed_delta_holds_for_every_later_request_in_every_worker(
    start_gateway: MakeGateway, instance: Instance
) -> None:
    gateway = start_gateway(workers=4)
    gateway.serve(instance.port)
    for base in range(1, 60):
        gone = GatewayRemovals(hosts=(f"h{base - 1}.localhost",)) if base > 1 else GatewayRemovals()
        assert amend(gateway, GatewayDelta(base, base + 1, hosts={f"h{base}.localhost": "default/hello"}, removed=gone))
        assert gateway.request(host=f"h{base}.localhost").status == 200
        assert base == 1 or gateway.request(host=f"h{base - 1}.localhost").status == 404


def test_restart_begins_with_what_the_file_has(serving: Gateway) -> None:
    assert amend(serving, GatewayDelta(1, 2, hosts={"new.localhost": "default/hello"})).status == 200
    serving.keep()
    serving.stop(kill=True)
    serving.start()
    assert serving.admin("GET", "/v1/snapshot").json()["generation"] == 2
    assert serving.request(host="new.localhost").status == 200
    assert amend(serving, GatewayDelta(2, 3)).status == 200
