"""Probes: one try of a TCP, HTTP, gRPC or command check; an empty answer means that it passed."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

import aiohttp

from runyard.contracts import ContainerDocument, Probe
from runyard.errors import HostError, HostUnreachable
from runyard.readable import readable
from services.orchestrator.engine.port import Engine
from services.orchestrator.health.grpc_health import check_grpc
from services.orchestrator.model.launch import launched


@dataclass(frozen=True, slots=True)
class Target:
    """What is probed: a container and its document, its instance's address and the port that receives requests."""

    container: str
    address: str
    port: int
    document: ContainerDocument


# Programs made for Kubernetes tell probes by how kubelet's begins (kubernetes, pkg/probe/http/request.go).
USER_AGENT = "kube-probe/1.34 (runyard)"
# Enough of what an instance says to see why; a gRPC server's reason alone may have kilobytes.
SEEN_LENGTH = 500


class ProbeRunner:
    """Runs single tries; nothing it does depends on earlier ones.

    `input_of` gives what commands in a container have on their standard input: the secrets that it has.
    """

    def __init__(self, engine: Engine, input_of: Callable[[ContainerDocument], str]) -> None:
        self._engine = engine
        self._input_of = input_of
        self._session: aiohttp.ClientSession | None = None

    async def attempt(self, probe: Probe, target: Target) -> str | None:
        """Try once within the probe's timeout: empty if it passed, else what was seen; None if it could not be tried.

        What was seen has words of the instance's: what it answered instead of HTTP, or its gRPC server's reason.

        A command runs through the engine, and an engine that is away says nothing about the container.
        """
        try:
            async with asyncio.timeout(probe.timeout_s):
                return readable((await self._try(probe, target))[:SEEN_LENGTH])
        except TimeoutError:
            if probe.kind == "exec" and not await self._engine_answers():
                return None
            return f"{describe(probe, target)}: no answer in {probe.timeout_s} s"
        except HostUnreachable:
            return None

    async def _engine_answers(self) -> bool:
        try:
            await self._engine.ping()
        except HostError:
            return False
        return True

    async def _try(self, probe: Probe, target: Target) -> str:
        where = describe(probe, target)
        port = probe.port or target.port
        try:
            if probe.kind == "tcp":
                _, writer = await asyncio.open_connection(target.address, port)
                writer.close()
                return ""
            if probe.kind == "http":
                return await self._try_http(probe, target.address, port, where)
            if probe.kind == "grpc":
                problem = await check_grpc(f"{target.address}:{port}", probe.service)
                return f"{where}: {problem}" if problem else ""
            told = self._input_of(target.document)
            code = await self._engine.run(target.container, launched(target.document, probe.command), told)
            return f"{where}: exit code {code}" if code else ""
        except (HostUnreachable, TimeoutError):
            # Both are also of a kind below, but say nothing of the container or are the caller's to tell.
            raise
        except (OSError, aiohttp.ClientError, HostError) as error:
            return f"{where}: {_cause(error)}"

    async def _try_http(self, probe: Probe, address: str, port: int, where: str) -> str:
        if self._session is None:
            # A connection for each try, as Kubernetes does: a kept one would hide that nobody accepts any more.
            self._session = aiohttp.ClientSession(connector=aiohttp.TCPConnector(force_close=True, limit=0))
        own = () if any(name.lower() == "user-agent" for name, _ in probe.headers) else (("User-Agent", USER_AGENT),)
        headers = dict((*own, *probe.headers))
        url = f"http://{address}:{port}{probe.path}"
        async with self._session.get(url, headers=headers, allow_redirects=False) as response:
            passed = 200 <= response.status < 400
            return "" if passed else f"{where}: answered {response.status}"

    async def close(self) -> None:
        """Close the connections."""
        if self._session is not None:
            await self._session.close()


def describe(probe: Probe, target: Target) -> str:
    """Describe a probe as a person would look for it in the manifest."""
    port = probe.port or target.port
    details = {
        "tcp": f"tcp :{port}",
        "http": f"http :{port}{probe.path}",
        "grpc": f"grpc :{port} {probe.service}".rstrip(),
        "exec": f"command {' '.join(probe.command)[:80]}",
    }
    return details[probe.kind]


def _cause(error: Exception) -> str:
    if isinstance(error, ConnectionRefusedError | aiohttp.ClientConnectorError):
        # The operating system's own text repeats address and port, which are said already.
        return "connection refused" if _refused(error) else str(error)
    return str(error) or type(error).__name__


def _refused(error: Exception) -> bool:
    inner = getattr(error, "os_error", error)
    return isinstance(inner, ConnectionRefusedError)
