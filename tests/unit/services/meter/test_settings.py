from __future__ import annotations

from pathlib import Path

import pytest

from runyard.errors import UsageError
from runyard.names import METER_DIRECTORY, REGISTRY_SOCKET, REQUESTS_DIRECTORY
from services.meter.settings import parse_settings

GIVEN = {"RUNYARD_STACK": "dev", "RUNYARD_HTTP_ADDRESS": "127.0.0.1:3005"}


def test_defaults_are_the_names_that_all_parts_share() -> None:
    settings = parse_settings(GIVEN)
    assert (settings.stack, settings.host, settings.port) == ("dev", "127.0.0.1", 3005)
    assert str(settings.directory) == METER_DIRECTORY
    assert str(settings.registry_socket) == REGISTRY_SOCKET
    assert str(settings.gateway_socket) == f"{REQUESTS_DIRECTORY}/metrics.sock"


def test_environment_overrides_everything() -> None:
    places = {"METER": "/m", "REQUESTS": "/q", "REGISTRY": "/r", "CGROUP": "/c"}
    settings = parse_settings(GIVEN | {f"RUNYARD_{name}_DIRECTORY": place for name, place in places.items()})
    assert (settings.directory, settings.cgroup_directory) == (Path("/m"), Path("/c"))
    assert settings.registry_socket == Path("/r/registry.sock")
    assert settings.gateway_socket == Path("/q/metrics.sock")


@pytest.mark.parametrize("stack", ["", "Dev", "a.b"])
def test_stack_that_is_no_label_is_refused(stack: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse_settings({**GIVEN, "RUNYARD_STACK": stack})
    assert str(caught.value) == f"RUNYARD_STACK: must be a DNS label, got {stack!r}"


@pytest.mark.parametrize("address", ["", "3005", ":3005", "127.0.0.1:x", "127.0.0.1:70000"])
def test_address_that_nobody_can_listen_on_is_refused(address: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse_settings({**GIVEN, "RUNYARD_HTTP_ADDRESS": address})
    assert str(caught.value) == f"RUNYARD_HTTP_ADDRESS: must be ADDRESS:PORT, got {address!r}"
