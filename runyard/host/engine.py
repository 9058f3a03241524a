"""Engine: a Docker host as this side needs it, each call with a breadcrumb of what it was about to do."""

from __future__ import annotations

import contextlib
import datetime
import json
from collections.abc import Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlencode

from runyard.errors import Conflict, HostError, NotFound
from runyard.host.log import LogLine, LogLines
from runyard.host.relay import Relay, unframe
from runyard.host.thing import Found, Thing, containers_of, found_of, networks_of, volumes_of
from runyard.host.transport import FOREIGN, Answer, Transport, translate
from runyard.reference import is_id, parse_reference

if TYPE_CHECKING:
    from runyard.contracts import ImageIdentity


# The kernel's default, where a container names none.
CPU_PERIOD_US = 100_000

# nginx with a large snapshot, and nothing beside it.
TASK_MEMORY_BYTES = 256 * 1024**2
# A large layer is told of many times while it comes and is unpacked; a registry that has hung is not.
_PULL_SILENCE_S = 300.0

# How an execution begins: with its output, in Docker's frames.
_ATTACHED = {"Detach": False, "Tty": False}


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
    """Put `doing` before an error of the engine's, as the breadcrumb's first part, whatever library it comes from."""
    try:
        yield
    except HostError as error:
        raise type(error)(f"{doing}: {error}") from error
    except tuple(foreign for foreign, _ in FOREIGN) as error:
        ours = translate(error)
        raise type(ours)(f"{doing}: {ours}") from error


