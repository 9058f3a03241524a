"""The orchestrator on the real engine: each test has a stack of its own and takes it away again."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest

from runyard import names
from runyard.contracts import Probe, RevisionSpec, TemplateSpec

from .live import SERVE, Live, until

pytestmark = pytest.mark.engine
# Outside Docker's own pools and the plan's; the tests run one after the other.
SUBNET = "10.77.213.0/28"


def on_engine(test: Callable[[Live], Coroutine[Any, Any, None]]) -> Callable[[Path], None]:
    """Run a test with a live orchestrator."""

    def run(tmp_path: Path) -> None:
        async def whole() -> None:
            async with Live(tmp_path, SUBNET) as live:
                await test(live)

        asyncio.run(whole())

    run.__name__ = test.__name__
    return run


@on_engine
async def test_first_rollout_starts_a_hardened_instance_at_a_known_address(live: Live) -> None:
    live.add_template("hello-1", read_only=True, cap_drop=["ALL"], security_opt=["no-new-privileges"])
    assert (await live.roll_out("hello-1"))[0] == 200
    (instance,) = live.containers()
    host = instance.attrs["HostConfig"]
    assert (host["PidsLimit"], host["Memory"], host["ReadonlyRootfs"]) == (64, 64 * 1024 * 1024, True)
    assert (host["CapDrop"], host["SecurityOpt"]) == (["ALL"], ["no-new-privileges"])
    assert host["RestartPolicy"]["Name"] == "no"
    assert host["LogConfig"]["Config"] == {"max-file": "3", "max-size": "10m"}
    assert instance.labels[names.ROLE] == names.ROLE_INSTANCE
    address = instance.attrs["NetworkSettings"]["Networks"][live.network]["IPAddress"]
    assert live.gateway.addresses("hello-1") == [f"{address}:8080"]
    assert live.gateway.snapshot["callers"] == {address: "default/hello"}


@on_engine
async def test_killed_instance_is_replaced_within_three_seconds(live: Live) -> None:
    live.add_template("hello-1")
    await live.roll_out("hello-1")
    before = live.gateway.addresses("hello-1")
    began = time.monotonic()
    live.containers()[0].kill()
    await until(lambda: live.gateway.addresses("hello-1") not in ([], before), 10)
    assert time.monotonic() - began < 3
    await until(lambda: len(live.containers(all=True)) == 2, 5)


@on_engine
async def test_killed_orchestrator_is_back_in_step_within_three_seconds_with_the_same_instance(live: Live) -> None:
    live.add_template("hello-1")
    await live.roll_out("hello-1")
    before = [each.id for each in live.containers()]
    await live.kill()
    generation = live.gateway.snapshot["generation"]
    began = time.monotonic()
    await live.start()

    async def in_step() -> bool:
        return bool((await live.ask("GET", "/v1/status"))[1]["in_step"])

    await until(in_step, 10)
    assert time.monotonic() - began < 3
    assert [each.id for each in live.containers()] == before
    assert live.gateway.addresses("hello-1") != []
    assert live.gateway.snapshot["generation"] > generation


@on_engine
async def test_instance_killed_while_the_orchestrator_is_down_is_replaced_on_its_return(live: Live) -> None:
    live.add_template("hello-1")
    await live.roll_out("hello-1")
    before = live.gateway.addresses("hello-1")
    await live.kill()
    live.containers()[0].kill()
    await live.start()
    await until(lambda: live.gateway.addresses("hello-1") not in ([], before), 5)
    await until(lambda: len(live.containers(all=True)) == 2, 5)


@on_engine
async def test_update_moves_traffic_and_removes_the_old_instance(live: Live) -> None:
    live.add_template("hello-1")
    live.add_template("hello-2")
    await live.roll_out("hello-1")
    assert (await live.roll_out("hello-2"))[0] == 200
    assert live.gateway.snapshot["services"]["default/hello"]["traffic"][0]["revision"] == "hello-2"
    await until(lambda: [each.labels[names.REVISION] for each in live.containers()] == ["hello-2"], 10)


@on_engine
async def test_container_that_exits_fails_the_rollout_with_its_log_and_the_old_one_serves(live: Live) -> None:
    live.add_template("hello-1")
    await live.roll_out("hello-1")
    live.add_template("hello-2", ["sh", "-c", "echo no database; exit 3"])
    status, problem = await live.roll_out("hello-2")
    assert status == 409
    assert problem["detail"] == ("rollout default/hello: revision hello-2: container app: exited with code 3 (3 times)")
    assert problem["logs"] == ["no database"]
    assert len(live.gateway.addresses("hello-1")) == 1
    await until(lambda: len(live.containers(all=True)) == 3, 10)


@on_engine
async def test_command_that_is_not_in_the_image_fails_at_once(live: Live) -> None:
    live.add_template("hello-1", ["/no/such/program"])
    status, problem = await live.roll_out("hello-1")
    assert status == 409
    assert "/no/such/program" in problem["detail"]
    assert live.containers() == []


@on_engine
async def test_instance_over_its_memory_is_reported_as_such(live: Live) -> None:
    live.add_template("hello-1", ["perl", "-e", "my $x = 'x' x 200_000_000; sleep 100"], mem_limit="16m")
    status, problem = await live.roll_out("hello-1", deadline_s=20)
    assert status == 409
    assert "(OOM)" in problem["detail"]


@on_engine
async def test_port_that_nobody_listens_on_fails_at_the_deadline_with_the_log(live: Live) -> None:
    live.add_template("hello-1", ["sh", "-c", "echo starting; exec sleep 100"])
    status, problem = await live.roll_out("hello-1", deadline_s=2)
    assert status == 409
    assert problem["detail"].endswith("not ready in 2 s: startup probe tcp :8080: connection refused")
    assert problem["logs"] == ["starting"]


@on_engine
async def test_sidecar_starts_first_shares_the_address_and_takes_the_instance_with_it(live: Live) -> None:
    revision = RevisionSpec("hello", 8080, ("app", "db"), termination_grace_s=1)
    up = Probe(kind="exec", command=("test", "-e", "/tmp/up"), period_s=1, failure_threshold=10)
    live.add_template("hello-1", SERVE, TemplateSpec("app", 64, depends_on=("db",), revision=revision))
    sidecar = ["sh", "-c", "sleep 0.3; touch /tmp/up; exec sleep 1000"]
    live.add_template("hello-1", sidecar, TemplateSpec("db", 64, startup_probe=up))
    status, answer = await live.roll_out("hello-1")
    assert status == 200, answer
    app, db = sorted(live.containers(), key=lambda each: each.labels[names.CONTAINER])
    assert app.attrs["HostConfig"]["NetworkMode"] == f"container:{db.id}"
    assert app.attrs["State"]["StartedAt"] > db.attrs["State"]["StartedAt"]
    before = live.gateway.addresses("hello-1")
    db.kill()
    await until(lambda: live.gateway.addresses("hello-1") not in ([], before), 10)
    await until(lambda: len(live.containers()) == 2, 10)


@on_engine
async def test_liveness_that_fails_replaces_the_instance(live: Live) -> None:
    alive = Probe(kind="exec", command=("test", "!", "-e", "/tmp/ill"), period_s=1, failure_threshold=1)
    revision = RevisionSpec("hello", 8080, ("app",), termination_grace_s=1)
    live.add_template("hello-1", spec=TemplateSpec("app", 64, liveness_probe=alive, revision=revision))
    await live.roll_out("hello-1")
    before = live.gateway.addresses("hello-1")
    live.containers()[0].exec_run(["touch", "/tmp/ill"])
    await until(lambda: live.gateway.addresses("hello-1") not in ([], before), 10)


@on_engine
async def test_delete_removes_every_instance_and_is_repeatable(live: Live) -> None:
    live.add_template("hello-1")
    await live.roll_out("hello-1")
    for _ in range(2):
        assert (await live.ask("DELETE", "/v1/rollouts/default/hello"))[0] == 200
        assert live.containers() == []
    assert live.gateway.snapshot["callers"] == {}
