"""The orchestrator on the real engine: each test has a stack of its own and takes it away again."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import time
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest

from runyard import names
from runyard.contracts import MemoryMount, Probe
from services.orchestrator.engine.docker.seccomp import SECURITY_OPTION
from tests.harness.client import ask
from tests.harness.stack import docker
from tests.harness.waiting import SLACK_S, until_async

from .live import IMAGE, MIB, SERVE, Live, Seen, container

pytestmark = pytest.mark.engine
EDITS: dict[str, Callable[[Live, Seen], object]] = {
    "limits": lambda _, each: docker("update", "--memory", "128m", "--memory-swap", "128m", each.id),
    "name": lambda live, each: docker("rename", each.id, f"{live.stack}-mine"),
    "paused": lambda _, each: docker("pause", each.id),
    "network": lambda live, each: docker("network", "disconnect", live.network, each.id),
    "restart": lambda _, each: docker("update", "--restart", "always", each.id),
}


def on_engine(test: Callable[[Live], Coroutine[Any, Any, None]]) -> Callable[[Path], None]:
    """Run a test with a live orchestrator."""

    def run(tmp_path: Path) -> None:
        asyncio.run(alive(tmp_path, test))

    run.__name__ = test.__name__
    return run


async def alive(directory: Path, test: Callable[[Live], Coroutine[Any, Any, None]], *, launcher: bool = False) -> None:
    async with Live(directory, launcher=launcher) as live:
        await test(live)


@on_engine
async def test_first_rollout_starts_a_hardened_instance_at_a_known_address(live: Live) -> None:
    live.add("hello-1")
    assert (await live.roll_out("hello-1"))["outcome"] == "ready"
    (instance,) = live.containers()
    host = instance.attrs["HostConfig"]
    assert (host["PidsLimit"], host["Memory"], host["ReadonlyRootfs"]) == (64, 64 * MIB, True)
    assert (host["CapDrop"], host["SecurityOpt"]) == (["ALL"], ["no-new-privileges", SECURITY_OPTION])
    assert host["RestartPolicy"]["Name"] == "no"
    assert host["LogConfig"]["Config"] == {"max-file": "3", "max-size": "10m"}
    assert instance.labels[names.ROLE] == names.ROLE_INSTANCE
    address = instance.attrs["NetworkSettings"]["Networks"][live.network]["IPAddress"]
    assert live.gateway.addresses("hello-1") == [f"{address}:8080"]
    assert live.gateway.snapshot["callers"] == {address: "default/hello"}


@on_engine
async def test_killed_instance_is_replaced_within_three_seconds(live: Live) -> None:
    live.add("hello-1")
    await live.roll_out("hello-1")
    before = live.gateway.addresses("hello-1")
    began = time.monotonic()
    docker("kill", live.containers()[0].id)
    await until_async(lambda: live.gateway.addresses("hello-1") not in ([], before))
    assert time.monotonic() - began < 3 + SLACK_S
    await until_async(lambda: len(live.containers(all=True)) == 1)


@on_engine
async def test_killed_orchestrator_is_back_in_step_within_three_seconds_with_the_same_instance(live: Live) -> None:
    live.add("hello-1")
    await live.roll_out("hello-1")
    before = [each.id for each in live.containers()]
    await live.kill()
    generation = live.gateway.snapshot["generation"]
    began = time.monotonic()
    await live.start()

    async def in_step() -> bool:
        return bool((await live.ask("GET", "/v1/status"))[1]["in_step"])

    await until_async(in_step)
    assert time.monotonic() - began < 3 + SLACK_S
    assert [each.id for each in live.containers()] == before
    assert live.gateway.addresses("hello-1") != []
    assert live.gateway.snapshot["generation"] > generation


@on_engine
async def test_instance_killed_while_the_orchestrator_is_down_is_replaced_on_its_return(live: Live) -> None:
    live.add("hello-1")
    await live.roll_out("hello-1")
    before = live.gateway.addresses("hello-1")
    await live.kill()
    docker("kill", live.containers()[0].id)
    await live.start()
    await until_async(lambda: live.gateway.addresses("hello-1") not in ([], before))
    await until_async(lambda: len(live.containers(all=True)) == 1)


@on_engine
async def test_update_moves_traffic_and_removes_the_old_instance(live: Live) -> None:
    live.add("hello-1")
    live.add("hello-2")
    await live.roll_out("hello-1")
    assert (await live.roll_out("hello-2"))["outcome"] == "ready"
    assert live.gateway.snapshot["services"]["default/hello"]["traffic"][0]["revision"] == "hello-2"
    await until_async(lambda: [each.labels[names.REVISION] for each in live.containers()] == ["hello-2"])


@on_engine
async def test_container_that_exits_fails_the_rollout_with_its_log_and_the_old_one_serves(live: Live) -> None:
    live.add("hello-1")
    await live.roll_out("hello-1")
    live.add("hello-2", container(command=("sh", "-c", "echo no database; exit 3")))
    problem = await live.roll_out("hello-2")
    assert problem["outcome"] == "failed"
    assert problem["detail"] == ("rollout default/hello: revision hello-2: container app: exited with code 3 (3 times)")
    assert problem["logs"] == ["no database"]
    assert len(live.gateway.addresses("hello-1")) == 1
    await until_async(lambda: len(live.containers(all=True)) == 1)


@on_engine
async def test_command_that_is_not_in_the_image_fails_at_once(live: Live) -> None:
    live.add("hello-1", container(command=("/no/such/program",)))
    problem = await live.roll_out("hello-1")
    assert problem["outcome"] == "failed"
    assert "/no/such/program" in problem["detail"]
    assert live.containers() == []


@on_engine
async def test_instance_over_its_memory_is_reported_as_such(live: Live) -> None:
    command = ("perl", "-e", "my $x = 'x' x 200_000_000; sleep 100")
    live.add("hello-1", container(command=command, memory_bytes=16 * MIB))
    problem = await live.roll_out("hello-1", deadline_s=20)
    assert problem["outcome"] == "failed"
    assert "(OOM)" in problem["detail"]


@on_engine
async def test_port_that_nobody_listens_on_fails_at_the_deadline_with_the_log(live: Live) -> None:
    live.add("hello-1", container(command=("sh", "-c", "echo starting; exec sleep 100")))
    problem = await live.roll_out("hello-1", deadline_s=2)
    assert problem["outcome"] == "failed"
    assert problem["detail"].endswith("not ready in 2 s: startup probe tcp :8080: connection refused")
    assert problem["logs"] == ["starting"]


@on_engine
async def test_sidecar_starts_first_shares_the_address_and_takes_the_instance_with_it(live: Live) -> None:
    up = Probe(kind="exec", command=("test", "-e", "/tmp/up"), period_s=1, failure_threshold=10)
    tmp = (MemoryMount("/tmp", MIB),)
    sidecar = ("sh", "-c", "sleep 0.3; touch /tmp/up; exec sleep 1000")
    database = container("db", sidecar, startup_probe=up, memory_mounts=tmp)
    live.add("hello-1", container(depends_on=("db",)), database, grace_s=1)
    outcome = await live.roll_out("hello-1")
    assert outcome["outcome"] == "ready", outcome
    app, db = sorted(live.containers(), key=lambda each: each.labels[names.CONTAINER])
    assert app.attrs["HostConfig"]["NetworkMode"] == f"container:{db.id}"
    assert app.attrs["State"]["StartedAt"] > db.attrs["State"]["StartedAt"]
    before = live.gateway.addresses("hello-1")
    docker("kill", db.id)
    await until_async(lambda: live.gateway.addresses("hello-1") not in ([], before))
    await until_async(lambda: len(live.containers()) == 2)


@on_engine
async def test_liveness_that_fails_replaces_the_instance(live: Live) -> None:
    alive = Probe(kind="exec", command=("test", "!", "-e", "/tmp/ill"), period_s=1, failure_threshold=1)
    live.add("hello-1", container(liveness_probe=alive, memory_mounts=(MemoryMount("/tmp", MIB),)), grace_s=1)
    await live.roll_out("hello-1")
    before = live.gateway.addresses("hello-1")
    assert live.containers()[0].run("touch", "/tmp/ill") == (0, "")
    await until_async(lambda: live.gateway.addresses("hello-1") not in ([], before))


@on_engine
async def test_delete_removes_every_instance_and_is_repeatable(live: Live) -> None:
    live.add("hello-1")
    await live.roll_out("hello-1")
    for _ in range(2):
        assert (await live.ask("DELETE", "/v1/services/default/hello"))[0] == 200
        assert live.gateway.snapshot["services"] == {}
        await until_async(lambda: live.containers(all=True) == [])
    await until_async(lambda: live.gateway.snapshot["callers"] == {})


@on_engine
async def test_lost_volume_withdraws_nothing_and_takes_over_what_runs(live: Live) -> None:
    live.add("hello-1", container(), container("side", ("sleep", "1000")))
    await live.roll_out("hello-1")
    before, addresses = {each.id for each in live.containers()}, live.gateway.addresses("hello-1")
    await live.kill()
    live.lose_volume()
    generation = live.gateway.snapshot["generation"]
    await live.start()
    await until_async(lambda: live.gateway.snapshot["generation"] > generation)
    assert live.gateway.addresses("hello-1") == addresses
    assert (await live.roll_out("hello-1"))["outcome"] == "ready"
    assert {each.id for each in live.containers()} == before
    assert live.gateway.addresses("hello-1") == addresses
    assert (await live.status())["problems"] == []


@on_engine
async def test_container_with_our_labels_that_we_did_not_make_is_left_alone(live: Live) -> None:
    live.add("hello-1")
    await live.roll_out("hello-1")
    (ours,) = live.containers()
    labels = (word for key, value in ours.labels.items() for word in ("--label", f"{key}={value}"))
    docker("run", "--detach", "--name", f"{live.stack}-forged", "--network", live.network, *labels, IMAGE, *SERVE)
    (forged,) = [each for each in live.containers() if each.id != ours.id]

    async def told() -> bool:
        return any(forged.name in each for each in (await live.status())["problems"])

    await until_async(told)
    assert len(live.gateway.addresses("hello-1")) == 1
    await live.ask("DELETE", "/v1/services/default/hello")
    await until_async(lambda: [each.id for each in live.containers(all=True)] == [forged.id])


@pytest.mark.parametrize("edit", EDITS.values(), ids=EDITS.keys())
def test_instance_that_was_edited_is_replaced(tmp_path: Path, edit: Callable[[Live, Seen], object]) -> None:
    async def edited(live: Live) -> None:
        live.add("hello-1")
        await live.roll_out("hello-1")
        before = live.gateway.addresses("hello-1")
        edit(live, live.containers()[0])
        await until_async(lambda: live.gateway.addresses("hello-1") not in ([], before))
        await until_async(lambda: len(live.containers(all=True)) == 1)

    asyncio.run(alive(tmp_path, edited))


def flood(port: int, count: int) -> list[socket.socket]:
    """Send half a request on each of so many connections, and keep them all."""
    sockets = []
    for _ in range(count):
        sockets.append(socket.create_connection(("127.0.0.1", port), timeout=20))
        with contextlib.suppress(ConnectionError):
            sockets[-1].sendall(b"GET /v1/status HTTP/1.1\r\nHost: loc")
    return sockets


@on_engine
async def test_thousands_of_half_requests_on_the_port_hold_up_neither_healing_nor_whole_requests(live: Live) -> None:
    live.add("hello-1")
    await live.roll_out("hello-1")
    before, (ours,) = live.gateway.addresses("hello-1"), live.containers()
    sockets = await asyncio.to_thread(flood, live.port, 2_000)
    try:
        began = time.monotonic()
        docker("kill", ours.id)
        await until_async(lambda: live.gateway.addresses("hello-1") not in ([], before))
        assert time.monotonic() - began < 3 + SLACK_S
        status = (await asyncio.to_thread(ask, live.port, "/v1/status")).json()
        assert status["revisions"][0]["ready"] == 1
    finally:
        for each in sockets:
            each.close()
