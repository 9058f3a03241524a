"""Settings: what the environment of the service says."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from runyard.codec import decode
from runyard.contracts import Budgets
from runyard.environment import parse_address
from runyard.errors import UsageError
from runyard.names import BILLING_DIRECTORY, POSTGRES_DIRECTORY, RESTRICTIONS_SOCKET, STATEMENTS_SOCKET
from runyard.pricing.settings import BillingSettings

DEFAULT_ADDRESS = "127.0.0.1:3002"
DEFAULT_METER = "127.0.0.1:3005"


@dataclass(frozen=True, slots=True)
class Settings:
    """Where everything is, and what the manifests say; directories are only ever set by tests."""

    address: tuple[str, int]
    meter: tuple[str, int]
    database: str
    directory: Path
    statements: Path
    restrictions: Path
    billing: BillingSettings
    budgets: Budgets

    @property
    def socket(self) -> Path:
        """The control socket."""
        return self.directory / "control.sock"


def parse_settings(environment: Mapping[str, str]) -> Settings:
    """Parse settings; UsageError or ContractError names what does not fit."""
    if "RUNYARD_BILLING" not in environment:
        raise UsageError("RUNYARD_BILLING: must be given: prices, and how revisions are billed")
    local = f"postgresql+psycopg://billing@/billing?host={POSTGRES_DIRECTORY}"
    return Settings(
        address=parse_address(environment, "RUNYARD_HTTP_ADDRESS", DEFAULT_ADDRESS),
        meter=parse_address(environment, "RUNYARD_METER_ADDRESS", DEFAULT_METER),
        database=_as_sqlalchemy_has_it(environment.get("DATABASE_URL", "") or local),
        directory=Path(environment.get("RUNYARD_BILLING_DIRECTORY", BILLING_DIRECTORY)),
        statements=Path(environment.get("RUNYARD_STATEMENTS_SOCKET", STATEMENTS_SOCKET)),
        restrictions=Path(environment.get("RUNYARD_RESTRICTIONS_SOCKET", RESTRICTIONS_SOCKET)),
        billing=decode(BillingSettings, environment["RUNYARD_BILLING"]),
        budgets=decode(Budgets, environment.get("RUNYARD_BUDGETS", "{}")),
    )


def _as_sqlalchemy_has_it(url: str) -> str:
    """Take an address as everybody writes it, and name the driver; UsageError without what may be a password."""
    scheme, found, rest = url.partition("://")
    if not found or scheme not in ("postgres", "postgresql", "postgresql+psycopg"):
        raise UsageError("DATABASE_URL: must begin with postgresql://, got another scheme")
    return f"postgresql+psycopg://{rest}"
