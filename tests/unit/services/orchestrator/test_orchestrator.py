"""The orchestrator as its callers see it, on an engine, a gateway and a clock that are in memory."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from pathlib import Path
from typing import Any

import pytest

from runyard.contracts import Probe, RollbackRequest, RolloutRequest, RouteRequest, TrafficShare
from runyard.errors import Conflict, HostUnreachable, UsageError
from services.orchestrator.engine.port import Refused
from services.orchestrator.rollout.ending import RolloutFailed, RolloutSuperseded

from .world import STACK, World, container, in_world, quiet

KEY = "default/hello-1"
PORTLESS = "startup probe tcp :8080: connection refused"


def rollout(*shares: tuple[str, int], deadline_s: int = 20, **fields: Any) -> RolloutRequest:
    traffic = tuple(TrafficShare(name, percent) for name, percent in shares or (("hello-1", 100),))
    return RolloutRequest("default", "hello", traffic, deadline_s, **fields)


async def served(world: World, *revisions: str) -> None:
    """Bring revisions to serving."""
    names = revisions or ("hello-1",)
    for name in names:
        world.add(name)
    shares = [(name, 100 if index == 0 else 0) for index, name in enumerate(names)]
    await asyncio.wait_for(world.roll_out(rollout(*shares)), 5)


async def failing(world: World, work: Coroutine[Any, Any, None], seconds: float = 10) -> BaseException:
    """Let time pass until the work fails, and give its error."""
    task = asyncio.create_task(work)
    for _ in range(int(seconds * 2)):
        await quiet()
        if task.done():
            break
        await world.pass_time(0.5)
    error = task.exception() if task.done() else None
    task.cancel()
    assert error is not None
    return error


@in_world
async def test_rollout_answers_when_the_gateway_has_the_traffic(world: World) -> None:
    await served(world)
    assert world.gateway.addresses(KEY) == ("10.130.0.2:8080",)
    assert world.gateway.last.services["default/hello"].traffic == (TrafficShare("hello-1", 100),)


@in_world
async def test_caller_address_reaches_the_gateway_before_the_instance_starts(world: World) -> None:
    await served(world)
    known = next(each for each in world.gateway.sent if each.callers)
    assert known.callers == {"10.130.0.2": "default/hello"}
    assert known.endpoints[KEY].addresses == ()


@in_world
async def test_killed_instance_leaves_the_endpoints_and_is_replaced_at_once(world: World) -> None:
    await served(world)
    world.engine.die(world.engine.clones()[0], 137)
    await quiet()
    assert world.gateway.addresses(KEY) == ("10.130.0.3:8080",)
    assert any(each.endpoints[KEY].addresses == () for each in world.gateway.sent[-4:])
    assert len(world.engine.clones()) == 1


@in_world
async def test_lost_event_is_made_up_for_by_the_next_listing(world: World) -> None:
    await served(world)
    dead = world.engine.clones()[0]
    world.engine.containers[dead]["State"] = {"Status": "exited", "ExitCode": 1}
    await world.pass_time(6)
    assert world.engine.clones("running") != [dead]
    assert world.gateway.addresses(KEY) == ("10.130.0.3:8080",)


@in_world
async def test_traffic_moves_only_when_the_new_revision_is_ready_and_the_old_one_is_drained(world: World) -> None:
    await served(world)
    world.add("hello-2")
    world.attempts.default = PORTLESS
    task = asyncio.create_task(world.roll_out(rollout(("hello-2", 100))))
    await world.pass_time(3)
    assert world.gateway.last.services["default/hello"].traffic[0].revision == "hello-1"
    world.attempts.default = ""
    await world.pass_time(2)
    await asyncio.wait_for(task, 5)
    assert world.gateway.last.services["default/hello"].traffic[0].revision == "hello-2"
    await world.pass_time(3)
    assert [world.engine.containers[each]["Name"] for each in world.engine.clones()] == [
        f"/runyard.{STACK}.default.hello-2.app.102"
    ]


@in_world
async def test_drained_instance_is_stopped_only_when_nothing_is_in_flight(world: World) -> None:
    await served(world)
    world.gateway.flying["10.130.0.2"] = 1
    await served(world, "hello-2")
    await world.pass_time(3)
    assert ("stop", world.engine.clones()[0]) not in world.engine.calls
    world.gateway.flying.clear()
    await world.pass_time(0.5)
    assert len(world.engine.clones()) == 1


@in_world
async def test_request_that_never_ends_holds_a_drain_no_longer_than_it_may_take(world: World) -> None:
    world.add()
    await asyncio.wait_for(world.roll_out(rollout(), RouteRequest("default", "hello", (), timeout_s=3)), 5)
    world.gateway.flying["10.130.0.2"] = 1
    await served(world, "hello-2")
    await world.pass_time(2 + 3 + 1)
    assert len(world.engine.clones()) == 1


@in_world
async def test_revisions_with_a_tag_and_no_share_are_kept_too(world: World) -> None:
    await served(world, "hello-1", "hello-2")
    assert len(world.engine.clones("running")) == 2


@in_world
async def test_revision_gets_its_least_number_of_instances(world: World) -> None:
    world.add(min_instances=3)
    await asyncio.wait_for(world.roll_out(rollout()), 5)
    assert len(world.gateway.addresses(KEY)) == 3


@in_world
async def test_crashing_revision_fails_early_with_its_log_and_the_old_one_serves_on(world: World) -> None:
    await served(world)
    world.add("hello-2")
    world.engine.exits_at_once["hello-2"] = 3
    world.engine.output["hello-2"] = ("boom",)
    error = await failing(world, world.roll_out(rollout(("hello-2", 100))))
    assert str(error) == "rollout default/hello: revision hello-2: container app: exited with code 3 (3 times)"
    assert isinstance(error, RolloutFailed)
    assert error.logs == ("boom",)
    assert world.gateway.last.services["default/hello"].traffic[0].revision == "hello-1"
    await world.pass_time(3)
    assert world.gateway.addresses(KEY) == ("10.130.0.2:8080",)
    assert len(world.engine.clones()) == 1


@in_world
async def test_port_that_nobody_listens_on_fails_at_the_deadline_with_the_log(world: World) -> None:
    world.add()
    world.attempts.default = "tcp :8080: connection refused"
    world.engine.output["hello-1"] = ("\x1b[31mstarting",)
    error = await failing(world, world.roll_out(rollout(deadline_s=5)))
    assert str(error) == f"rollout default/hello: revision hello-1: not ready in 5 s: {PORTLESS}"
    assert isinstance(error, RolloutFailed)
    assert error.logs == ("\\x1b[31mstarting",)
    await world.pass_time(4)
    assert world.engine.clones() == []


@in_world
async def test_startup_probe_that_gave_up_fails_the_rollout_at_once(world: World) -> None:
    probe = Probe(kind="tcp", period_s=1, failure_threshold=2)
    world.add("hello-1", container(startup_probe=probe))
    world.attempts.default = "tcp :8080: connection refused"
    error = await failing(world, world.roll_out(rollout(deadline_s=600)), 6)
    assert str(error) == f"rollout default/hello: revision hello-1: container app: {PORTLESS}, for 2 s"


@in_world
async def test_engine_refusal_that_no_retry_can_heal_fails_at_once(world: World) -> None:
    world.add()
    world.engine.errors["create"] = Refused("create container x: exec: not found")
    error = await failing(world, world.roll_out(rollout(deadline_s=600)), 1)
    assert str(error) == "rollout default/hello: revision hello-1: create container x: exec: not found"


@in_world
async def test_image_that_is_gone_fails_at_once_and_is_named(world: World) -> None:
    world.add()
    world.engine.images.clear()
    error = await failing(world, world.roll_out(rollout(deadline_s=600)), 1)
    assert str(error) == (
        "rollout default/hello: revision hello-1: "
        "image hello:1 (sha256:abc) is not on this host, and no registry's digest of it is known"
    )


@in_world
async def test_address_taken_by_a_stranger_is_tried_again_with_the_next_one(world: World) -> None:
    world.add()
    world.engine.errors["start"] = Conflict("start container x: Address already in use")
    task = asyncio.create_task(world.roll_out(rollout()))
    await quiet()
    world.engine.errors.clear()
    await world.pass_time(2)
    await asyncio.wait_for(task, 5)
    assert world.gateway.addresses(KEY) != ("10.130.0.2:8080",)
    assert len(world.engine.clones()) == 1


@in_world
async def test_newer_rollout_supersedes_the_one_under_way(world: World) -> None:
    world.add("hello-1")
    world.add("hello-2")
    world.attempts.default = PORTLESS
    first = asyncio.create_task(world.roll_out(rollout()))
    await quiet()
    world.attempts.default = ""
    await asyncio.wait_for(world.roll_out(rollout(("hello-2", 100))), 5)
    with pytest.raises(RolloutSuperseded) as caught:
        await first
    assert str(caught.value) == "rollout default/hello: superseded by a newer request"
    assert world.gateway.last.services["default/hello"].traffic[0].revision == "hello-2"


@in_world
async def test_revision_may_call_what_it_uses_from_its_start_and_no_rollout_takes_that_away(world: World) -> None:
    def uses() -> tuple[str, ...]:
        return world.gateway.last.services["default/hello"].uses

    world.add(callees=("cart",))
    world.attempts.default = PORTLESS
    task = asyncio.create_task(world.roll_out(rollout()))
    await quiet()
    assert uses() == ("cart",)
    world.attempts.default = ""
    await world.pass_time(2)
    await task
    world.add("hello-2", callees=("stock",))
    world.attempts.default = PORTLESS
    failing_task = asyncio.create_task(world.roll_out(rollout(("hello-2", 100), deadline_s=3)))
    await quiet()
    assert uses() == ("cart", "stock")
    await world.pass_time(10)
    with pytest.raises(RolloutFailed):
        await failing_task
    assert uses() == ("cart",)


@in_world
async def test_engine_that_does_not_answer_changes_nothing(world: World) -> None:
    await served(world)
    world.engine.away = True
    world.engine.cut_events()
    before, sent = dict(world.engine.containers), len(world.gateway.sent)
    await world.pass_time(60)
    assert world.engine.containers == before
    assert len(world.gateway.sent) == sent
    assert not world.orchestrator.healthy
    assert world.journal.events().count("engine lost") == 1
    world.engine.away = False
    await world.pass_time(1)
    assert world.engine.containers == before
    assert world.orchestrator.healthy


@in_world
async def test_engine_lost_while_making_an_instance_is_not_the_revisions_fault(world: World) -> None:
    world.add()
    world.engine.errors["create"] = HostUnreachable("create container: no answer in the time allowed")
    task = asyncio.create_task(world.roll_out(rollout()))
    await world.pass_time(2)
    assert world.parts.tools.failures.last() == {}
    world.engine.errors.clear()
    await world.pass_time(4)
    await asyncio.wait_for(task, 5)


@in_world
async def test_gateway_that_lost_its_state_gets_it_again(world: World) -> None:
    await served(world)
    world.gateway.current = 0
    world.gateway.sent.clear()
    await world.pass_time(1)
    assert world.gateway.addresses(KEY) == ("10.130.0.2:8080",)


@in_world
async def test_gateway_that_is_away_does_not_keep_instances_from_starting(world: World) -> None:
    world.gateway.away = True
    world.add()
    task = asyncio.create_task(world.roll_out(rollout()))
    await world.pass_time(3)
    assert len(world.engine.clones("running")) == 1
    world.gateway.away = False
    await world.pass_time(1)
    await asyncio.wait_for(task, 5)
    assert "caller not confirmed" in world.journal.events()


@in_world
async def test_container_of_another_stack_is_never_touched(world: World) -> None:
    config = {"Labels": {"runyard.dev/stack": "other", "runyard.dev/role": "instance"}, "Image": "x"}
    stranger = world.engine.add("stranger", config)
    await served(world)
    world.orchestrator.status()
    await world.pass_time(10)
    assert stranger in world.engine.containers
    assert stranger not in {what for _, what in world.engine.calls}


@in_world
async def test_status_shows_why_a_revision_is_not_ready(world: World) -> None:
    await served(world)
    world.engine.output["hello-1"] = ("out of cheese",)
    world.engine.errors["create"] = Refused("create container x: no space")
    world.engine.die(world.engine.clones()[0], 1)
    await quiet()
    revision = world.orchestrator.status().revisions[0]
    assert (revision.desired, revision.ready, revision.restarts) == (1, 0, 2)
    assert revision.reason == "create container x: no space"


@pytest.mark.parametrize(
    ("request_", "message"),
    [
        (rollout(("a", 50)), "rollout default/hello: traffic must add up to 100 percent, got 50"),
        (rollout(("a", 150), ("b", -50)), "rollout default/hello: traffic must add up to 100 percent, got 100"),
        (rollout(deadline_s=0), "rollout default/hello: deadline_s must be positive, got 0"),
        (
            RolloutRequest("default", "hello", (TrafficShare("a", 50, "t"), TrafficShare("b", 50, "t"))),
            "rollout default/hello: a tag must name one revision, got t, t",
        ),
    ],
)
def test_traffic_that_no_gateway_can_keep_to_is_refused(tmp_path: Path, request_: RolloutRequest, message: str) -> None:
    async def whole() -> None:
        async with World(tmp_path) as world:
            with pytest.raises(UsageError) as caught:
                await world.roll_out(request_)
            assert str(caught.value) == message

    asyncio.run(whole())


async def pass_until_gone(world: World, seconds: float = 5) -> None:
    await world.pass_time(seconds)
    assert world.engine.clones() == []


@in_world
async def test_delete_answers_when_traffic_is_withdrawn_and_all_goes_after_it(world: World) -> None:
    await served(world)
    world.gateway.flying["10.130.0.2"] = 1
    await asyncio.wait_for(world.orchestrator.delete_service("default", "hello"), 5)
    assert world.gateway.last.services == {}
    assert world.gateway.last.hosts == {}
    assert len(world.engine.clones("running")) == 1
    # The documents go with the last instance: until then it is known how to end it.
    assert list(world.parts.documents.revisions) == [KEY]
    await pass_until_gone(world)
    assert world.parts.documents.revisions == {}
    # Again, as a destroy that was cut short does.
    await asyncio.wait_for(world.orchestrator.delete_service("default", "hello"), 5)


@in_world
async def test_delete_goes_though_the_gateway_is_away_and_is_gone_when_it_is_back(world: World) -> None:
    world.add()
    await world.roll_out(rollout(), RouteRequest("default", "hello", ("hello.localhost",)))
    world.gateway.away = True
    task = asyncio.create_task(world.orchestrator.delete_service("default", "hello"))
    await world.pass_time(6)
    await asyncio.wait_for(task, 1)
    world.gateway.away = False
    await world.pass_time(2)
    assert world.gateway.last.hosts == {}
    assert "removal not confirmed" in world.journal.events()


@in_world
async def test_route_and_traffic_are_put_in_force_together_or_not_at_all(world: World) -> None:
    world.add()
    await world.roll_out(rollout(), RouteRequest("default", "hello", ("old.localhost",), timeout_s=60))
    world.add("hello-2")
    world.engine.exits_at_once["hello-2"] = 3
    sent = len(world.gateway.sent)
    new = RouteRequest("default", "hello", ("new.localhost",), timeout_s=90)
    await failing(world, world.roll_out(rollout(("hello-2", 100)), new))
    assert {tuple(each.hosts) for each in world.gateway.sent[sent:]} == {("old.localhost",)}
    assert world.gateway.last.services["default/hello"].timeout_s == 60
    world.engine.exits_at_once.clear()
    world.add("hello-3")
    sent = len(world.gateway.sent)
    await asyncio.wait_for(world.roll_out(rollout(("hello-3", 100)), new), 5)
    seen = {
        (each.services["default/hello"].traffic[0].revision, each.services["default/hello"].timeout_s, *each.hosts)
        for each in world.gateway.sent[sent:]
    }
    assert seen == {("hello-1", 60, "old.localhost"), ("hello-3", 90, "new.localhost")}


@in_world
async def test_traffic_on_a_revision_without_document_is_refused(world: World) -> None:
    world.add()
    with pytest.raises(UsageError) as caught:
        await world.roll_out(rollout(("hello-9", 100)))
    assert str(caught.value) == "service default/hello: traffic names what has no document: hello-9"
    assert world.parts.documents.revisions == {}


@in_world
async def test_rollback_whose_asker_went_away_leaves_nothing_behind(world: World) -> None:
    world.add()
    world.add("hello-2")
    await world.roll_out(rollout(("hello-2", 100), history=("hello-2", "hello-1")))
    world.attempts.default = PORTLESS
    task = asyncio.create_task(world.orchestrator.roll_back(RollbackRequest("default", "hello", "hello-1")))
    await quiet()
    assert len(world.engine.clones("running")) == 2
    task.cancel()
    await world.pass_time(4)
    assert len(world.engine.clones()) == 1
    assert world.gateway.last.services["default/hello"].traffic[0].revision == "hello-2"
