"""Engine: a Docker host as this side needs it, with the SDK's exceptions turned into ours at this seam."""

from __future__ import annotations

import contextlib
import datetime
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Literal, cast

import docker
import docker.errors
import requests

from runyard import names
from runyard.errors import Conflict, HostError, HostUnreachable, NotFound, RunyardError
from runyard.host.relay import Relay, Stream

Kind = Literal["container", "network", "volume"]

# One call may wait for a container's last second of grace; a dead engine shows itself in the connect, not here.
CALL_TIMEOUT_S = 60
# The kernel's default, where a container names none.
CPU_PERIOD_US = 100_000

# nginx with a large snapshot, and nothing beside it.
TASK_MEMORY_BYTES = 256 * 1024**2

# The first row that matches wins, so subclasses stand before their bases. tests/unit/runyard/host walks the SDK
# and fails for an exception that no row covers.
FOREIGN: tuple[tuple[type[Exception], type[RunyardError]], ...] = (
    (docker.errors.NotFound, NotFound),
    (docker.errors.NullResource, NotFound),
    (docker.errors.DockerException, HostError),
    (docker.errors.ContextException, HostError),
    (docker.errors.StreamParseError, HostError),
    (requests.exceptions.ConnectionError, HostUnreachable),
    (requests.exceptions.RequestException, HostError),
)


@dataclass(frozen=True, slots=True, order=True)
class Thing:
    """A container, network or volume on the host; `stack` and `role` are its labels, empty when it has none."""

    kind: Kind
    name: str
    id: str
    stack: str = ""
    role: str = ""


@dataclass(frozen=True, slots=True)
class Found:
    """A container as a listing shows it; `created` is by the engine's clock."""

    name: str
    id: str
    created: datetime.datetime
    labels: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Task:
    """A container that runs to its end, on the host's network and hardened like a part of the platform."""

    name: str
    image: str
    command: Sequence[str]
    labels: Mapping[str, str]
    environment: Mapping[str, str]
    # Volume to path.
    volumes: Mapping[str, str]
    capabilities: Sequence[str] = ()


@contextlib.contextmanager
def translated(doing: str) -> Iterator[None]:
    """Turn the SDK's exceptions into ours, with `doing` as the breadcrumb's first part."""
    try:
        yield
    except RunyardError:
        raise
    except tuple(foreign for foreign, _ in FOREIGN) as error:
        # A refused connection reaches us as a DockerException whose text is a chain of reprs.
        if "Error while fetching server API version" in str(error):
            raise HostUnreachable(f"{doing}: no Docker engine answers; is it running, is DOCKER_HOST right?") from error
        kind = next(ours for foreign, ours in FOREIGN if isinstance(error, foreign))
        if isinstance(error, docker.errors.APIError) and error.status_code == requests.codes.conflict:
            kind = Conflict
        text = error.explanation if isinstance(error, docker.errors.APIError) and error.explanation else str(error)
        raise kind(f"{doing}: {text}") from error


