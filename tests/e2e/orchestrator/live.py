"""A real orchestrator on the real engine, with a gateway that only keeps what it is sent."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any, Self
from uuid import uuid4

import aiohttp
import docker
import docker.errors
from aiohttp import web
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from docker.models.containers import Container
from docker.models.volumes import Volume
from docker.types import IPAMConfig, IPAMPool

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


class RecordingGateway:
    """The gateway's admin port, keeping what it is sent."""

    def __init__(self) -> None:
        self.snapshot: dict[str, Any] = {"generation": 0, "endpoints": {}, "callers": {}, "services": {}}

    async def serve(self, path: Path) -> web.AppRunner:
        app = web.Application()
        app.router.add_get("/v1/snapshot", self._get)
        app.router.add_put("/v1/snapshot", self._put)
        app.router.add_patch("/v1/snapshot", self._patch)
        app.router.add_get("/v1/inflight/{address}", self._in_flight)
        runner = web.AppRunner(app)
        await runner.setup()
        await web.UnixSite(runner, str(path)).start()
        return runner

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

    def __init__(self, directory: Path, subnet: str, *, launcher: bool = False) -> None:
        self.docker = docker.from_env()
        self.stack = f"e2e-{uuid4().hex[:8]}"
        self.network = names.tenant_network(self.stack, "default")
        self.gateway = RecordingGateway()
        self._subnet = subnet
        self._launcher = launcher
        self._key = Ed25519PrivateKey.generate()
        self._documents: dict[str, RevisionDocument] = {}
        self._directory = directory
        self._port = free_port()
        self._process: asyncio.subprocess.Process | None = None

    def _bring_launcher(self) -> None:
        """Build the launcher and put its directory where instances mount it, as an installation has it."""
        go = shutil.which("go") or "/usr/local/go/bin/go"
        environment = {**os.environ, "CGO_ENABLED": "0", "GOFLAGS": "-buildvcs=false", "GOWORK": "off"}
        command = [go, "build", "-trimpath", "-o", str(self._directory / "launch"), "."]
        subprocess.run(command, cwd=ROOT / "services" / "launcher", env=environment, check=True)
        (self._directory / "launcher").mkdir(exist_ok=True)
        self.docker.volumes.create(
            names.platform_volume(self.stack, "launcher"),
            labels={names.STACK: self.stack},
            driver_opts={"type": "none", "o": "bind", "device": str(self._directory / "launcher")},
        )

    async def __aenter__(self) -> Self:
        pool = IPAMPool(subnet=self._subnet)
        self.docker.networks.create(
            self.network,
            labels={names.STACK: self.stack},
            options={"com.docker.network.bridge.enable_icc": "false"},
            ipam=IPAMConfig(pool_configs=[pool]),
        )
        if self._launcher:
            self._bring_launcher()
        self._runner = await self.gateway.serve(self._directory / "admin.sock")
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.kill()
        await self._runner.cleanup()
        # The engine may still carry out what the killed orchestrator asked of it: make a container, or remove one.
        await until(self._cleared, 30)
        self.docker.close()

    def _cleared(self) -> bool:
        """Remove what carries the stack's label; True when the network went too, which nothing can join any more."""
        for container in self.containers(all=True):
            with contextlib.suppress(docker.errors.APIError):
                container.remove(force=True)
        try:
            for volume in self.volumes():
                volume.remove()
            for network in self.docker.networks.list(filters={"label": f"{names.STACK}={self.stack}"}):
                network.remove()
        except docker.errors.APIError:
            return False
        return self.containers(all=True) == []

    async def start(self) -> None:
        """Start the orchestrator and wait until its control socket answers."""
        environment = {
            **os.environ,
            "RUNYARD_STACK": self.stack,
            "RUNYARD_HTTP_ADDRESS": f"127.0.0.1:{self._port}",
            "RUNYARD_ORCHESTRATOR_DIRECTORY": str(self._directory / "own"),
            "RUNYARD_GATEWAY_DIRECTORY": str(self._directory),
            "RUNYARD_LAUNCHER_DIRECTORY": str(self._directory / "launcher"),
            "RUNYARD_LAUNCHER_PROGRAM": str(self._directory / "launch"),
            "RUNYARD_PUBLIC_KEY": base64.b64encode(self._key.public_key().public_bytes_raw()).decode(),
        }
        command = (sys.executable, "-m", "services.orchestrator")
        with (self._directory / "log").open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(*command, cwd=ROOT, env=environment, stdout=log)
        await until(lambda: self._answers(), 10)

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

    def volumes(self, role: str = "") -> list[Volume]:
        """Give the volumes of this stack."""
        label = f"{names.ROLE}={role}" if role else f"{names.STACK}={self.stack}"
        found = self.docker.volumes.list(filters={"label": label})
        return [each for each in found if each.attrs["Labels"][names.STACK] == self.stack]

    def containers(self, *, all: bool = False) -> list[Container]:
        """Give the containers of this stack."""
        label = {"label": f"{names.STACK}={self.stack}"}
        return list(self.docker.containers.list(all=all, ignore_removed=True, filters=label))


def container(name: str = "app", command: tuple[str, ...] = SERVE, **fields: Any) -> ContainerDocument:
    """Describe a container of a document."""
    return ContainerDocument(name, IMAGE, **{"command": command, "memory_bytes": 64 * MIB, "pids_limit": 64, **fields})


async def until(condition: Any, seconds: float) -> None:
    """Wait until a condition holds; the engine is real, so there is nothing to wait for but the world."""
    async with asyncio.timeout(seconds):
        while True:
            answer = condition()
            if await answer if asyncio.iscoroutine(answer) else answer:
                return
            await asyncio.sleep(0.02)
