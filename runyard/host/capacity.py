"""Capacity: what the host has for instances, as its engine counts it."""

from __future__ import annotations

import docker

from runyard.host.engine import CALL_TIMEOUT_S, translated
from runyard.plan.quota import Capacity


def observe_capacity() -> Capacity:
    """Ask the engine for the host's cores and memory; HostUnreachable if none answers."""
    with translated("ask the Docker engine what the host has"):
        client = docker.from_env(timeout=CALL_TIMEOUT_S)
        try:
            info = client.api.info()
        finally:
            client.close()
    return Capacity(cpu_millis=int(info["NCPU"]) * 1000, memory_bytes=int(info["MemTotal"]))
