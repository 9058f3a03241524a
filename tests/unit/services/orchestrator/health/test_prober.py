from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from runyard.contracts import Probe
from services.orchestrator.health.prober import Prober, next_pause, quick_pause
from services.orchestrator.model.instance import Container, Health, Instance
from services.orchestrator.model.revision import Revision
from services.orchestrator.timing import Timing

from ..world import FakeAttempts, FakeClock, container, document, quiet

REFUSED = "tcp :8080: connection refused"


class Bench:
    """A prober with one instance to watch."""

    def __init__(self, ingress: bool = True, **probes: Any) -> None:
        self.clock = FakeClock()
        self.attempts = FakeAttempts()
        self.changes = 0
        self.prober = Prober(self.attempts, Timing(self.clock, self.clock.sleep), self._changed)
        watched = container("app", **probes)
        held = (watched,) if ingress else (container("web"), watched)
        self.revisions = {"default/hello-1": Revision(document("hello-1", *held))}

    def _changed(self) -> None:
        self.changes += 1

    def watch(self, state: str = "running", *, adopted: bool = False) -> None:
        box = Container("c", "app", state)
        instance = Instance("1", "default", "hello", "hello-1", "10.0.0.9", "n", (box,))
        self.prober.watch((instance,), self.revisions, adopted=adopted)

    @property
    def health(self) -> Health | None:
        return self.prober.health().get("c")


def bench(*args: Any, **probes: Any) -> Callable[[Callable[[Bench], Coroutine[Any, Any, None]]], Callable[[], None]]:
    def decorate(test: Callable[[Bench], Coroutine[Any, Any, None]]) -> Callable[[], None]:
        def run() -> None:
            async def whole() -> None:
                made = Bench(*args, **probes)
                await test(made)
                await made.prober.close()

            asyncio.run(whole())

        run.__name__ = test.__name__
        return run

    return decorate


@bench()
async def test_ingress_without_probes_is_ready_once_its_port_answers(it: Bench) -> None:
    it.attempts.default = REFUSED
    it.watch()
    await quiet()
    assert it.health == Health(probed=True, problem=f"startup probe {REFUSED}")
    it.attempts.default = ""
    await it.clock.advance(0.01)
    assert it.health == Health(started=True, ready=True, probed=True)
    assert it.attempts.seen[0][0].kind == "tcp"
    assert it.attempts.seen[0][1].port == 8080


@bench(ingress=False)
async def test_sidecar_without_probes_is_ready_when_it_runs(it: Bench) -> None:
    it.watch()
    await quiet()
    assert it.health == Health(started=True, ready=True, probed=True)
    assert it.attempts.seen == []


@bench()
async def test_tries_come_every_ten_milliseconds_for_a_second_then_ever_less(it: Bench) -> None:
    it.attempts.default = REFUSED
    it.watch()
    await it.clock.advance(1.0)
    first = len(it.attempts.seen)
    assert 99 <= first <= 102
    await it.clock.advance(10)
    assert 15 <= len(it.attempts.seen) - first <= 18


@bench(startup_probe=Probe(kind="tcp", period_s=2, failure_threshold=3))
async def test_startup_gives_up_after_threshold_times_period(it: Bench) -> None:
    it.attempts.default = REFUSED
    it.watch()
    await it.clock.advance(5.9)
    assert it.health is not None
    assert it.health.failed == ""
    await it.clock.advance(2)
    assert it.health.failed == f"startup probe {REFUSED}, for 6 s"


@bench(startup_probe=Probe(kind="tcp", initial_delay_s=5))
async def test_initial_delay_is_kept(it: Bench) -> None:
    it.watch()
    await it.clock.advance(4.9)
    assert it.attempts.seen == []
    await it.clock.advance(0.1)
    assert len(it.attempts.seen) == 1


@bench(startup_probe=Probe(kind="tcp", initial_delay_s=5))
async def test_adopted_instance_is_probed_without_initial_delay(it: Bench) -> None:
    it.watch(adopted=True)
    await quiet()
    assert it.health == Health(started=True, ready=True, probed=True)


@bench(readiness_probe=Probe(kind="http", period_s=2, failure_threshold=2, success_threshold=2))
async def test_readiness_takes_its_thresholds_to_go_and_to_come(it: Bench) -> None:
    it.watch()
    await it.clock.advance(0.01)
    assert it.health is not None
    assert it.health.ready
    it.attempts.default = "http :8080/: answered 503"
    await it.clock.advance(2)
    assert it.health.ready
    await it.clock.advance(2)
    assert not it.health.ready
    assert it.health.problem == "readiness probe http :8080/: answered 503"
    assert it.health.failed == ""
    it.attempts.default = ""
    await it.clock.advance(2)
    assert not it.health.ready
    await it.clock.advance(2)
    assert it.health.ready


@bench(readiness_probe=Probe(kind="http", period_s=0))
async def test_readiness_of_period_0_is_asked_fast_only_until_it_is_there(it: Bench) -> None:
    it.watch()
    await quiet()
    asked = len(it.attempts.seen)
    await it.clock.advance(60)
    assert len(it.attempts.seen) - asked == 6


@bench(ingress=False, readiness_probe=Probe(kind="http", period_s=0))
async def test_readiness_of_period_0_that_never_comes_is_asked_once_a_second(it: Bench) -> None:
    it.watch()
    it.attempts.default = "http :8080/: answered 503"
    await it.clock.advance(3)
    asked = len(it.attempts.seen)
    await it.clock.advance(60)
    assert 55 <= len(it.attempts.seen) - asked <= 65


@bench(liveness_probe=Probe(kind="http", period_s=5, failure_threshold=2))
async def test_liveness_that_fails_its_threshold_is_final(it: Bench) -> None:
    it.watch()
    await quiet()
    it.attempts.default = "http :8080/: answered 500"
    await it.clock.advance(5)
    assert it.health is not None
    assert it.health.failed == ""
    await it.clock.advance(5)
    assert it.health.failed == "liveness probe http :8080/: answered 500, 2 times in a row"
    assert not it.health.ready


@bench(liveness_probe=Probe(kind="exec", command=("true",), period_s=1, failure_threshold=1))
async def test_probe_that_could_not_be_tried_counts_neither_way(it: Bench) -> None:
    it.watch()
    await quiet()
    it.attempts.default = None
    await it.clock.advance(60)
    assert it.health == Health(started=True, ready=True, probed=True)


@bench()
async def test_ended_container_is_forgotten(it: Bench) -> None:
    it.watch()
    await quiet()
    it.watch("ended")
    assert it.health is None


@bench()
async def test_watch_that_breaks_has_its_container_replaced(it: Bench) -> None:
    async def broken(*_: object) -> str:
        raise RuntimeError("oops")

    it.attempts.attempt = broken  # type: ignore[method-assign]
    it.watch()
    await quiet()
    assert it.health is not None
    assert it.health.failed == "its probes broke: RuntimeError('oops')"


@bench()
async def test_same_answer_again_wakes_nobody(it: Bench) -> None:
    it.attempts.default = REFUSED
    it.watch()
    await it.clock.advance(0.5)
    assert it.changes == 1


@pytest.mark.parametrize(("pause", "period", "expected"), [(0.01, 10, 0.02), (0.64, 1, 1), (8, 10, 10)])
def test_pause_doubles_up_to_the_period(pause: float, period: float, expected: float) -> None:
    assert next_pause(pause, period) == expected


def test_commands_are_tried_less_often_than_ports() -> None:
    assert quick_pause(Probe(kind="exec")) == 10 * quick_pause(Probe(kind="tcp"))
