"""Settings: what the environment of the service says."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from runyard.environment import parse_address
from runyard.names import CONSOLE_DIRECTORY, POSTGRES_DIRECTORY, STATEMENTS_SOCKET

DEFAULT_ADDRESS = "127.0.0.1:3003"
DEFAULT_REGISTRY = "127.0.0.1:3001"
DEFAULT_LEDGER = "127.0.0.1:3002"
# Where the image has the page.
DEFAULT_WEB = "/opt/runyard/web"

_PROMETHEUS = "RUNYARD_PROMETHEUS_ADDRESS"


@dataclass(frozen=True, slots=True)
class Settings:
    """Where everything is, without `prometheus` no metrics; database, paths and page are only ever set by tests."""

    address: tuple[str, int]
    registry: tuple[str, int]
    ledger: tuple[str, int]
    statements: Path
    database: str
    directory: Path
    web: Path
    prometheus: tuple[str, int] | None = None

    @property
    def socket(self) -> Path:
        """The control socket."""
        return self.directory / "control.sock"


def parse_settings(environment: Mapping[str, str]) -> Settings:
    """Parse settings; UsageError names what does not fit."""
    return Settings(
        address=parse_address(environment, "RUNYARD_HTTP_ADDRESS", DEFAULT_ADDRESS),
        registry=parse_address(environment, "RUNYARD_REGISTRY_ADDRESS", DEFAULT_REGISTRY),
        ledger=parse_address(environment, "RUNYARD_LEDGER_ADDRESS", DEFAULT_LEDGER),
        statements=Path(environment.get("RUNYARD_STATEMENTS_SOCKET", STATEMENTS_SOCKET)),
        database=environment.get("RUNYARD_CONSOLE_DATABASE", "")
        or f"postgresql+psycopg://console@/billing?host={POSTGRES_DIRECTORY}",
        directory=Path(environment.get("RUNYARD_CONSOLE_DIRECTORY", CONSOLE_DIRECTORY)),
        web=Path(environment.get("RUNYARD_CONSOLE_WEB", DEFAULT_WEB)),
        prometheus=parse_address(environment, _PROMETHEUS, "") if _PROMETHEUS in environment else None,
    )
