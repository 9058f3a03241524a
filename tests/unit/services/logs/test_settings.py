from __future__ import annotations

from pathlib import Path

import pytest

from runyard.errors import UsageError
from services.logs.settings import parse_settings

GIVEN = {
    "RUNYARD_STACK": "dev",
    "RUNYARD_HTTP_ADDRESS": "127.0.0.1:3006",
    "RUNYARD_RETENTION_DAYS": "7",
    "RUNYARD_BYTES_PER_SECOND": "1048576",
    "RUNYARD_BYTES_PER_DAY": "1073741824",
}


def test_settings_are_what_the_plan_tells() -> None:
    found = parse_settings(GIVEN)
    assert (found.port, found.retention_days, found.bytes_per_second, found.bytes_per_day) == (
        3006,
        7,
        1024**2,
        1024**3,
    )
    assert found.registry_socket == Path("/var/lib/runyard/registry/registry.sock")
    assert found.socket == Path("/var/lib/runyard/logs/logs.sock")


@pytest.mark.parametrize("value", ["", "0", "-1", "1.5", "many"])
def test_number_that_is_none_is_refused(value: str) -> None:
    with pytest.raises(UsageError, match=f"RUNYARD_BYTES_PER_DAY: must be a whole number above 0, got '{value}'"):
        parse_settings(GIVEN | {"RUNYARD_BYTES_PER_DAY": value})
