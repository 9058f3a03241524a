"""Capacity: what the host has for instances, as its engine counts it."""

from __future__ import annotations

from contextlib import closing

from runyard.host.engine import translated
from runyard.host.transport import Transport
from runyard.plan.quota import Capacity


def observe_capacity() -> Capacity:
    """Ask the engine for the host's cores and memory; HostUnreachable if none answers."""
    with translated("ask the Docker engine what the host has"), closing(Transport()) as transport:
        info = transport.request("GET", "/info").checked().json()
    return Capacity(cpu_millis=int(info["NCPU"]) * 1000, memory_bytes=int(info["MemTotal"]))
