"""Client: the few verbs that are needed of Docker, in its own words, with its errors mapped to ours in one table."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import aiodocker
import aiohttp
from aiodocker.events import DockerEvents
from aiodocker.networks import DockerNetwork
from aiodocker.stream import Stream
from aiodocker.volumes import DockerVolume

from runyard import names
from runyard.errors import Conflict, HostError, HostUnreachable, NotFound, UsageError
from services.orchestrator.engine.docker.json import Json
from services.orchestrator.engine.port import Event, Refused

# A healthy engine answers in well under a second; one that is overloaded may take many. Past this it counts as gone.
CALL_TIMEOUT_S = 30.0
# An engine that works answers this in milliseconds.
PING_TIMEOUT_S = 2.0
# What the engine may take on top of the grace to kill a container and take its network away.
STOP_MARGIN_S = 15.0
# Docker counts a pull by what it has still to bring; a large image over a slow line takes minutes.
PULL_TIMEOUT_S = 600.0
_EVENTS = ("create", "start", "die", "destroy", "oom", "update", "rename", "pause", "unpause")
# Of networks; they carry no label of ours, so those of every container on the host come.
_NETWORK_EVENTS = ("connect", "disconnect")


class DockerClient:
    """The Docker engine at DOCKER_HOST, or at its usual socket; every method raises HostError or one of its kinds."""

    def __init__(self, docker: aiodocker.Docker) -> None:
        self._docker = docker

    async def ping(self) -> None:
        """Do nothing but get an answer."""
        with translated("ask the engine's version"):
            async with asyncio.timeout(PING_TIMEOUT_S):
                await self._docker.version()

    async def list(self, labels: Mapping[str, str]) -> dict[str, str]:
        """Give the states of all containers with these labels, by id."""
        with translated("list containers"):
            async with asyncio.timeout(CALL_TIMEOUT_S):
                found = await self._docker.containers.list(all=True, filters=_filters(labels))
                return {each.id: str(each["State"]) for each in found}

    async def inspect(self, container: str) -> Json:
        """Describe a container in Docker's words."""
        with translated(f"inspect container {container[:12]}"):
            async with asyncio.timeout(CALL_TIMEOUT_S):
                return dict(await self._docker.containers.container(container).show())

    async def inspect_network(self, network: str) -> Json:
        """Describe a network in Docker's words."""
        with translated(f"inspect network {network}"):
            async with asyncio.timeout(CALL_TIMEOUT_S):
                # By its name: aiodocker's own look-up would ask for all of it once more, only to learn its id.
                return dict(await DockerNetwork(self._docker, network).show())  # type: ignore[no-untyped-call]

    async def inspect_image(self, reference: str) -> Json:
        """Describe an image in Docker's words."""
        with translated(f"inspect image {reference}"):
            async with asyncio.timeout(CALL_TIMEOUT_S):
                return dict(await self._docker.images.inspect(reference))

    async def pull(self, reference: str) -> None:
        """Bring an image, named by its digest, from its registry."""
        with translated(f"pull {reference}"):
            async with asyncio.timeout(PULL_TIMEOUT_S):
                await self._docker.images.pull(reference)

    async def create_volume(self, name: str, labels: Mapping[str, str], options: Mapping[str, str]) -> Json:
        """Create a volume and describe it in Docker's words; one of this name is left and described as it is."""
        wanted = {"Name": name, "Driver": "local", "Labels": dict(labels), "DriverOpts": dict(options)}
        with translated(f"create volume {name}"):
            async with asyncio.timeout(CALL_TIMEOUT_S):
                # aiodocker ships types but left its volumes without.
                made = await self._docker.volumes.create(wanted)  # type: ignore[no-untyped-call]
                return dict(await made.show())

    async def users(self, volume: str) -> tuple[str, ...]:
        """Name the running containers that have a volume."""
        with translated(f"list users of volume {volume}"):
            async with asyncio.timeout(CALL_TIMEOUT_S):
                found = await self._docker.containers.list(filters=json.dumps({"volume": [volume]}))
                return tuple(sorted(str(each["Names"][0]).lstrip("/") for each in found))

    async def remove_volume(self, name: str) -> None:
        """Remove a volume; one that is gone is no error, Conflict if a container has it."""
        with translated(f"remove volume {name}", gone_is_fine=True):
            async with asyncio.timeout(CALL_TIMEOUT_S):
                await DockerVolume(self._docker, name).delete()  # type: ignore[no-untyped-call]

    async def create(self, name: str, config: Json) -> str:
        """Create a container and give its id."""
        with translated(f"create container {name}"):
            async with asyncio.timeout(CALL_TIMEOUT_S):
                return str((await self._docker.containers.create(config, name=name)).id)

    async def start(self, container: str, standard_input: str = "") -> None:
        """Start a container, with this text and then the end on its standard input; one that runs is left alone."""
        with translated(f"start container {container[:12]}"):
            async with asyncio.timeout(CALL_TIMEOUT_S):
                found = self._docker.containers.container(container)
                if not standard_input:
                    await found.start()
                    return
                # Attached before it runs, and the engine closes its input when this one connection ends.
                async with found.attach(stdin=True) as stream:
                    await found.start()
                    await stream.write_in(standard_input.encode())

    async def update(self, container: str, limits: Mapping[str, int]) -> None:
        """Change these limits of a container, in Docker's words."""
        with translated(f"update container {container[:12]}"):
            async with asyncio.timeout(CALL_TIMEOUT_S):
                # aiodocker has no word for it.
                await self._docker._query_json(f"containers/{container}/update", method="POST", data=dict(limits))

    async def pause(self, container: str) -> None:
        """Take all CPU from a container, which keeps its memory; one that is paused is left alone."""
        with translated(f"pause container {container[:12]}", unless="already paused"):
            async with asyncio.timeout(CALL_TIMEOUT_S):
                await self._docker.containers.container(container).pause()

    async def resume(self, container: str) -> None:
        """Let a paused container go on; one that runs is left alone."""
        with translated(f"resume container {container[:12]}", unless="is not paused"):
            async with asyncio.timeout(CALL_TIMEOUT_S):
                await self._docker.containers.container(container).unpause()

    async def kill(self, container: str) -> None:
        """Kill a container, paused or not, and return when it is dead; one that does not run is left alone."""
        with translated(f"kill container {container[:12]}", unless="is not running"):
            async with asyncio.timeout(CALL_TIMEOUT_S):
                await self._docker.containers.container(container).kill(signal="KILL")

    async def stop(self, container: str, grace_s: int) -> None:
        """Send the stop signal, wait for the grace, then kill; one that is gone is no error."""
        with translated(f"stop container {container[:12]}", gone_is_fine=True):
            async with asyncio.timeout(grace_s + STOP_MARGIN_S):
                await self._docker.containers.container(container).stop(t=grace_s)

    async def wait(self, container: str, within_s: float) -> None:
        """Wait until a container has ended or is gone, but no longer than this."""
        with translated(f"wait for container {container[:12]}", gone_is_fine=True):
            try:
                async with asyncio.timeout(within_s):
                    await self._docker.containers.container(container).wait()
            except TimeoutError:
                return

    async def remove(self, container: str) -> None:
        """Kill and remove a container with its anonymous volumes; one that is gone is no error."""
        with translated(f"remove container {container[:12]}", gone_is_fine=True):
            async with asyncio.timeout(CALL_TIMEOUT_S):
                await self._docker.containers.container(container).delete(force=True, v=True)

    async def logs(self, container: str, lines: int) -> tuple[str, ...]:
        """Give the last lines of a container's output."""
        with translated(f"read logs of container {container[:12]}"):
            async with asyncio.timeout(CALL_TIMEOUT_S):
                pieces = await self._docker.containers.container(container).log(stdout=True, stderr=True, tail=lines)
        # A piece is what the program wrote at once: several lines, or part of one.
        return tuple("".join(pieces).splitlines()[-lines:])

    async def run(self, container: str, command: tuple[str, ...], standard_input: str = "") -> int:
        """Run a command inside a container, with this text on its standard input, and give its exit code."""
        with translated(f"run a command in container {container[:12]}"):
            async with asyncio.timeout(CALL_TIMEOUT_S):
                found = self._docker.containers.container(container)
                command_run = await found.exec(list(command), stdin=bool(standard_input))
                async with command_run.start(detach=False) as stream:
                    if standard_input:
                        await stream.write_in(standard_input.encode())
                        _end_input(stream)
                    while await stream.read_out() is not None:
                        # The output is the probe's own business; reading it is how its end shows.
                        continue
                return int((await command_run.inspect())["ExitCode"])

    def events(self, labels: Mapping[str, str]) -> AsyncIterator[Event]:
        """Yield events of containers with these labels, and of all networks, until the engine goes away."""
        mine = [f"{key}={value}" for key, value in labels.items()]
        containers = {"type": ["container"], "event": list(_EVENTS), "label": mine}
        networks = {"type": ["network"], "event": list(_NETWORK_EVENTS)}
        return self._streams(containers, networks)

    def container_events(self, labels: Mapping[str, str]) -> AsyncIterator[Event]:
        """Yield events of containers with these labels alone, until the engine goes away."""
        mine = [f"{key}={value}" for key, value in labels.items()]
        return self._streams({"type": ["container"], "event": list(_EVENTS), "label": mine})

    async def _streams(self, *wanted: Json) -> AsyncIterator[Event]:
        queue: asyncio.Queue[Event | None] = asyncio.Queue()
        streams = [asyncio.create_task(self._listen(filters, queue)) for filters in wanted]
        try:
            while (event := await queue.get()) is not None:
                yield event
            # One that ended has the reason; both begin anew, or what the other tells would come twice.
            for stream in streams:
                if stream.done():
                    stream.result()
        finally:
            for stream in streams:
                stream.cancel()

    async def _listen(self, filters: Json, queue: asyncio.Queue[Event | None]) -> None:
        source = DockerEvents(self._docker)  # type: ignore[no-untyped-call]
        # aiodocker ships types but left this method without.
        subscriber = source.subscribe(create_task=False)  # type: ignore[no-untyped-call]
        stream = asyncio.create_task(source.run(filters=json.dumps(filters)))
        try:
            while (event := await subscriber.get()) is not None:
                actor = event["Actor"]
                # A network's event is about the container that joined it or left it.
                ours = event["Type"] == "container"
                said = actor.get("Attributes") or {}
                about = actor["ID"] if ours else said.get("container", "")
                queue.put_nowait(Event(str(about), ours, str(said.get(names.ROLE, ""))))
            with translated("watch events"):
                await stream
        finally:
            stream.cancel()
            queue.put_nowait(None)

    async def close(self) -> None:
        """Close the connections."""
        await self._docker.close()


