from __future__ import annotations

import asyncio
import inspect
import json
from pathlib import Path
from typing import Any

import aiodocker
import aiohttp
import pytest
from aiohttp import web

from runyard.errors import Conflict, HostError, HostUnreachable, NotFound
from services.orchestrator.engine.docker.client import DockerClient, translated
from services.orchestrator.engine.port import Event, Refused


@pytest.mark.parametrize(
    ("error", "kind", "message"),
    [
        (aiodocker.DockerError(404, "no such\nimage"), NotFound, "create x: no such image"),
        (aiodocker.DockerError(409, "name taken"), Conflict, "create x: name taken"),
        (aiodocker.DockerError(403, "Address already in use"), Conflict, "create x: Address already in use"),
        (aiodocker.DockerError(400, "exec: not found"), Refused, "create x: exec: not found"),
        (aiodocker.DockerError(500, "broken"), HostError, "create x: broken"),
        (aiodocker.DockerError(900, "cannot connect"), HostUnreachable, "create x: cannot connect"),
        (TimeoutError(), HostUnreachable, "create x: no answer in the time allowed"),
        (aiohttp.ClientPayloadError("cut"), HostUnreachable, "create x: cut"),
        (ConnectionResetError("reset"), HostUnreachable, "create x: reset"),
        (aiohttp.ServerDisconnectedError(""), HostUnreachable, "create x: ServerDisconnectedError"),
    ],
)
def test_error_of_the_library_becomes_ours(error: Exception, kind: type[HostError], message: str) -> None:
    with pytest.raises(HostError) as caught, translated("create x"):
        raise error
    assert (type(caught.value), str(caught.value)) == (kind, message)


def test_every_error_class_of_the_library_is_translated() -> None:
    kinds = [each for _, each in inspect.getmembers(aiodocker.exceptions, inspect.isclass)]
    ours = [each for each in kinds if issubclass(each, Exception)]
    assert ours
    for kind in ours:
        assert issubclass(kind, aiodocker.DockerError)


@pytest.mark.parametrize("error", [(404, "no such container"), (409, "removal of container x is already in progress")])
def test_container_that_is_gone_or_going_is_as_good_as_removed(error: tuple[int, str]) -> None:
    with translated("remove x", gone_is_fine=True):
        raise aiodocker.DockerError(*error)


def test_other_conflict_of_a_removal_is_an_error() -> None:
    with pytest.raises(Conflict), translated("remove x", gone_is_fine=True):
        raise aiodocker.DockerError(409, "container is paused")


# What it always says.
ANSWERS: dict[str, dict[str, Any]] = {
    "/version": {"ApiVersion": "1.41"},
    "/volumes/v": {"Name": "v", "Mountpoint": "/there"},
    "/containers/c/json": {"Id": "c", "Config": {"Tty": True}},
    "/containers/c/wait": {"StatusCode": 3},
}