class Engine:
    """A connection to the Docker engine that DOCKER_HOST names; use it as a context manager."""

    def __init__(self) -> None:
        with translated("connect to the Docker engine"):
            self._client = docker.from_env(timeout=CALL_TIMEOUT_S)

    def __enter__(self) -> Engine:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._client.close()

    def things(self) -> list[Thing]:
        """List every container (running or not), network and volume on the host, in stable order."""
        with translated("list containers, networks and volumes"):
            containers = self._client.api.containers(all=True)
            networks = self._client.api.networks()
            volumes = self._client.api.volumes().get("Volumes") or []
        found = [_thing("container", each["Names"][0].lstrip("/"), each["Id"], each["Labels"]) for each in containers]
        found += [_thing("network", each["Name"], each["Id"], each["Labels"]) for each in networks]
        found += [_thing("volume", each["Name"], each["Name"], each["Labels"]) for each in volumes]
        return sorted(found)

    def owned(self, stack: str) -> list[Thing]:
        """List what carries this stack's label."""
        return [thing for thing in self.things() if thing.stack == stack]

    def remove(self, thing: Thing) -> None:
        """Remove a thing of ours, a container with its anonymous volumes; one that is gone already is fine."""
        with translated(f"remove {thing.kind} {thing.name}"), contextlib.suppress(docker.errors.NotFound):
            if thing.kind == "container":
                self._client.api.remove_container(thing.id, force=True, v=True)
            elif thing.kind == "network":
                self._client.api.remove_network(thing.id)
            else:
                self._client.api.remove_volume(thing.id)

    def remove_instances(self, stack: str) -> int:
        """Remove every instance of a stack, however it stands, and say how many there were."""
        instances = [each for each in self.owned(stack) if each.role == names.ROLE_INSTANCE]
        for instance in instances:
            self.remove(instance)
        return len(instances)

    def labelled(self, label: str) -> list[Found]:
        """List every container with a label, running or not, in the order of their names."""
        with translated(f"list containers with the label {label}"):
            listed = self._client.api.containers(all=True, filters={"label": label})
        found = [_found(each) for each in listed]
        return sorted(found, key=lambda each: each.name)

    def limits(self, container: str) -> tuple[int, int]:
        """Give a container's CPU limit in thousandths of a core and its memory limit in bytes; 0 is none."""
        with translated(f"inspect {container}"):
            host = self._client.api.inspect_container(container)["HostConfig"]
        nano = int(host.get("NanoCpus") or 0)
        quota = int(host.get("CpuQuota") or 0) * 1000 // int(host.get("CpuPeriod") or CPU_PERIOD_US)
        return nano // 1_000_000 or quota, int(host.get("Memory") or 0)

    def create(self, name: str, image: str, labels: Mapping[str, str]) -> str:
        """Create a container that is never started and has no network, and give its id; Conflict if the name is taken.

        The engine lets one container have a name, so of two creations at once one fails.
        """
        with translated(f"create container {name}"):
            made = self._client.api.create_container(
                image, ["true"], name=name, labels=dict(labels), network_disabled=True
            )
        return str(made["Id"])

    def rename(self, container: str, name: str) -> None:
        """Rename a container; NotFound if it is gone, Conflict if the name is taken."""
        with translated(f"rename container {container[:12]} to {name}"):
            self._client.api.rename(container, name)

    def discard(self, container: str) -> None:
        """Remove a container by its name or id, however it stands; one that is gone already is fine."""
        with translated(f"remove container {container[:12]}"), contextlib.suppress(docker.errors.NotFound):
            self._client.api.remove_container(container, force=True, v=True)

    def now(self) -> datetime.datetime:
        """Tell the engine's time, which is that of what it created."""
        with translated("ask the engine for its time"):
            text = str(self._client.api.info()["SystemTime"])
        # Nine digits of a fraction, of which datetime takes six.
        head, _, tail = text.partition(".")
        zone = tail.lstrip("0123456789") or "Z"
        return datetime.datetime.fromisoformat(f"{head}{zone}" if tail else text)

    def relay(self, container: str, command: Sequence[str]) -> Relay:
        """Start a command (an argument list, no shell) inside a running container and speak HTTP with it."""
        with translated(f"execute {command[0]} in {container}"):
            api = self._client.api
            execution = api.exec_create(container, list(command), stdin=True)["Id"]
            stream = api.exec_start(execution, socket=True)
        # For a unix or TCP host the SDK gives a reader around the socket, for TLS and SSH the thing itself.
        return Relay(cast("Stream", getattr(stream, "_sock", stream)))

    def run(self, task: Task) -> tuple[int, str]:
        """Run a container to its end, remove it, and give its exit code and what it wrote."""
        api = self._client.api
        host = api.create_host_config(
            network_mode="host",
            read_only=True,
            tmpfs={"/tmp": "rw,nosuid,nodev,mode=1777,size=16m", "/run": "rw,nosuid,nodev,size=4m"},  # noqa: S108
            cap_drop=["ALL"],
            cap_add=list(task.capabilities),
            security_opt=["no-new-privileges"],
            mem_limit=TASK_MEMORY_BYTES,
            binds=[f"{volume}:{path}" for volume, path in task.volumes.items()],
        )
        with translated(f"run {task.name}"):
            try:
                api.create_container(
                    task.image,
                    list(task.command),
                    name=task.name,
                    labels=dict(task.labels),
                    environment=dict(task.environment),
                    host_config=host,
                )
                api.start(task.name)
                code = int(api.wait(task.name)["StatusCode"])
                log: bytes = api.logs(task.name)
            finally:
                self.discard(task.name)
        return code, log.decode(errors="replace")

    def execute(self, container: str, command: Sequence[str]) -> tuple[int, str]:
        """Run a command (an argument list, no shell) inside a container and give its exit code and what it wrote."""
        with translated(f"execute {' '.join(command)} in {container}"):
            api = self._client.api
            execution = api.exec_create(container, list(command))["Id"]
            output: bytes = api.exec_start(execution)
            return int(api.exec_inspect(execution)["ExitCode"]), output.decode(errors="replace")

    def signal(self, container: str, signal: str) -> None:
        """Send a signal to a container's first process."""
        with translated(f"send {signal} to {container}"):
            self._client.api.kill(container, signal)

    def restart(self, container: str) -> None:
        """Stop a container as it asks to be stopped, and start it again."""
        with translated(f"restart {container}"):
            self._client.api.restart(container)

    def image(self, container: str) -> str | None:
        """Give the image of a running container, as it was named; None if none of this name runs."""
        with translated(f"inspect {container}"):
            try:
                found = self._client.api.inspect_container(container)
            except docker.errors.NotFound:
                return None
        return str(found["Config"]["Image"]) if found["State"]["Running"] else None

    def has_file(self, container: str, path: str) -> bool:
        """Say whether a container, running or not, has a file; NotFound if there is no container."""
        with translated(f"inspect {container}"):
            self._client.api.inspect_container(container)
            try:
                stream, _ = self._client.api.get_archive(container, path)
            except docker.errors.NotFound:
                return False
            with contextlib.closing(stream):
                return True

    def last_lines(self, container: str, count: int) -> list[str]:
        """Give the last lines that a container wrote; none if there is no such container."""
        with translated(f"read the log of {container}"):
            try:
                log: bytes = self._client.api.logs(container, tail=count)
            except docker.errors.NotFound:
                return []
        return log.decode(errors="replace").splitlines()

    def running(self, container: str) -> bool:
        """Say whether a container of this name exists and runs."""
        with translated(f"inspect {container}"):
            try:
                return bool(self._client.api.inspect_container(container)["State"]["Running"])
            except docker.errors.NotFound:
                return False


def _thing(kind: Kind, name: str, identifier: str, labels: dict[str, str] | None) -> Thing:
    labels = labels or {}
    return Thing(kind, name, identifier, labels.get(names.STACK, ""), labels.get(names.ROLE, ""))


def _found(listed: Mapping[str, Any]) -> Found:
    created = datetime.datetime.fromtimestamp(int(listed["Created"]), datetime.UTC)
    # One that is just being removed may have lost its names already.
    name = (listed["Names"] or [""])[0].lstrip("/")
    return Found(name, listed["Id"], created, listed["Labels"] or {})
