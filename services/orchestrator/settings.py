"""Settings: what the orchestrator's environment says."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from runyard.contracts import TlsSettings, decode
from runyard.environment import parse_address, parse_stack
from runyard.names import (
    GATEWAY_DIRECTORY,
    GATEWAY_SNAPSHOT,
    GATEWAY_WAKE_SOCKET,
    LAUNCHER_DIRECTORY,
    ORCHESTRATOR_DIRECTORY,
    REGISTRY_DIRECTORY,
    REGISTRY_SOCKET,
    RESTRICTIONS_SOCKET,
    ROLE_BILLING,
)
from services.orchestrator.store.signature import Verifier

# Where the orchestrator's image has the launcher.
LAUNCHER_PROGRAM = Path("/opt/runyard/launcher/launch")
DEFAULT_ADDRESS = "127.0.0.1:3001"


@dataclass(frozen=True, slots=True)
class Settings:
    """Where everything is; directories and program are only ever set by tests.

    `engine` is the engine's socket, empty for DOCKER_HOST or the usual one. `part` is which part of the platform this
    process is, and `parts` are all of them.
    """

    stack: str
    host: str
    port: int
    directory: Path
    gateway_directory: Path
    launcher_directory: Path
    launcher_program: Path
    registry_directory: Path
    verifier: Verifier
    engine: str = ""
    part: str = ""
    parts: tuple[str, ...] = ()
    tls: TlsSettings = field(default_factory=TlsSettings)
    caller_identity: bool = False

    @property
    def socket(self) -> Path:
        """The control socket."""
        return self.directory / "control.sock"

    @property
    def registry_socket(self) -> Path:
        """Where other parts read what there is."""
        return self.registry_directory / Path(REGISTRY_SOCKET).name

    @property
    def restrictions_socket(self) -> Path | None:
        """Where the ledger says what budgets restrict; None without a ledger."""
        return self.registry_directory / Path(RESTRICTIONS_SOCKET).name if ROLE_BILLING in self.parts else None

    @property
    def gateway_socket(self) -> Path:
        """The gateway's admin socket."""
        return self.gateway_directory / "admin.sock"

    @property
    def wake_socket(self) -> Path:
        """Where the gateway says who waits for an instance."""
        return self.gateway_directory / Path(GATEWAY_WAKE_SOCKET).name

    @property
    def gateway_snapshot(self) -> Path:
        """Where the gateway keeps the snapshot that it has in force."""
        return self.gateway_directory / GATEWAY_SNAPSHOT


def parse_settings(environment: Mapping[str, str]) -> Settings:
    """Parse settings; UsageError or ContractError names what does not fit."""
    stack = parse_stack(environment)
    host, port = parse_address(environment, "RUNYARD_HTTP_ADDRESS", DEFAULT_ADDRESS)
    return Settings(
        stack=stack,
        host=host,
        port=port,
        directory=Path(environment.get("RUNYARD_ORCHESTRATOR_DIRECTORY", ORCHESTRATOR_DIRECTORY)),
        gateway_directory=Path(environment.get("RUNYARD_GATEWAY_DIRECTORY", GATEWAY_DIRECTORY)),
        launcher_directory=Path(environment.get("RUNYARD_LAUNCHER_DIRECTORY", LAUNCHER_DIRECTORY)),
        launcher_program=Path(environment.get("RUNYARD_LAUNCHER_PROGRAM", LAUNCHER_PROGRAM)),
        registry_directory=Path(environment.get("RUNYARD_REGISTRY_DIRECTORY", REGISTRY_DIRECTORY)),
        verifier=Verifier(environment.get("RUNYARD_PUBLIC_KEY", "")),
        engine=environment.get("RUNYARD_ENGINE", ""),
        part=environment.get("RUNYARD_PART", ""),
        parts=tuple(filter(None, environment.get("RUNYARD_PARTS", "").split(","))),
        tls=decode(TlsSettings, environment.get("RUNYARD_TLS", "{}")),
        caller_identity=environment.get("RUNYARD_CALLER_IDENTITY", "off") == "on",
    )
