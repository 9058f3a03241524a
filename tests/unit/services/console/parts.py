"""The parts that the console reads, as servers of the test's own that speak in the real ones' contracts."""

from __future__ import annotations

import json
import socketserver
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

from runyard.contracts import (
    DecisionList,
    InstanceList,
    InstanceStatus,
    OrchestratorStatus,
    RevisionStatus,
    ScalingDecision,
    ServiceStatus,
    TrafficShare,
    encode,
)


def service(tenant: str, name: str, **more: object) -> ServiceStatus:
    revision = f"{name}-1"
    made: dict[str, object] = {
        "hosts": (f"{name}.{tenant}.localhost",),
        "uses": (),
        "traffic": (TrafficShare(revision, 100),),
        "history": (revision,),
        **more,
    }
    return ServiceStatus(tenant, name, **made)  # type: ignore[arg-type]


@dataclass
class World:
    """What the parts say; a test changes it."""

    services: tuple[ServiceStatus, ...] = (service("shop", "web"), service("bank", "vault"))
    revisions: tuple[RevisionStatus, ...] = (
        RevisionStatus("shop", "web", "web-1", desired=2, ready=2),
        RevisionStatus("bank", "vault", "vault-1", desired=1, ready=0, reason="it exited with code 1"),
    )
    instances: tuple[InstanceStatus, ...] = (
        InstanceStatus("shop", "web", "web-1", "19a3c1", "ready"),
        InstanceStatus("bank", "vault", "vault-1", "77aa00", "failed"),
    )
    decisions: tuple[ScalingDecision, ...] = (
        ScalingDecision("shop", "web", "web-1", 1, 1795438800.0, 1, 2, "load", "2 instances: 14 requests at once"),
        ScalingDecision("bank", "vault", "vault-1", 2, 1795438800.0, 0, 1, "minimum", "1 instance: the minimum"),
    )
    # What each row of the ledger's reports has beside tenant, service and day.
    tenants: tuple[str, ...] = ("shop", "bank")
    ledger_status: int = 200
    prometheus_status: int = 200
    asked: list[str] = field(default_factory=list)

    def answer(self, target: str) -> tuple[int, str]:
        """Answer as orchestrator, exporter and statements do."""
        self.asked.append(target)
        parts = urlsplit(target)
        query = {key: values[0] for key, values in parse_qs(parts.query).items()}
        listed = {
            "/v1/status": lambda: OrchestratorStatus(12, True, self.services, self.revisions),
            "/v1/instances": lambda: InstanceList(self.instances),
            "/v1/decisions": lambda: DecisionList(self.decisions),
        }
        if parts.path in listed:
            return 200, encode(listed[parts.path]())
        if parts.path == "/api/v1/query_range":
            return self.prometheus_status, self._matrix(query)
        if self.ledger_status != 200:
            return self.ledger_status, json.dumps({"status": self.ledger_status, "detail": "the ledger says no"})
        if parts.path in ("/v1/cost", "/v1/usage"):
            return 200, self._report(parts.path, query)
        tenant, month = parts.path.split("/")[3::2]
        if tenant not in self.tenants:
            return 404, json.dumps({"status": 404, "detail": f"tenant {tenant}: must be one of which …"})
        bill = {"number": 7, "kind": "invoice", "total": "12.40", "lines": []}
        told = {"tenant": tenant, "month": month, "currency": "USD", "total": "12.40", "pending": "0.00"}
        return 200, json.dumps({**told, "bills": [bill], "days": [], "version": 1})

    def _matrix(self, query: dict[str, str]) -> str:
        """Answer as Prometheus does: one series, whose last value is a number and the one before is none."""
        end, step = int(query["end"]), int(query["step"])
        series = {"metric": {"code": "200"}, "values": [[end - step, "NaN"], [end, "2.5"]]}
        return json.dumps({"status": "success", "data": {"resultType": "matrix", "result": [series]}})

    def _report(self, path: str, query: dict[str, str]) -> str:
        more = {"amount": "0.600000", "currency": "USD"} if path == "/v1/cost" else {"requests": 120}
        wanted = query["tenant"]
        rows = [
            {"tenant": wanted, "service": name, "day": query["from"], **more}
            for tenant, name in (("shop", "web"), ("bank", "vault"))
            if tenant == wanted
            for _ in range(2)
        ]
        # A row a page, so that whoever reads pages is seen to go on.
        offset = int(query["offset"])
        return json.dumps({"total": len(rows), "rows": rows[offset : offset + 1]})


class _Unix(socketserver.ThreadingUnixStreamServer):
    daemon_threads = True

    def get_request(self) -> tuple[object, object]:  # type: ignore[override]
        request, _ = super().get_request()
        return request, ("unix", 0)


@contextmanager
def serving(world: World, directory: Path) -> Iterator[tuple[int, Path]]:
    """Serve a world on a port of the loopback and on a socket in a directory."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            status, text = world.answer(self.path)
            body = text.encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            pass

    path = directory / "statements.sock"
    with ExitStack() as stack:
        tcp = stack.enter_context(ThreadingHTTPServer(("127.0.0.1", 0), Handler))
        for server in (tcp, stack.enter_context(_Unix(str(path), Handler))):
            thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
            thread.start()
            stack.callback(thread.join)
            stack.callback(server.shutdown)
        yield tcp.server_address[1], path
