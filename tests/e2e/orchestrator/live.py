"""A real orchestrator on the real engine, with a gateway that only keeps what it is sent."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
import os
import random
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self
from uuid import uuid4

import aiohttp
from aiohttp import web
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from runyard import names
from runyard.contracts import (
    ContainerDocument,
    GatewayDelta,
    GatewaySnapshot,
    RevisionDocument,
    RolloutRequest,
    RouteRequest,
    ServiceRequest,
    SignedRevision,
    TrafficShare,
    decode,
    encode,
)
from tests.harness.ports import free_port
from tests.harness.programs import build_go
from tests.harness.stack import docker
from tests.harness.waiting import until_async
from tests.unit.services.orchestrator.fake_gateway import amended

IMAGE = "debian:bookworm-slim"
ROOT = Path(__file__).parents[3]
# A server in Perl, which Debian's smallest image has: it answers, and ends at once when it is told to.
SERVER = (
    "use IO::Socket::INET; $|=1; print qq(listening\\n); $SIG{TERM}=sub{print qq(stopping\\n); exit 0};"
    "my $s=IO::Socket::INET->new(LocalPort=>8080,Listen=>50,ReuseAddr=>1) or die;"
    "while(1){my $c=$s->accept or next; <$c>;"
    "print $c qq(HTTP/1.1 200 OK\\r\\nContent-Length: 3\\r\\nConnection: close\\r\\n\\r\\nok\\n); close $c}"
)
SERVE = ("perl", "-e", SERVER)
MIB = 1024 * 1024


@dataclass(frozen=True)
class Seen:
    """A container as the engine's own command shows it, which shares no code with the orchestrator."""

    attrs: Mapping[str, Any]

    @property
    def id(self) -> str:
        return str(self.attrs["Id"])

    @property
    def name(self) -> str:
        return str(self.attrs["Name"]).lstrip("/")

    @property
    def labels(self) -> Mapping[str, str]:
        return dict(self.attrs["Config"]["Labels"])

    @property
    def status(self) -> str:
        return str(self.attrs["State"]["Status"])

    def run(self, *command: str) -> tuple[int, str]:
        """Run a command in it, and give its exit code and its output."""
        done = subprocess.run(["docker", "exec", self.id, *command], capture_output=True, text=True, check=False)
        return done.returncode, done.stdout + done.stderr


class RecordingGateway:
    """The gateway's admin port, keeping what it is sent."""

    def __init__(self) -> None:
        self._runner: web.AppRunner | None = None
        self.snapshot: dict[str, Any] = {"generation": 0, "endpoints": {}, "callers": {}, "services": {}}

    async def start(self, path: Path) -> None:
        app = web.Application()
        app.router.add_get("/v1/snapshot", self._get)
        app.router.add_put("/v1/snapshot", self._put)
        app.router.add_patch("/v1/snapshot", self._patch)
        app.router.add_get("/v1/inflight/{address}", self._in_flight)
        self._runner = web.AppRunner(app)
        await self._runner.setup()
        await web.UnixSite(self._runner, str(path)).start()

    async def close(self) -> None:
        if self._runner is not None:
            await self._runner.cleanup()

    async def _get(self, _: web.Request) -> web.Response:
        return web.json_response({"generation": self.snapshot["generation"]})

    async def _put(self, request: web.Request) -> web.Response:
        snapshot = await request.json()
        if snapshot["generation"] <= self.snapshot["generation"]:
            return web.json_response({}, status=409)
        self.snapshot = snapshot
        return web.json_response({"generation": snapshot["generation"]})

    async def _patch(self, request: web.Request) -> web.Response:
        delta = decode(GatewayDelta, await request.text())
        if delta.base != self.snapshot["generation"]:
            return web.json_response({}, status=409)
        before = decode(GatewaySnapshot, json.dumps(self.snapshot))
        self.snapshot = json.loads(encode(amended(before, delta)))
        return web.json_response({"generation": delta.generation})

    async def _in_flight(self, _: web.Request) -> web.Response:
        return web.json_response({"inflight": 0})

    def addresses(self, revision: str) -> list[str]:
        return list(self.snapshot["endpoints"].get(f"default/{revision}", {}).get("addresses", []))


