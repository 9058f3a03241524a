"""Environment: what every service reads from its environment in the same way."""

from __future__ import annotations

from collections.abc import Mapping

from runyard.errors import UsageError
from runyard.names import DNS_LABEL

_HIGHEST_PORT = 65535


def parse_stack(environment: Mapping[str, str]) -> str:
    """Give the name of the stack in RUNYARD_STACK; UsageError if it is none."""
    stack = environment.get("RUNYARD_STACK", "")
    if not DNS_LABEL.fullmatch(stack):
        raise UsageError(f"RUNYARD_STACK: must be a DNS label, got {stack!r}")
    return stack


def parse_address(environment: Mapping[str, str], name: str, default: str = "") -> tuple[str, int]:
    """Give host and port of an address, `ADDRESS:PORT` with IPv6 in brackets; UsageError if it is none."""
    address = environment.get(name, default)
    host, _, port = address.rpartition(":")
    if not host or not port.isdecimal() or int(port) > _HIGHEST_PORT:
        raise UsageError(f"{name}: must be ADDRESS:PORT, got {address!r}")
    return host.strip("[]"), int(port)
