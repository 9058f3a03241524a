"""Init containers and volumes on the real engine: what is shared, what stays, and who writes."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest

from runyard import names
from runyard.contracts import MemoryMount, VolumeDocument, VolumeMount
from tests.harness.stack import docker
from tests.harness.waiting import until_async

from .live import MIB, Live, container
from .test_orchestrator_live import alive

pytestmark = pytest.mark.engine
SHARED = VolumeDocument("work", "shared", 4 * MIB)
DATA = VolumeDocument("data", "persistent", 64 * MIB)
# Answers with what a file holds.
SERVER = (
    "use IO::Socket::INET; $|=1; $SIG{TERM}=sub{exit 0};"
    "my $s=IO::Socket::INET->new(LocalPort=>8080,Listen=>50,ReuseAddr=>1) or die;"
    "while(1){my $c=$s->accept or next; <$c>; my $t=qx(cat $ARGV[0] 2>&1); my $n=length $t;"
    "print $c qq(HTTP/1.1 200 OK\\r\\nContent-Length: $n\\r\\nConnection: close\\r\\n\\r\\n$t); close $c}"
)
NOBODY = {"user": "1000:1000"}


def with_launcher(test: Callable[[Live], Coroutine[Any, Any, None]]) -> Callable[[Path], None]:
    """Run a test with a live orchestrator that has a launcher."""

    def run(tmp_path: Path) -> None:
        asyncio.run(alive(tmp_path, test, launcher=True))

    run.__name__ = test.__name__
    return run


def serving(path: str, *mounts: VolumeMount, before: str = "true", name: str = "app", **fields: Any) -> Any:
    """Describe a container that serves a file, after a command."""
    command = ("sh", "-c", f"{before}; exec perl -e '{SERVER}' {path}")
    return container(name, command, volume_mounts=mounts, **{**NOBODY, **fields})


def running(name: str, script: str, *mounts: VolumeMount, **fields: Any) -> Any:
    return container(name, ("sh", "-c", script), volume_mounts=mounts, **{**NOBODY, **fields})


async def answer(live: Live, revision: str = "hello-1") -> str:
    """Ask an instance as the gateway does."""
    (address,) = live.gateway.addresses(revision)
    host, _, port = address.partition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
    text = (await reader.read()).decode()
    writer.close()
    return text.partition("\r\n\r\n")[2].strip()


def names_of(live: Live) -> list[str]:
    return sorted(each.labels[names.CONTAINER] for each in live.containers())


@with_launcher
async def test_init_containers_write_one_after_another_what_the_app_serves(live: Live) -> None:
    mount = VolumeMount("work", "/work")
    live.add(
        "hello-1",
        serving("/work/page", mount),
        init_containers=(
            running("first", "echo one > /work/page; hostname -i > /work/address", mount),
            running("second", "echo two >> /work/page; cat /work/address >> /work/page", mount),
        ),
        volumes=(SHARED,),
    )
    assert (await live.roll_out("hello-1"))["outcome"] == "ready"
    one, two, address = (await answer(live)).split()
    assert (one, two) == ("one", "two")
    assert live.gateway.addresses("hello-1") == [f"{address}:8080"]
    assert names_of(live) == ["_holder", "app"]
    (app,) = [each for each in live.containers() if each.labels[names.CONTAINER] == "app"]
    code, output = app.run("sh", "-c", "head -c 8m /dev/zero > /work/big")
    assert (code, "No space left" in output) == (1, True)
    # Those that have ended may be pruned: nobody misses them.
    for each in live.containers(all=True):
        if each.status == "exited":
            docker("rm", each.id)
    await live.kill()
    await live.start()
    await until_async(lambda: live.gateway.addresses("hello-1") == [f"{address}:8080"])
    assert (await answer(live)).split() == ["one", "two", address]
    assert (await live.ask("DELETE", "/v1/services/default/hello"))[0] == 200
    await until_async(lambda: live.containers(all=True) == [] and live.volumes(names.ROLE_SCRATCH) == [])


@with_launcher
async def test_two_containers_share_a_directory_that_nobody_can_replace(live: Live) -> None:
    evil = "mv /all/part /all/away 2>&1; rmdir /all/part; ln -s / /all/part; echo from-init > /all/outside; true"
    live.add(
        "hello-1",
        serving("/part/page", VolumeMount("work", "/part", sub_path="part")),
        running(
            "side",
            "echo from-side > /mine/page; exec sleep 1000",
            VolumeMount("work", "/mine", sub_path="part"),
            VolumeMount("work", "/seen", read_only=True),
        ),
        # Root of the same image owns the directory, so it can put something else in its place.
        init_containers=(running("evil", evil, VolumeMount("work", "/all"), user="0:0"),),
        volumes=(SHARED,),
    )
    assert (await live.roll_out("hello-1"))["outcome"] == "ready"

    async def shared() -> bool:
        return await answer(live) == "from-side"

    await until_async(shared)
    (app,) = [each for each in live.containers() if each.labels[names.CONTAINER] == "app"]
    assert app.run("ls", "/part")[1].split() == ["page"]
    (side,) = [each for each in live.containers() if each.labels[names.CONTAINER] == "side"]
    assert side.run("cat", "/seen/outside")[1] == "from-init\n"
    assert side.run("sh", "-c", "echo x > /seen/y")[0] != 0


@with_launcher
async def test_persistent_volume_survives_a_new_revision_and_a_removed_service(live: Live) -> None:
    mount, part = VolumeMount("data", "/data"), VolumeMount("data", "/part", sub_path="deep/part")
    note = "echo $K_REVISION >> /data/page; echo $K_REVISION >> /part/page"
    for number in (1, 2):
        live.add(f"hello-{number}", serving("/data/page", mount, part, before=note), volumes=(DATA,))
    assert (await live.roll_out("hello-1"))["outcome"] == "ready"
    assert await answer(live) == "hello-1"
    assert (await live.roll_out("hello-2"))["outcome"] == "ready"
    assert (await answer(live, "hello-2")).split() == ["hello-1", "hello-2"]
    await live.ask("DELETE", "/v1/services/default/hello")
    await until_async(lambda: live.containers(all=True) == [] and live.volumes(names.ROLE_SCRATCH) == [])
    (kept,) = live.volumes(names.ROLE_DATA)
    assert kept == names.persistent_volume(live.stack, "default", "data")
    live.add("hello-3", serving("/part/page", mount, part, before=note), volumes=(DATA,))
    assert (await live.roll_out("hello-3"))["outcome"] == "ready"
    assert (await answer(live, "hello-3")).split() == ["hello-1", "hello-2", "hello-3"]


@with_launcher
async def test_link_in_a_persistent_volume_leads_nowhere(live: Live) -> None:
    mount = VolumeMount("data", "/data")
    live.add("hello-1", serving("/data/page", mount, before="ln -s /etc /data/part"), volumes=(DATA,))
    assert (await live.roll_out("hello-1"))["outcome"] == "ready"
    live.add("hello-2", serving("/x/passwd", VolumeMount("data", "/x", sub_path="part")), volumes=(DATA,))
    failed = await live.roll_out("hello-2")
    assert "helper _preparer: exited with code 125" in failed["detail"]
    assert "launch: prepare /volumes/data: directory part: not a directory" in failed["logs"]
    # The old one is started again.
    await until_async(lambda: live.gateway.addresses("hello-1") != [])


@with_launcher
async def test_new_revision_never_writes_beside_the_old_one(live: Live) -> None:
    mount = VolumeMount("data", "/data")
    # Whoever comes while another one is there says so.
    alone = 'mkdir /data/lock || echo $K_REVISION beside another >> /data/page; trap "sleep 1; rmdir /data/lock" TERM'
    for number in (1, 2):
        script = f"{alone}; perl -e '{SERVER}' /data/page & wait $!"
        live.add(f"hello-{number}", running("app", script, mount), volumes=(DATA,), grace_s=5)
    live.add("hello-3", running("app", f"{alone}; echo broken; rmdir /data/lock; exit 7", mount), volumes=(DATA,))
    assert (await live.roll_out("hello-1"))["outcome"] == "ready"
    assert (await live.roll_out("hello-2"))["outcome"] == "ready"
    assert live.gateway.addresses("hello-1") == []
    failed = await live.roll_out("hello-3")
    assert "container app: exited with code 7" in failed["detail"]
    await until_async(lambda: live.gateway.addresses("hello-2") != [])
    (app,) = [each for each in live.containers() if each.labels[names.CONTAINER] == "app"]
    assert app.run("cat", "/data/page")[0] == 1


@with_launcher
async def test_failing_init_container_says_why_and_nothing_of_it_is_left(live: Live) -> None:
    live.add("hello-1", init_containers=(running("migrate", "echo no such database; exit 4"),), volumes=())
    failed = await live.roll_out("hello-1")
    assert "init container migrate: exited with code 4 (3 times)" in failed["detail"]
    assert failed["logs"] == ["no such database"]
    await until_async(lambda: live.containers(all=True) == [])


@with_launcher
async def test_lost_volume_of_the_orchestrator_takes_over_instances_with_helpers(live: Live) -> None:
    live.add(
        "hello-1",
        serving(
            "/work/page",
            VolumeMount("work", "/work"),
            VolumeMount("data", "/data"),
            VolumeMount("data", "/part", sub_path="part"),
            memory_mounts=(MemoryMount("/tmp", MIB),),
        ),
        init_containers=(running("first", "echo one > /work/page", VolumeMount("work", "/work")),),
        volumes=(DATA, SHARED),
    )
    assert (await live.roll_out("hello-1"))["outcome"] == "ready"
    before = sorted(each.id for each in live.containers(all=True))
    await live.kill()
    live.lose_volume()
    await live.start()
    assert (await live.roll_out("hello-1"))["outcome"] == "ready"
    assert sorted(each.id for each in live.containers(all=True)) == before
    assert (await live.status())["problems"] == []
    await live.ask("DELETE", "/v1/services/default/hello")
    await until_async(lambda: live.containers(all=True) == [] and live.volumes(names.ROLE_SCRATCH) == [])