class Engine:
    """A connection to the Docker engine that DOCKER_HOST names, or this address; use it as a context manager.

    Any number of threads may use it. HostUnreachable from the first moment when no engine answers.
    """

    def __init__(self, docker_host: str | None = None) -> None:
        self._transport = Transport(docker_host)
        self._ask("connect to the Docker engine", "GET", "/_ping")

    def __enter__(self) -> Engine:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close its connections, but for relays: they are closed by whoever has them."""
        self._transport.close()

    def things(self) -> list[Thing]:
        """List every container (running or not), network and volume on the host, in stable order."""
        doing = "list containers, networks and volumes"
        found = containers_of(self._get(doing, "/containers/json?all=1"))
        found += networks_of(self._get(doing, "/networks"))
        found += volumes_of(self._get(doing, "/volumes").get("Volumes") or [])
        return sorted(found)

    def owned(self, stack: str) -> list[Thing]:
        """List what carries this stack's label."""
        return [thing for thing in self.things() if thing.stack == stack]

    def remove(self, thing: Thing) -> None:
        """Remove a thing of ours, a container with its anonymous volumes; one that is gone already is fine."""
        doing = f"remove {thing.kind} {thing.name}"
        if thing.kind == "container":
            self._remove(doing, thing.id)
        else:
            with contextlib.suppress(NotFound):
                # One in use is refused.
                self._ask(doing, "DELETE", f"/{thing.kind}s/{_part(thing.id)}")

    def labelled(self, label: str) -> list[Found]:
        """List every container with a label, running or not, in the order of their names."""
        query = urlencode({"all": 1, "filters": json.dumps({"label": [label]})})
        listed = self._get(f"list containers with the label {label}", f"/containers/json?{query}")
        return sorted((found_of(each) for each in listed), key=lambda each: each.name)

    def limits(self, container: str) -> tuple[int, int]:
        """Give a container's CPU limit in thousandths of a core and its memory limit in bytes; 0 is none."""
        host = self._inspect(container)["HostConfig"]
        nano = int(host.get("NanoCpus") or 0)
        quota = int(host.get("CpuQuota") or 0) * 1000 // int(host.get("CpuPeriod") or CPU_PERIOD_US)
        return nano // 1_000_000 or quota, int(host.get("Memory") or 0)

    def create(self, name: str, image: str, labels: Mapping[str, str]) -> str:
        """Create a container that is never started and has no network, and give its id; Conflict if the name is taken.

        The engine lets one container have a name, so of two creations at once one fails.
        """
        body = {"Image": image, "Cmd": ["true"], "Labels": dict(labels), "NetworkDisabled": True}
        return self._create(f"create container {name}", name, body)

    def rename(self, container: str, name: str) -> None:
        """Rename a container; NotFound if it is gone, Conflict if the name is taken."""
        path = f"/containers/{_part(container)}/rename?{urlencode({'name': name})}"
        self._ask(f"rename container {container[:12]} to {name}", "POST", path)

    def discard(self, container: str) -> None:
        """Remove a container by its name or id, however it stands; one that is gone already is fine."""
        self._remove(f"remove container {container[:12]}", container)

    def now(self) -> datetime.datetime:
        """Tell the engine's time, which is that of what it created."""
        # Up to nine digits of a fraction, of which datetime keeps six.
        return datetime.datetime.fromisoformat(self._get("ask the engine for its time", "/info")["SystemTime"])

    def relay(self, container: str, command: Sequence[str]) -> Relay:
        """Start a command (an argument list, no shell) inside a running container and speak HTTP with it."""
        doing = f"execute {command[0]} in {container}"
        execution = self._execution(doing, container, command, stdin=True)
        with translated(doing):
            return Relay(self._transport.hijack("POST", f"/exec/{execution}/start", _ATTACHED))

    def run(self, task: Task) -> tuple[int, str]:
        """Run a container to its end, remove it, and give its exit code and what it wrote."""
        doing = f"run {task.name}"
        try:
            self._create(doing, task.name, _task_body(task))
            self._act(doing, task.name, "start")
            code = int(self._ask(doing, "POST", f"/containers/{_part(task.name)}/wait").json()["StatusCode"])
            log = self._log(doing, task.name, "all")
        finally:
            self.discard(task.name)
        return code, log

    def execute(self, container: str, command: Sequence[str]) -> tuple[int, str]:
        """Run a command (an argument list, no shell) inside a container and give its exit code and what it wrote."""
        doing = f"execute {' '.join(command)} in {container}"
        execution = self._execution(doing, container, command)
        output = self._ask(doing, "POST", f"/exec/{execution}/start", _ATTACHED).data
        code = int(self._get(doing, f"/exec/{execution}/json")["ExitCode"])
        return code, unframe(output).decode(errors="replace")

    def start(self, container: str) -> None:
        """Start a container; one that runs already is fine."""
        self._act(f"start {container}", container, "start")

    def signal(self, container: str, signal: str) -> None:
        """Send a signal to a container's first process."""
        self._act(f"send {signal} to {container}", container, f"kill?{urlencode({'signal': signal})}")

    def restart(self, container: str) -> None:
        """Stop a container as it asks to be stopped, and start it again."""
        self._act(f"restart {container}", container, "restart")

    def pull(self, image: str, credentials: str = "") -> None:
        """Have the engine pull an image by tag or digest, `latest` without one; HostError has what the registry says.

        `credentials` are for its registry, as `load_credentials` gives them; empty is nobody's.
        """
        wanted = parse_reference(image)
        # Without a tag the engine would bring them all.
        query = {"fromImage": f"{wanted.registry}/{wanted.repository}", "tag": wanted.version or "latest"}
        headers = {"X-Registry-Auth": credentials} if credentials else {}
        refused = ""
        lines = self._transport.lines("POST", f"/images/create?{urlencode(query)}", _PULL_SILENCE_S, headers)
        with translated(f"pull {image}"), contextlib.closing(lines):
            # The status is sent before the first byte of the image, so whether it went well shows in the lines.
            for told in (json.loads(line) for line in lines if line.strip()):
                refused = str(told.get("error") or refused)
            if refused:
                raise HostError(refused)

    def image_identity(self, reference: str) -> ImageIdentity | None:
        """Tell which image a name, digest or whole id stands for; None if the engine has none.

        Names are asked for in full: the engine would take a short one for the beginning of an id.
        Its `digest` is the reference by which the registry of that name gives the same image again, if it came of one.
        """
        # With every message between Runyard's parts: who has no use for images does not wait for them.
        from runyard.contracts import ImageIdentity

        asked = reference if is_id(reference) else parse_reference(reference).text
        try:
            found = self._get(f"inspect image {reference}", f"/images/{quote(asked, safe='/:@')}/json")
        except NotFound:
            return None
        wanted = parse_reference(reference)
        digests = [each for each in found.get("RepoDigests") or () if parse_reference(each)[:2] == wanted[:2]]
        digests.sort(key=lambda each: parse_reference(each).version != wanted.version)
        return ImageIdentity(str(found["Id"]), digests[0] if digests else "")

    def registry_digest(self, image: str, credentials: str = "") -> str:
        """Ask the registry of an image which digest its name stands for, as `registry/repository@sha256:…`.

        HostError has what the registry, or the engine on the way to it, says. `credentials` are as for `pull`.
        """
        wanted = parse_reference(image)
        path = f"/distribution/{quote(wanted.text, safe='/:@')}/json"
        headers = {"X-Registry-Auth": credentials} if credentials else {}
        found = self._ask(f"ask the registry for {image}", "GET", path, headers=headers).json()
        return f"{wanted.registry}/{wanted.repository}@{found['Descriptor']['digest']}"

    def image(self, container: str) -> str | None:
        """Give the image of a running container, as it was named; None if none of this name runs."""
        try:
            found = self._inspect(container)
        except NotFound:
            return None
        return str(found["Config"]["Image"]) if found["State"]["Running"] else None

    def has_file(self, container: str, path: str) -> bool:
        """Say whether a container, running or not, has a file; NotFound if there is no container."""
        self._inspect(container)
        try:
            query = urlencode({"path": path})
            self._ask(f"look for {path} in {container}", "HEAD", f"/containers/{_part(container)}/archive?{query}")
        except NotFound:
            return False
        return True

    def last_lines(self, container: str, count: int) -> list[str]:
        """Give the last lines that a container wrote; none if there is no such container."""
        try:
            return self._log(f"read the log of {container}", container, str(count)).splitlines()
        except NotFound:
            return []

    def log(
        self, container: str, tail: int | None, *, follow: bool = False, since: str = ""
    ) -> Generator[LogLine, None, None]:
        """Give the last lines that a container wrote, and with `follow` each as it comes until it ends.

        Without a `tail` all of them; `since` is a time with an offset (RFC 3339). NotFound for one that is gone. Close
        it, if not all are read: it keeps a connection.
        """
        asked = {"stdout": 1, "stderr": 1, "timestamps": 1, "tail": "all" if tail is None else tail}
        moment = {"since": f"{datetime.datetime.fromisoformat(since).timestamp():.6f}"} if since else {}
        query = urlencode({**asked, "follow": int(follow), **moment})
        doing, lines = f"read the log of {container}", LogLines()
        with translated(doing):
            path = f"/containers/{_part(container)}/logs?{query}"
            with contextlib.closing(self._transport.pieces(path, silent=follow)) as pieces:
                for piece in pieces:
                    yield from lines.feed(piece)
            yield from lines.rest()

    def running(self, container: str) -> bool:
        """Say whether a container of this name exists and runs."""
        try:
            return bool(self._inspect(container)["State"]["Running"])
        except NotFound:
            return False

    def _ask(
        self,
        doing: str,
        method: str,
        path: str,
        body: object | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        with translated(doing):
            return self._transport.request(method, path, body, headers=headers or {}).checked()

    def _get(self, doing: str, path: str) -> Any:
        with translated(doing):
            return self._transport.request("GET", path).checked().json()

    def _act(self, doing: str, container: str, action: str) -> None:
        self._ask(doing, "POST", f"/containers/{_part(container)}/{action}")

    def _remove(self, doing: str, container: str) -> None:
        """Remove a container however it stands, with its anonymous volumes; it is gone then, whoever removed it."""
        path = f"/containers/{_part(container)}"
        with contextlib.suppress(NotFound):
            try:
                self._ask(doing, "DELETE", f"{path}?force=1&v=1")
            except Conflict:
                # Somebody else is about it, as an orchestrator that ends while the sweep begins.
                self._ask(doing, "POST", f"{path}/wait?condition=removed")

    def _inspect(self, container: str) -> Any:
        return self._get(f"inspect {container}", f"/containers/{_part(container)}/json")

    def _create(self, doing: str, name: str, body: Mapping[str, object]) -> str:
        with translated(doing):
            made = self._transport.request("POST", f"/containers/create?{urlencode({'name': name})}", body).checked()
            return str(made.json()["Id"])

    def _execution(self, doing: str, container: str, command: Sequence[str], *, stdin: bool = False) -> str:
        body = {"Cmd": list(command), "AttachStdin": stdin, "AttachStdout": True, "AttachStderr": True}
        return str(self._ask(doing, "POST", f"/containers/{_part(container)}/exec", body).json()["Id"])

    def _log(self, doing: str, container: str, tail: str) -> str:
        query = urlencode({"stdout": 1, "stderr": 1, "tail": tail})
        data = self._ask(doing, "GET", f"/containers/{_part(container)}/logs?{query}").data
        return unframe(data).decode(errors="replace")


def _task_body(task: Task) -> Mapping[str, object]:
    return {
        "Image": task.image,
        "Cmd": list(task.command),
        "Labels": dict(task.labels),
        "Env": [f"{name}={value}" for name, value in task.environment.items()],
        "HostConfig": {
            "NetworkMode": "host",
            "ReadonlyRootfs": True,
            "Tmpfs": {"/tmp": "rw,nosuid,nodev,mode=1777,size=16m", "/run": "rw,nosuid,nodev,size=4m"},  # noqa: S108
            "CapDrop": ["ALL"],
            "CapAdd": list(task.capabilities),
            "SecurityOpt": ["no-new-privileges"],
            "Memory": TASK_MEMORY_BYTES,
            "Binds": [f"{volume}:{path}" for volume, path in task.volumes.items()],
        },
    }


def _part(text: str) -> str:
    """Quote a name or id as one part of a path."""
    return quote(text, safe="")
