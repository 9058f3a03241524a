from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

from runyard.contracts import GatewayDelta, GatewayRemovals, GatewaySnapshot
from services.orchestrator.gateway.publisher import CHECK_S, RETRY_S, Publisher
from services.orchestrator.timing import Timing

from ..fake_gateway import FakeGateway
from ..world import FakeClock, ListJournal, quiet


def snapshot(host: str = "a") -> GatewaySnapshot:
    return GatewaySnapshot(0, hosts={host: "default/hello"})


class Bench:
    def __init__(self) -> None:
        self.clock, self.gateway, self.journal = FakeClock(), FakeGateway(), ListJournal()
        self.publisher = Publisher(self.gateway, self.journal, Timing(self.clock, self.clock.sleep))


def bench(test: Callable[[Bench], Coroutine[Any, Any, None]]) -> Callable[[], None]:
    def run() -> None:
        async def whole() -> None:
            it = Bench()
            task = asyncio.create_task(it.publisher.run())
            await test(it)
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

        asyncio.run(whole())

    run.__name__ = test.__name__
    return run


@bench
async def test_nothing_is_sent_before_something_is_offered(it: Bench) -> None:
    await it.clock.advance(5)
    assert it.gateway.sent == []
    assert not it.publisher.in_step


@bench
async def test_first_generation_comes_after_the_gateway_s(it: Bench) -> None:
    it.gateway.current = 41
    version = it.publisher.offer(snapshot())
    assert await it.publisher.wait(version, 1)
    assert (it.gateway.last.generation, it.publisher.generation) == (42, 42)
    assert it.publisher.in_step


@bench
async def test_equal_snapshot_is_not_sent_again(it: Bench) -> None:
    first = it.publisher.offer(snapshot())
    await quiet()
    assert it.publisher.offer(snapshot()) == first
    await it.clock.advance(3)
    assert len(it.gateway.sent) == 1


@bench
async def test_offers_made_meanwhile_melt_into_the_newest(it: Bench) -> None:
    for host in "abc":
        version = it.publisher.offer(snapshot(host))
    await it.publisher.wait(version, 1)
    assert [list(each.hosts) for each in it.gateway.sent] == [["c"]]


@bench
async def test_restarted_gateway_is_whole_again_within_a_check(it: Bench) -> None:
    it.publisher.offer(snapshot())
    await quiet()
    it.gateway.current = 0
    await it.clock.advance(CHECK_S)
    assert [each.generation for each in it.gateway.sent] == [1, 2]
    assert "gateway out of step" in it.journal.events()

    assert it.gateway.deltas == []


@bench
async def test_what_changed_is_sent_on_what_was_confirmed(it: Bench) -> None:
    for host in "abc":
        await it.publisher.wait(it.publisher.offer(snapshot(host)), 1)
    assert it.gateway.deltas == [
        GatewayDelta(1, 2, hosts={"b": "default/hello"}, removed=GatewayRemovals(hosts=("a",))),
        GatewayDelta(2, 3, hosts={"c": "default/hello"}, removed=GatewayRemovals(hosts=("b",))),
    ]
    assert it.gateway.last == GatewaySnapshot(3, hosts={"c": "default/hello"})
    assert it.publisher.generation == 3


@bench
async def test_gateway_that_somebody_else_wrote_to_is_overruled_by_a_whole_snapshot(it: Bench) -> None:
    it.publisher.offer(snapshot())
    await quiet()
    it.gateway.current = 70
    it.publisher.offer(snapshot("b"))
    await quiet()
    assert it.gateway.last == GatewaySnapshot(71, hosts={"b": "default/hello"})
    assert it.gateway.deltas == []
    assert it.publisher.in_step


@bench
async def test_gateway_that_restarted_with_an_older_file_gets_a_whole_snapshot(it: Bench) -> None:
    for host in "abc":
        await it.publisher.wait(it.publisher.offer(snapshot(host)), 1)
    it.gateway.current = 2
    await it.publisher.wait(it.publisher.offer(snapshot("d")), 1)
    assert it.gateway.last == GatewaySnapshot(4, hosts={"d": "default/hello"})
    assert len(it.gateway.deltas) == 2
    await it.publisher.wait(it.publisher.offer(snapshot("e")), 1)
    assert it.gateway.deltas[-1].base == 4


@bench
async def test_change_whose_answer_was_lost_is_followed_by_a_whole_snapshot(it: Bench) -> None:
    await it.publisher.wait(it.publisher.offer(snapshot("a")), 1)
    it.gateway.losing = 1
    version = it.publisher.offer(snapshot("b"))
    await it.clock.advance(2 * RETRY_S)
    assert await it.publisher.wait(version, 1)
    assert it.gateway.last == GatewaySnapshot(3, hosts={"b": "default/hello"})
    assert len(it.gateway.deltas) == 1


@bench
async def test_gateway_that_is_away_is_asked_again_and_reported_once(it: Bench) -> None:
    it.gateway.away = True
    version = it.publisher.offer(snapshot())
    waiting = asyncio.create_task(it.publisher.wait(version, 5))
    await it.clock.advance(2)
    assert not it.publisher.in_step
    it.gateway.away = False
    await it.clock.advance(RETRY_S)
    assert await waiting
    assert it.journal.events() == ["gateway lost", "gateway reached"]


@bench
async def test_wait_gives_up_when_its_time_is_over(it: Bench) -> None:
    it.gateway.away = True
    waiting = asyncio.create_task(it.publisher.wait(it.publisher.offer(snapshot()), 5))
    await it.clock.advance(5)
    assert await waiting is False