class Daemon:
    """A few of Docker's answers on a socket of its own."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, str, dict[str, str]]] = []
        self.events: dict[str, list[tuple[str, dict[str, Any]]]] = {"container": [], "network": []}
        self.told = asyncio.Event()
        self.sent: list[Any] = []

    async def answer(self, request: web.Request) -> web.StreamResponse:
        path = request.path.partition("/v1.41")[2] or request.path
        self.asked.append((request.method, path, dict(request.query)))
        if path in ANSWERS:
            return web.json_response(ANSWERS[path])
        if path == "/containers/json":
            found = [("a", "running"), ("b", "created")]
            return web.json_response(
                [{"Id": each, "State": state, "Names": [f"/{each}-name"]} for each, state in found]
            )
        if path == "/volumes/create":
            self.sent.append(await request.json())
            return web.json_response({"Name": "v"}, status=201)
        if path == "/volumes/used":
            body = json.dumps({"message": "volume is in use"}).encode()
            return web.Response(status=409, body=body, headers={"Content-Type": "application/json"})
        if path == "/events":
            return await self._tell(request)
        if path == "/containers/runs/wait":
            await asyncio.Event().wait()
        if path == "/containers/c/logs":
            return web.Response(body=b"one\ntwo\nthree\n")
        # Docker names no character set, and the library looks for exactly this type.
        body = json.dumps({"message": f"no such thing: {path}"}).encode()
        return web.Response(status=404, body=body, headers={"Content-Type": "application/json"})

    async def _tell(self, request: web.Request) -> web.StreamResponse:
        (kind,) = json.loads(request.query["filters"])["type"]
        response = web.StreamResponse(headers={"Content-Type": "application/json"})
        await response.prepare(request)
        if kind == "network":
            await self.told.wait()
        for action, actor in self.events[kind]:
            line = json.dumps({"Type": kind, "Action": action, "Actor": actor, "time": 1})
            await response.write(line.encode() + b"\n")
        self.told.set()
        if kind == "container":
            # The engine goes away when all is told: one end is enough.
            await asyncio.Event().wait()
        return response


def with_daemon(directory: Path, daemon: Daemon, call: Any) -> Any:
    async def whole() -> Any:
        app = web.Application()
        app.router.add_route("*", "/{path:.*}", daemon.answer)
        runner = web.AppRunner(app, handler_cancellation=True, shutdown_timeout=0.1)
        await runner.setup()
        await web.UnixSite(runner, str(directory / "docker.sock")).start()
        engine = DockerClient(aiodocker.Docker(f"unix://{directory}/docker.sock"))
        try:
            return await call(engine)
        finally:
            await engine.close()
            await runner.cleanup()

    return asyncio.run(whole())


def test_listing_asks_for_our_labels_and_gives_states(tmp_path: Path) -> None:
    daemon = Daemon()
    assert with_daemon(tmp_path, daemon, lambda engine: engine.list({"k": "v"})) == {"a": "running", "b": "created"}
    _, _, query = daemon.asked[-1]
    assert query["filters"] == '{"label": ["k=v"]}'
    assert query["all"].lower() in ("1", "true")


def test_events_are_yielded_until_the_engine_goes_away(tmp_path: Path) -> None:
    daemon = Daemon()
    daemon.events["container"] = [("die", {"ID": "a"}), ("start", {"ID": "b"})]
    # A network's event is about a container; one that goes has none.
    daemon.events["network"] = [("disconnect", {"ID": "n", "Attributes": {"container": "c"}})]

    async def watch(engine: DockerClient) -> list[Event]:
        return [event async for event in engine.events({"k": "v"})]

    found = with_daemon(tmp_path, daemon, watch)
    assert [each for each in found if each.ours] == [Event("a"), Event("b")]
    assert Event("c", ours=False) in found
    filters = [json.loads(query["filters"]) for _, path, query in daemon.asked if path == "/events"]
    assert [each.get("label") for each in filters] == [["k=v"], None]
    assert {"update", "rename", "pause", "unpause"} <= set(filters[0]["event"])
    assert filters[1]["event"] == ["connect", "disconnect"]


def test_logs_are_the_last_lines(tmp_path: Path) -> None:
    assert with_daemon(tmp_path, Daemon(), lambda engine: engine.logs("c", 2)) == ("two", "three")


@pytest.mark.parametrize("container", ["c", "runs", "gone"])
def test_end_of_a_container_is_waited_for_and_not_for_longer_than_asked(tmp_path: Path, container: str) -> None:
    daemon = Daemon()
    with_daemon(tmp_path, daemon, lambda engine: engine.wait(container, 0.1 if container == "runs" else 30))
    assert daemon.asked[-1][:2] == ("POST", f"/containers/{container}/wait")


def test_missing_container_is_not_found_with_the_id_shortened(tmp_path: Path) -> None:
    with pytest.raises(NotFound) as caught:
        with_daemon(tmp_path, Daemon(), lambda engine: engine.inspect("0123456789abcdef"))
    assert str(caught.value).startswith("inspect container 0123456789ab: no such thing: ")


def test_removing_and_stopping_what_is_gone_is_no_error(tmp_path: Path) -> None:
    with_daemon(tmp_path, Daemon(), lambda engine: engine.remove("gone"))
    with_daemon(tmp_path, Daemon(), lambda engine: engine.stop("gone", 1))


def test_engine_that_is_not_there_is_unreachable(tmp_path: Path) -> None:
    async def whole() -> None:
        engine = DockerClient(aiodocker.Docker(f"unix://{tmp_path}/none.sock"))
        try:
            await engine.list({})
        finally:
            await engine.close()

    with pytest.raises(HostUnreachable, match=r"^list containers: "):
        asyncio.run(whole())


def test_volume_is_made_with_its_labels_and_options_and_described(tmp_path: Path) -> None:
    daemon = Daemon()
    made = with_daemon(tmp_path, daemon, lambda engine: engine.create_volume("v", {"k": "v"}, {"type": "tmpfs"}))
    assert made == {"Name": "v", "Mountpoint": "/there"}
    assert daemon.sent == [{"Name": "v", "Driver": "local", "Labels": {"k": "v"}, "DriverOpts": {"type": "tmpfs"}}]


def test_volume_that_is_gone_is_as_good_as_removed_and_one_in_use_is_told(tmp_path: Path) -> None:
    with_daemon(tmp_path, Daemon(), lambda engine: engine.remove_volume("gone"))
    with pytest.raises(Conflict, match="remove volume used: volume is in use"):
        with_daemon(tmp_path, Daemon(), lambda engine: engine.remove_volume("used"))


def test_users_of_a_volume_are_those_that_run(tmp_path: Path) -> None:
    daemon = Daemon()
    assert with_daemon(tmp_path, daemon, lambda engine: engine.users("v")) == ("a-name", "b-name")
    _, _, query = daemon.asked[-1]
    assert query["filters"] == '{"volume": ["v"]}'
    assert query.get("all", "").lower() in ("", "0", "false")
