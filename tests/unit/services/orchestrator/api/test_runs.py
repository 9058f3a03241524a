"""Runs over real sockets in the faked world: what is answered, and with which status what is refused."""

from __future__ import annotations

import json
from dataclasses import replace

from runyard.contracts import InstanceList, RunRequest, RunStatus, decode, encode

from ..world import STACK, World
from .test_control import Client, problem_of, put, serving

RUN = "/v1/runs/default/hello/ab12"
REQUEST = RunRequest("default", "hello", "ab12", ("migrate",))


async def begin(world: World, client: Client) -> RunStatus:
    world.add()
    await put(world, client)
    answer = await client.put(RUN, data=encode(REQUEST))
    assert answer.status == 202, await answer.text()
    await world.pass_time(1)
    return decode(RunStatus, await (await client.get(RUN)).text())


@serving
async def test_run_is_begun_told_and_removed(world: World, client: Client) -> None:
    running = await begin(world, client)
    assert (running.state, running.revision, running.exit_code) == ("running", "hello-1", None)
    listed = decode(InstanceList, await (await client.get("/v1/instances?service=default/hello")).text()).instances
    assert [(each.instance, each.run) for each in listed][1:] == [("ab12", True)]
    world.engine.die(running.container, 2)
    ended = decode(RunStatus, await (await client.get(f"{RUN}?wait=5")).text())
    assert (ended.state, ended.exit_code) == ("ended", 2)
    for _ in range(2):
        # One whose answer was lost is asked again.
        assert (await client.delete(RUN)).status == 200
    gone = await client.get(RUN)
    assert (gone.status, (await problem_of(gone))["detail"]) == (404, "run default/hello: there is no run ab12")


@serving
async def test_what_the_quota_has_no_room_for_is_403(world: World, client: Client) -> None:
    world.parts.claim.put(json.dumps({"stack": STACK, "quotas": {"default": {"instances": 1}}}))
    world.add()
    await put(world, client)
    refused = await client.put(RUN, data=encode(REQUEST))
    assert refused.status == 403
    assert "quota of instances must be at least 2" in (await problem_of(refused))["detail"]


@serving
async def test_request_that_is_not_for_its_place_is_400(world: World, client: Client) -> None:
    world.add()
    await put(world, client)
    for other, detail in (
        (replace(REQUEST, run="cd34"), "body must be for it, got run 'cd34'"),
        (replace(REQUEST, service="other"), "body must be for default/hello, got default/other"),
        (replace(REQUEST, command=()), "command must name a program, got ()"),
    ):
        refused = await client.put(RUN, data=encode(other))
        assert refused.status == 400
        assert detail in (await problem_of(refused))["detail"]
    strange = await client.get(f"{RUN}?wait=soon")
    assert strange.status == 400


@serving
async def test_run_of_another_service_is_not_there(world: World, client: Client) -> None:
    await begin(world, client)
    assert (await client.get("/v1/runs/default/other/ab12")).status == 404
    assert (await client.delete("/v1/runs/default/other/ab12")).status == 200
    assert decode(RunStatus, await (await client.get(RUN)).text()).state == "running"
