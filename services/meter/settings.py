"""Settings: what the meter's environment says."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from runyard.errors import UsageError
from runyard.names import (
    CGROUP_DIRECTORY,
    DNS_LABEL,
    GATEWAY_METRICS_NAME,
    METER_DIRECTORY,
    REGISTRY_DIRECTORY,
    REGISTRY_SOCKET,
    REQUESTS_DIRECTORY,
)


@dataclass(frozen=True, slots=True)
class Settings:
    """Where everything is; directories are only ever set by tests."""

    stack: str
    host: str
    port: int
    directory: Path
    requests_directory: Path
    registry_directory: Path
    cgroup_directory: Path

    @property
    def registry_socket(self) -> Path:
        """Where the orchestrator tells what there is."""
        return self.registry_directory / Path(REGISTRY_SOCKET).name

    @property
    def gateway_socket(self) -> Path:
        """Where the gateway tells its metrics."""
        return self.requests_directory / GATEWAY_METRICS_NAME


def parse_settings(environment: Mapping[str, str]) -> Settings:
    """Parse settings; UsageError names what does not fit."""
    stack = environment.get("RUNYARD_STACK", "")
    if not DNS_LABEL.fullmatch(stack):
        raise UsageError(f"RUNYARD_STACK: must be a DNS label, got {stack!r}")
    address = environment.get("RUNYARD_HTTP_ADDRESS", "")
    host, _, port = address.rpartition(":")
    if not host or not port.isdecimal() or int(port) > 65535:
        raise UsageError(f"RUNYARD_HTTP_ADDRESS: must be ADDRESS:PORT, got {address!r}")
    return Settings(
        stack=stack,
        host=host.strip("[]"),
        port=int(port),
        directory=Path(environment.get("RUNYARD_METER_DIRECTORY", METER_DIRECTORY)),
        requests_directory=Path(environment.get("RUNYARD_REQUESTS_DIRECTORY", REQUESTS_DIRECTORY)),
        registry_directory=Path(environment.get("RUNYARD_REGISTRY_DIRECTORY", REGISTRY_DIRECTORY)),
        cgroup_directory=Path(environment.get("RUNYARD_CGROUP_DIRECTORY", CGROUP_DIRECTORY)),
    )
