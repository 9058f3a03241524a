"""Live stack: services are found, counters settle before and after, and instances are watched meanwhile."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from runyard.contracts import RequestLine
from runyard.errors import NotFound, UsageError
from runyard.host import Engine
from runyard.workload.live import InstanceWatch, LiveStack, capacity_of
from runyard.workload.model import Target
from runyard.workload.outcome import Capacity
from tests.harness.client import ask
from tests.harness.waiting import until
from tests.unit.runyard.workload.made import recording, scenario
from tests.unit.runyard.workload.stack import LoadedStack, loaded_stack

WEB = Target("browse", service="shop/web", path="/a?b=c")


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[tuple[Engine, LoadedStack]]:
    with loaded_stack(tmp_path) as (stack, _), Engine(f"unix://{tmp_path}/docker.sock") as engine:
        yield engine, stack


def test_service_is_asked_at_its_gateway_by_its_host(engine: tuple[Engine, LoadedStack]) -> None:
    live, stack = engine
    (target,) = LiveStack(live, "dev").resolve(scenario(targets=(WEB,))).targets
    assert (target.url, target.headers) == (
        f"http://127.0.0.1:{stack.port}/a?b=c",
        (("Host", "web.shop.localhost"),),
    )


def test_host_that_a_target_names_itself_stays(engine: tuple[Engine, LoadedStack]) -> None:
    headers = (("host", "www.example.com"),)
    named = Target("t", service="shop/web", headers=headers)
    assert LiveStack(engine[0], "dev").resolve(scenario(targets=(named,))).targets[0].headers == headers


def test_url_needs_no_stack(engine: tuple[Engine, LoadedStack]) -> None:
    made = scenario()
    assert LiveStack(engine[0], "dev").resolve(made) == made
    assert engine[1].commands == []


@pytest.mark.parametrize(
    ("service", "hosts", "error", "message"),
    [
        ("shop/cart", ("a.localhost",), NotFound, r"target t: must be a service of the stack \(shop/web\)"),
        ("shop/web", (), UsageError, "target t: shop/web must have a public host, and has none"),
    ],
)
def test_service_that_cannot_be_asked_is_told(
    engine: tuple[Engine, LoadedStack], service: str, hosts: tuple[str, ...], error: type[Exception], message: str
) -> None:
    live, stack = engine
    stack.hosts = hosts
    with pytest.raises(error, match=message):
        LiveStack(live, "dev").resolve(scenario(targets=(Target("t", service=service),)))


def test_service_of_every_host_is_asked_by_any(engine: tuple[Engine, LoadedStack]) -> None:
    live, stack = engine
    stack.hosts = ("*",)
    (target,) = LiveStack(live, "dev").resolve(scenario(targets=(WEB,))).targets
    assert target.headers == (("Host", "localhost"),)


def test_audit_counts_what_came_between_and_waits_until_it_is_told(engine: tuple[Engine, LoadedStack]) -> None:
    live, stack = engine
    ask(stack.port)
    waited: list[float] = []
    unwritten: list[RequestLine] = []

    def write(seconds: float) -> None:
        waited.append(seconds)
        stack.lines += unwritten
        unwritten.clear()

    tried = LiveStack(live, "dev", clock=lambda: sum(waited), wait=write)
    tried.begin(["shop/web"])
    # The counter is read twice, because what was just asked comes into it a moment later.
    assert len(waited) == 1
    for _ in range(3):
        ask(stack.port)
    rows = recording({"request_id": f"{number:032x}"} for number in (1, 2, 3)).rows()
    # One line is not written yet, as of a log that is flushed once a second.
    unwritten.append(stack.lines.pop())
    found = tried.audit("shop/web", rows)
    assert (found.answered, found.logged, found.counted, found.problems) == (3, 3, 3, ())
    assert len(waited) == 2


def test_audit_that_never_agrees_says_so_in_the_end(engine: tuple[Engine, LoadedStack]) -> None:
    live, stack = engine
    waited: list[float] = []
    tried = LiveStack(live, "dev", clock=lambda: sum(waited), wait=waited.append)
    tried.begin(["shop/web"])
    ask(stack.port)
    found = tried.audit("shop/web", recording([{"request_id": "f" * 32}]).rows())
    assert found.problems == (f"1 answered request not in the gateway's log, such as {'f' * 32}",)
    assert sum(waited) >= 10


def test_instances_are_watched_while_the_block_runs(engine: tuple[Engine, LoadedStack]) -> None:
    live, stack = engine
    with InstanceWatch(live, "dev", ["shop/web"]) as watch:
        until(lambda: watch.capacities(0.0)[0].ready, "the first count")
        ask(stack.port)
        until(lambda: len(watch.capacities(0.0)[0].ready) == 2, "there is another")
    (found,) = watch.capacities(0.0)
    assert ([count for _, count in found.ready], found.started) == ([0, 1], 1)


def test_orchestrator_that_does_not_answer_for_a_moment_costs_a_sample(engine: tuple[Engine, LoadedStack]) -> None:
    live, stack = engine
    stack.breaks = 2
    with InstanceWatch(live, "dev", ["shop/web"]) as watch:
        until(lambda: watch.capacities(0.0)[0].ready, "a later count")
    assert stack.breaks == 0


def test_nothing_is_watched_without_a_service(engine: tuple[Engine, LoadedStack]) -> None:
    with InstanceWatch(engine[0], "dev", []) as watch:
        pass
    assert watch.capacities(0.0) == ()


def test_capacity_has_each_change_once_and_when_the_most_was_first_there() -> None:
    samples = [
        (-0.2, {"a"}),
        (0.1, {"a"}),
        (0.4, {"a", "b"}),
        (0.7, {"a", "b", "c"}),
        (1.0, {"b", "c", "d"}),
        (1.3, {"b"}),
    ]
    found = capacity_of("shop/web", [(at_s, frozenset(names)) for at_s, names in samples])
    assert found == Capacity("shop/web", ((-0.2, 1), (0.4, 2), (0.7, 3), (1.3, 1)), 3, 0.7)


def test_service_that_had_its_most_from_the_beginning_reached_it_at_once() -> None:
    found = capacity_of("shop/web", [(-0.3, frozenset("ab")), (0.2, frozenset("ab"))])
    assert (found.capacity_s, found.started) == (0.0, 0)


def test_nothing_seen_is_nothing_known() -> None:
    assert capacity_of("shop/web", []) == Capacity("shop/web", (), 0, 0.0)
