"""The gateway as a running nginx on free ports, and the snapshots and requests that tests send it."""

from __future__ import annotations

import json
import os
import pwd
import socket
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

from runyard.contracts import GatewayEndpoints, GatewayService, GatewaySnapshot, TrafficShare, encode
from runyard.gateway import GatewayConfig, Listener, render
from tests.harness.client import Answer, answer_of, ask, connect
from tests.harness.ports import free_ports
from tests.harness.programs import nginx
from tests.harness.waiting import PATIENCE_S, SLACK_S, until

LUA = Path(__file__).resolve().parents[4] / "services" / "gateway" / "lua"
# nginx counts whole milliseconds from when its turn of the loop began, which is before it does what is timed.
CLOCK_S = 0.05
TENANT = "default"


def assert_lasted(elapsed_s: float, expected_s: float) -> None:
    """Assert that something took the time that the gateway gave it."""
    assert expected_s - CLOCK_S <= elapsed_s < expected_s + SLACK_S


def settled(gateway: Gateway) -> None:
    until(lambda: gateway.inflight() == {}, "every count is given back")


def service(*traffic: tuple[str, int] | tuple[str, int, str], **fields: Any) -> GatewayService:
    """Describe a service by its shares: (revision, percent) or (revision, percent, tag)."""
    return GatewayService(traffic=tuple(TrafficShare(*share) for share in traffic), **fields)


def endpoints(*ports: int, concurrency: int = 80, **fields: Any) -> GatewayEndpoints:
    return GatewayEndpoints(tuple(f"127.0.0.1:{port}" for port in ports), concurrency=concurrency, **fields)


