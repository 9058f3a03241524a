"""Stories for the meter's tests: instances, lines and readings, in few words."""

from __future__ import annotations

import json
from typing import Any

from runyard.cgroups import Counters
from runyard.contracts import ContainerStatus, InstanceStatus, UsageWindow

# A whole minute.
START = 1_795_435_200_000
MINUTE = 60_000
SECOND = 1_000
LINE: dict[str, Any] = {
    "version": 1, "time": "2026-11-23T12:00:00+00:00", "request_id": "", "listener": "edge", "client": "127.0.0.1",
    "caller": "", "host": "web.localhost", "tenant": "shop", "service": "web", "revision": "web-1",
    "instance": "10.0.0.2:8080", "method": "GET", "path": "/", "status": 200, "bytes_in": 100, "bytes_out": 1000,
    "duration_s": 0.050, "instances": "10.0.0.2:8080", "connect_s": "0.000", "header_s": "0.050", "response_s": "0.050",
    "retries": 0, "held_s": 0.0,
}  # fmt: skip


def line(at_ms: int, **fields: Any) -> bytes:
    """Write a line of a request that ended then."""
    return json.dumps({**LINE, "unix_s": at_ms / 1000, "request_id": f"r{at_ms}", **fields}).encode()


def container(id_: str = "c1", started_ms: int = START, *, serving: bool = True, name: str = "app") -> ContainerStatus:
    return ContainerStatus(id_, name, started_ms, 500, 128 * 1024**2, serving)


def instance(
    *containers: ContainerStatus, id_: str = "a1", address: str = "10.0.0.2", revision: str = "web-1"
) -> InstanceStatus:
    given = containers or (container(),)
    return InstanceStatus("shop", "web", revision, id_, "ready", address, containers=given)


def counters(cpu_us: int, memory_bytes: int = 1000, peak_bytes: int = 0, *, frozen: bool = False) -> Counters:
    return Counters(cpu_us, memory_bytes, peak_bytes, frozen=frozen)


def told(windows: list[UsageWindow], name: str) -> dict[int, int]:
    """Give an amount of each window, by the minutes since the start."""
    return {(each.start_ms - START) // MINUTE: getattr(each.amounts, name) for each in windows}