def open_client(socket: str = "") -> DockerClient:
    """Open the Docker engine at a socket, else at DOCKER_HOST or its usual socket; UsageError if there is none."""
    try:
        return DockerClient(aiodocker.Docker(f"unix://{socket}" if socket else None))
    except (AssertionError, ValueError) as error:
        raise UsageError("DOCKER_HOST: no Docker engine is configured and no socket was found") from error


def _end_input(stream: Stream) -> None:
    """End the standard input of a command that goes on; aiodocker can only end both directions at once."""
    connection = stream._resp.connection if stream._resp is not None else None
    if connection is not None and connection.transport is not None:
        connection.transport.write_eof()


# aiodocker reports a failed connection as status 900.
_KINDS: dict[int, type[HostError]] = {400: Refused, 403: Conflict, 404: NotFound, 409: Conflict, 900: HostUnreachable}


@contextmanager
def translated(breadcrumb: str, *, gone_is_fine: bool = False, unless: str = "") -> Iterator[None]:
    """Turn what the Docker client raises into ours: the one table of this seam.

    A refusal with the words of `unless` says that all is as it was to be.
    """
    try:
        yield
    except aiodocker.DockerError as error:
        kind = _KINDS.get(error.status, HostError)
        if gone_is_fine and kind is NotFound:
            return
        if unless and unless in error.message:
            return
        # Docker answers 409 to a second removal; the first one is under way.
        if gone_is_fine and error.status == 409 and "already in progress" in error.message:
            return
        raise kind(f"{breadcrumb}: {_one_line(error.message)}") from error
    except TimeoutError as error:
        raise HostUnreachable(f"{breadcrumb}: no answer in the time allowed") from error
    except (aiohttp.ClientError, OSError) as error:
        raise HostUnreachable(f"{breadcrumb}: {_one_line(str(error)) or type(error).__name__}") from error


def _one_line(message: Any) -> str:
    return " ".join(str(message).split())


def _filters(labels: Mapping[str, str]) -> str:
    return json.dumps({"label": [f"{key}={value}" for key, value in labels.items()]})