@dataclass
class Gateway:
    """A gateway in a directory of its own; `snapshot` is what was pushed last."""

    directory: Path
    config: GatewayConfig
    process: subprocess.Popen[bytes] | None = None
    # What nginx's command is put behind.
    wrapper: tuple[str, ...] = ()
    snapshot: GatewaySnapshot = field(default_factory=lambda: GatewaySnapshot(0))

    @property
    def edge_port(self) -> int:
        return int(self.config.listeners[0].address.rpartition(":")[2])

    @property
    def tls_port(self) -> int:
        (listener,) = [each for each in self.config.listeners if each.tls]
        return int(listener.address.rpartition(":")[2])

    @property
    def internal_port(self) -> int:
        return int(self.config.listeners[1].address.rpartition(":")[2])

    @property
    def h2c_port(self) -> int:
        """Where the edge takes HTTP/2; for a gateway with a third listener."""
        return int(self.config.listeners[2].address.rpartition(":")[2])

    @property
    def state(self) -> Path:
        return Path(self.config.state_file)

    def configuration(self) -> str:
        """Give nginx.conf."""
        return render(self.config)

    def start(self) -> None:
        path = self.directory / "nginx.conf"
        path.write_text(self.configuration())
        # What the entrypoint does: a killed nginx leaves its sockets.
        for each in (self.config.admin_socket, self.config.metrics_socket):
            Path(each).unlink(missing_ok=True)
        with (self.directory / "error.log").open("ab") as errors:
            self.process = subprocess.Popen([*self.wrapper, nginx(), "-c", str(path)], stderr=errors)
        until(self._answers, f"nginx answers: {self.errors()}")

    def _answers(self) -> bool:
        assert self.process is not None
        assert self.process.poll() is None, self.errors()
        try:
            return self.admin("GET", "/healthz").status == 200
        except OSError:
            return False

    def stop(self, *, kill: bool = False) -> None:
        if self.process is not None:
            children = self.workers()
            if kill:
                self.process.kill()
                for child in children:
                    os.kill(child, 9)
            else:
                self.process.terminate()
            self.process.wait(PATIENCE_S)
            self.process = None

    def errors(self) -> str:
        path = self.directory / "error.log"
        return path.read_text() if path.exists() else ""

    def workers(self) -> list[int]:
        """Give the processes of the workers."""
        assert self.process is not None
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children")
        return [int(child) for child in children.read_text().split()]

    def processor_s(self) -> float:
        """Give the processor time that the workers have used so far."""
        fields = [Path(f"/proc/{child}/stat").read_text().rsplit(")", 1)[1].split() for child in self.workers()]
        return sum(int(each[11]) + int(each[12]) for each in fields) / os.sysconf("SC_CLK_TCK")

    def requests(self, count: int) -> list[dict[str, Any]]:
        """Wait for this many lines in the request log and give them."""
        path = Path(self.config.request_log)
        until(lambda: path.exists() and path.read_bytes().count(b"\n") >= count, f"{count} requests are logged")
        return [json.loads(line) for line in path.read_text().splitlines()]

    def admin(self, method: str, path: str, body: str | bytes | None = None) -> Answer:
        return ask(Path(self.config.admin_socket), path, method, body)

    def push(self, **changes: Any) -> None:
        """Put the last snapshot in force with these sections replaced."""
        self.snapshot = replace(self.snapshot, generation=self.snapshot.generation + 1, **changes)
        answer = self.admin("PUT", "/v1/snapshot", encode(self.snapshot))
        assert (answer.status, answer.json()) == (200, {"generation": self.snapshot.generation})

    def keep(self) -> None:
        """Wait until the file has what is in force: it is written after the answer."""
        until(lambda: self.kept() == self.admin("GET", "/healthz").json()["generation"], "the snapshot is kept")

    def kept(self) -> int:
        return int(self.admin("GET", "/v1/snapshot").json()["kept"])

    def serve(self, *ports: int, concurrency: int = 80, **fields: Any) -> None:
        """Push one service, `hello` at hello.localhost, with its only revision at these ports."""
        self.push(
            services={"default/hello": service(("hello-1", 100), **fields)},
            hosts={"hello.localhost": "default/hello"},
            endpoints={"default/hello-1": endpoints(*ports, concurrency=concurrency)},
        )

    def inflight(self) -> dict[str, int]:
        return dict(self.admin("GET", "/v1/inflight").json()["inflight"])

    @contextmanager
    def connect(self, source: str = "") -> Iterator[HTTPConnection]:
        """Connect to the edge, or from this source address to the internal listener."""
        with connect(self.internal_port if source else self.edge_port, source) as connection:
            yield connection

    def request(
        self,
        method: str = "GET",
        path: str = "/",
        *,
        host: str = "hello.localhost",
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
        source: str = "",
    ) -> Answer:
        with self.connect(source) as connection:
            connection.request(method, path, body, {"Host": host, **(headers or {})})
            return answer_of(connection.getresponse())

    def raw(self, text: str, *, half_close: bool = True) -> bytes:
        """Send bytes as they are to the edge and give all that comes back until it closes.

        To nginx, a client that has closed its half has gone away; only what it answers at once still comes back.
        """
        with socket.create_connection(("127.0.0.1", self.edge_port), PATIENCE_S) as client:
            client.sendall(text.encode("latin-1"))
            if half_close:
                client.shutdown(socket.SHUT_WR)
            return b"".join(iter(lambda: client.recv(65536), b""))


def make_gateway(directory: Path, **settings: Any) -> Gateway:
    """Prepare a gateway that has not been started."""
    (directory / "state").mkdir()
    (directory / "requests").mkdir()
    (directory / "tmp" / "cache").mkdir(parents=True)
    edge, internal = free_ports(2)
    defaults: dict[str, Any] = {
        "listeners": (Listener("edge", f"127.0.0.1:{edge}"), Listener("internal", f"127.0.0.1:{internal}")),
        # Two, so that what must hold across workers is tried across workers.
        "workers": 2,
        "worker_connections": 1024,
        "directory": str(directory),
        "temporary_directory": str(directory / "tmp"),
        "lua_directory": str(LUA),
        # Workers of another user could not enter the directory of a test.
        "user": pwd.getpwuid(os.getuid()).pw_name,
        "requests_directory": str(directory / "requests"),
    }
    return Gateway(directory, GatewayConfig(**{**defaults, **settings}))
