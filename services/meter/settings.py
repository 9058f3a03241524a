"""Settings: what the meter's environment says."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from runyard.environment import parse_address, parse_stack
from runyard.names import (
    CGROUP_DIRECTORY,
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
    stack = parse_stack(environment)
    host, port = parse_address(environment, "RUNYARD_HTTP_ADDRESS")
    return Settings(
        stack=stack,
        host=host,
        port=port,
        directory=Path(environment.get("RUNYARD_METER_DIRECTORY", METER_DIRECTORY)),
        requests_directory=Path(environment.get("RUNYARD_REQUESTS_DIRECTORY", REQUESTS_DIRECTORY)),
        registry_directory=Path(environment.get("RUNYARD_REGISTRY_DIRECTORY", REGISTRY_DIRECTORY)),
        cgroup_directory=Path(environment.get("RUNYARD_CGROUP_DIRECTORY", CGROUP_DIRECTORY)),
    )
