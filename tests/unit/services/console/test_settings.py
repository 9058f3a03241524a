"""Settings of the console: what its environment may say."""

from __future__ import annotations

from pathlib import Path

import pytest

from runyard.errors import UsageError
from services.console.settings import parse_settings


def test_settings_have_defaults_for_all() -> None:
    settings = parse_settings({})
    assert (settings.address, settings.registry, settings.ledger) == (
        *(("127.0.0.1", 3003), ("127.0.0.1", 3001), ("127.0.0.1", 3002)),
    )
    assert settings.database == "postgresql+psycopg://console@/billing?host=/var/lib/runyard/postgres"
    assert settings.socket == Path("/var/lib/runyard/console/control.sock")
    assert settings.statements == Path("/var/lib/runyard/statements/statements.sock")


@pytest.mark.parametrize(
    "name", ["RUNYARD_HTTP_ADDRESS", "RUNYARD_REGISTRY_ADDRESS", "RUNYARD_LEDGER_ADDRESS", "RUNYARD_PROMETHEUS_ADDRESS"]
)
def test_address_that_is_none_is_told(name: str) -> None:
    with pytest.raises(UsageError, match=rf"^{name}: must be ADDRESS:PORT, got 'x'$"):
        parse_settings({name: "x"})