class Live:
    """The orchestrator as a process of its own, so that it can be killed; everything it makes goes at the end."""

    def __init__(self, directory: Path, *, launcher: bool = False) -> None:
        self.stack = f"e2e-{uuid4().hex[:8]}"
        self.network = names.tenant_network(self.stack, "default")
        self.gateway = RecordingGateway()
        self._launcher = launcher
        self._key = Ed25519PrivateKey.generate()
        self._documents: dict[str, RevisionDocument] = {}
        self._directory = directory
        self._port = free_port()
        self._process: asyncio.subprocess.Process | None = None

    def _bring_launcher(self) -> None:
        """Build the launcher and put its directory where instances mount it, as an installation has it."""
        build_go(ROOT / "services" / "launcher", self._directory / "launch")
        (self._directory / "launcher").mkdir(exist_ok=True)
        options = ("type=none", "o=bind", f"device={self._directory / 'launcher'}")
        given = (word for each in options for word in ("--opt", each))
        docker("volume", "create", *self._label, *given, names.platform_volume(self.stack, "launcher"))

    async def __aenter__(self) -> Self:
        alone = ("--opt", "com.docker.network.bridge.enable_icc=false")
        docker("network", "create", *self._label, *alone, "--subnet", drawn_subnet(), self.network)
        try:
            if self._launcher:
                self._bring_launcher()
            await self.gateway.start(self._directory / "admin.sock")
            await self.start()
        except BaseException:
            # What does not begin has no end that anybody would call.
            await self.__aexit__()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.kill()
        await self.gateway.close()
        # The engine may still carry out what the killed orchestrator asked of it: make a container, or remove one.
        await until_async(self._cleared, within_s=30)

    def _cleared(self) -> bool:
        """Remove what carries the stack's label; True when the network went too, which nothing can join any more."""
        for each in self._ids("ps", "--all"):
            with contextlib.suppress(AssertionError):
                docker("rm", "--force", "--volumes", each)
        try:
            for kind in ("volume", "network"):
                for each in self._ids(kind, "ls"):
                    docker(kind, "rm", each)
        except AssertionError:
            return False
        return self._ids("ps", "--all") == []

    @property
    def _label(self) -> tuple[str, str]:
        return "--label", f"{names.STACK}={self.stack}"

    def _ids(self, *listing: str, role: str = "") -> list[str]:
        filters = [f"label={names.STACK}={self.stack}", *([f"label={names.ROLE}={role}"] if role else [])]
        return docker(*listing, "--quiet", *(word for each in filters for word in ("--filter", each))).split()

    async def start(self) -> None:
        """Start the orchestrator and wait until its control socket answers."""
        environment = {
            **os.environ,
            "RUNYARD_STACK": self.stack,
            "RUNYARD_HTTP_ADDRESS": f"127.0.0.1:{self._port}",
            "RUNYARD_ORCHESTRATOR_DIRECTORY": str(self._directory / "own"),
            "RUNYARD_GATEWAY_DIRECTORY": str(self._directory),
            "RUNYARD_LAUNCHER_DIRECTORY": str(self._directory / "launcher"),
            "RUNYARD_REGISTRY_DIRECTORY": str(self._directory / "own"),
            "RUNYARD_LAUNCHER_PROGRAM": str(self._directory / "launch"),
            "RUNYARD_PUBLIC_KEY": base64.b64encode(self._key.public_key().public_bytes_raw()).decode(),
        }
        # With as many descriptors as a program usually has, so that a leak of them shows.
        command = ("prlimit", "--nofile=1024", sys.executable, "-m", "services.orchestrator")
        with (self._directory / "log").open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(*command, cwd=ROOT, env=environment, stdout=log)
        await until_async(self._answers)

    async def _answers(self) -> bool:
        try:
            return (await self.ask("GET", "/v1/status"))[0] == 200
        except aiohttp.ClientError:
            return False

    async def kill(self) -> None:
        """Kill the orchestrator as a crash does."""
        if self._process is not None and self._process.returncode is None:
            self._process.kill()
            await self._process.wait()

    async def ask(self, method: str, path: str, message: Any = None) -> tuple[int, dict[str, Any]]:
        """Ask over the control socket, as `docker exec curl` does."""
        connector = aiohttp.UnixConnector(str(self._directory / "own" / "control.sock"))
        async with aiohttp.ClientSession(connector=connector) as session:
            data = encode(message) if message is not None else None
            async with session.request(method, f"http://orchestrator{path}", data=data) as response:
                return response.status, json.loads(await response.text())

    async def roll_out(self, revision: str, deadline_s: int = 30) -> dict[str, Any]:
        """Give all traffic of the service to a revision, and give the outcome."""
        rollout = RolloutRequest("default", "hello", (TrafficShare(revision, 100),), deadline_s)
        signed = tuple(map(self._sign, reversed(self._documents.values())))
        request = ServiceRequest(RouteRequest("default", "hello", ()), rollout, signed)
        status, accepted = await self.ask("PUT", "/v1/services/default/hello", request)
        assert status == 202, accepted
        last = 0
        while True:
            _, told = await self.ask("GET", f"/v1/rollouts?after={last}&wait=30")
            for outcome in told["outcomes"]:
                if outcome["rollout"] == accepted["rollout"]:
                    return dict(outcome)
            last = told["last"]

    def _sign(self, document: RevisionDocument) -> SignedRevision:
        text = encode(document)
        return SignedRevision(text, base64.b64encode(self._key.sign(text.encode())).decode())

    def add(self, revision: str, *containers: ContainerDocument, grace_s: int = 3, **fields: Any) -> None:
        """Have a document for the next update."""
        self._documents[revision] = RevisionDocument(
            stack=self.stack,
            tenant="default",
            service="hello",
            name=revision,
            identity=revision,
            digest=names.digest(revision),
            network=self.network,
            gateway_address="",
            containers=containers or (container(),),
            termination_grace_s=grace_s,
            **fields,
        )

    def lose_volume(self) -> None:
        """Lose all that the orchestrator kept; the gateway has its snapshot."""
        shutil.rmtree(self._directory / "own")
        (self._directory / "state").mkdir()
        (self._directory / "state" / "snapshot.json").write_text(json.dumps(self.gateway.snapshot))

    async def status(self) -> dict[str, Any]:
        """Give the orchestrator's status."""
        return (await self.ask("GET", "/v1/status"))[1]

    @property
    def port(self) -> int:
        """The port that the orchestrator shows its status on."""
        return self._port

    def volumes(self, role: str = "") -> list[str]:
        """Name the volumes of this stack."""
        return self._ids("volume", "ls", role=role)

    def containers(self, *, all: bool = False) -> list[Seen]:
        """Show the containers of this stack, the youngest first."""
        ids = self._ids("ps", "--no-trunc", *(["--all"] if all else []))
        # One may go between the list and the look at it.
        shown = subprocess.run(["docker", "inspect", *ids], capture_output=True, text=True, check=False).stdout
        return [Seen(each) for each in json.loads(shown)] if ids else []


def drawn_subnet() -> str:
    """Draw a subnet outside Docker's own pools and the plan's: two runs on one machine must not share one."""
    number = random.SystemRandom().randrange(2**12)
    return f"10.77.{number >> 4}.{(number & 15) << 4}/28"


def container(name: str = "app", command: tuple[str, ...] = SERVE, **fields: Any) -> ContainerDocument:
    """Describe a container of a document."""
    return ContainerDocument(name, IMAGE, **{"command": command, "memory_bytes": 64 * MIB, "pids_limit": 64, **fields})
