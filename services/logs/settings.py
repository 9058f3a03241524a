"""Settings: what the environment of the logs' part says."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from runyard.environment import parse_address, parse_stack
from runyard.errors import UsageError
from runyard.names import CONTAINERS_DIRECTORY, LOGS_DIRECTORY, LOGS_SOCKET, REGISTRY_DIRECTORY, REGISTRY_SOCKET

_NUMBER = re.compile(r"[1-9][0-9]{0,14}")


@dataclass(frozen=True, slots=True)
class Settings:
    """Where everything is, for how many days it is kept and how much; directories are only ever set by tests."""

    stack: str
    host: str
    port: int
    retention_days: int
    bytes_per_second: int
    bytes_per_day: int
    directory: Path
    registry_directory: Path
    containers_directory: Path
    store_program: str

    @property
    def registry_socket(self) -> Path:
        """Where the orchestrator tells whose containers are."""
        return self.registry_directory / Path(REGISTRY_SOCKET).name

    @property
    def socket(self) -> Path:
        """Where logs are read."""
        return self.directory / Path(LOGS_SOCKET).name


def parse_settings(environment: Mapping[str, str]) -> Settings:
    """Parse settings; UsageError names what does not fit."""
    stack = parse_stack(environment)
    host, port = parse_address(environment, "RUNYARD_HTTP_ADDRESS")
    return Settings(
        stack=stack,
        host=host,
        port=port,
        retention_days=_number(environment, "RUNYARD_RETENTION_DAYS"),
        bytes_per_second=_number(environment, "RUNYARD_BYTES_PER_SECOND"),
        bytes_per_day=_number(environment, "RUNYARD_BYTES_PER_DAY"),
        directory=Path(environment.get("RUNYARD_LOGS_DIRECTORY", LOGS_DIRECTORY)),
        registry_directory=Path(environment.get("RUNYARD_REGISTRY_DIRECTORY", REGISTRY_DIRECTORY)),
        containers_directory=Path(environment.get("RUNYARD_CONTAINERS_DIRECTORY", CONTAINERS_DIRECTORY)),
        store_program=environment.get("RUNYARD_STORE_PROGRAM", "victoria-logs"),
    )


def _number(environment: Mapping[str, str], name: str) -> int:
    text = environment.get(name, "")
    if not _NUMBER.fullmatch(text):
        raise UsageError(f"{name}: must be a whole number above 0, got {text!r}")
    return int(text)
