"""Stack of a test's own: an engine and an orchestrator that answer by hand, before a gateway that is a real server.

The gateway counts and logs what comes to it, as Runyard's does; `forgets` and `adds` are its defects.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from aiohttp import web

from runyard.codec import encode
from runyard.contracts import InstanceList, InstanceStatus, RecordedLoad, RequestLine, ServiceList, ServiceStatus
from tests.unit.runyard.host.docker_api import DockerApi, serve
from tests.unit.runyard.workload.server import Served, serving
from tests.unit.runyard.workload.test_audit import line

GATEWAY = "runyard.dev.gateway"


@dataclass
class LoadedStack(DockerApi):
    """An engine with one stack, `dev`, whose one service is `shop/web`."""

    hosts: tuple[str, ...] = ("web.shop.localhost",)
    port: int = 0
    # Requests that the gateway loses from its log, from the first on, and such as it counts beside those that came.
    forgets: int = 0
    adds: int = 0
    held_s: float = 0.0
    # So many times the orchestrator tells instances in no shape that anybody knows.
    breaks: int = 0
    lines: list[RequestLine] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__()
        self.answers[f"GET /containers/{GATEWAY}/json"] = {
            "State": {"Running": True},
            "Config": {"Image": "runyard/gateway:0123456789ab"},
        }

    def answer(self, asked: str, body: Any) -> tuple[int, Any]:
        if asked == "GET /info":
            now = time.time()
            at = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(now))
            return 200, {"SystemTime": f"{at}.{int(now % 1 * 1e9):09d}Z"}
        # grep's way to say that it has found nothing.
        self.exit_code = 0 if self.lines else 1
        return super().answer(asked, body)

    def attached(self, read: Any) -> Iterator[bytes]:
        command = self.commands[-1]
        if command[0] == "python3":
            yield from self._orchestrator(read)
        elif command[-1].endswith(".conf"):
            yield f'        listen "127.0.0.1:{self.port}" default_server backlog=4096;\n'.encode()
        else:
            yield "".join(f"{encode(each)}\n" for each in self.lines[self.forgets :]).encode()

    def _orchestrator(self, read: Any) -> Iterator[bytes]:
        while request := read.readline():
            for _ in iter(read.readline, b"\r\n"):
                pass
            body = encode(self._told(request.split()[1].decode())).encode()
            yield b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body)
        self.left.set()

    def _told(self, path: str) -> Any:
        if path == "/v1/services":
            return ServiceList((ServiceStatus("shop", "web", self.hosts, (), ()),))
        if path == "/v1/instances" and self.breaks:
            self.breaks -= 1
            return {"instances": "none"}
        if path == "/v1/instances":
            count = 1 if self.lines else 0
            return InstanceList(
                tuple(InstanceStatus("shop", "web", "web-1", f"i{number}", "ready") for number in range(count))
            )
        assert path == "/v1/recorded-load?service=shop/web", path
        counted = len(self.lines) + (self.adds if self.lines else 0)
        minutes = ((int(time.time()) // 60, counted, 0, counted),) if counted else ()
        return RecordedLoad("shop", "web", 0, int(time.time()), minutes)


@contextmanager
def loaded_stack(directory: Path, **defects: Any) -> Iterator[tuple[LoadedStack, Served]]:
    """Give a stack at the socket `docker.sock` of a directory, and the server that stands for its gateway."""
    stack = LoadedStack(**defects)

    async def answer(number: int, request: web.Request) -> web.StreamResponse:
        status = 503 if request.path == "/fail" else 200
        at = {"unix_s": time.time(), "path": request.path, "method": request.method}
        logged = json.loads(encode(line(number, status, stack.held_s if number == 0 else 0.0))) | at
        stack.lines.append(RequestLine(**logged))
        return web.Response(status=status, text="hello", headers={"X-Request-Id": f"{number:032x}"})

    with serving(answer) as served, serve(stack, directory / "docker.sock"):
        stack.port = served.port
        yield stack, served
