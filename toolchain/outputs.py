"""Outputs of a stack as lines of text: where its services answer, and whatever else it has."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from runyard.names import DEFAULT_TENANT

# Of the default tenant's services, whose tenant needs no naming.
_PREFIX = f"urls.{DEFAULT_TENANT}/"


def list_outputs(outputs: Mapping[str, Any]) -> list[tuple[str, str]]:
    """List outputs as (name, text) in the order of their names; an address has the name of its service."""
    return [(name.removeprefix(_PREFIX).removeprefix("urls."), text) for name, text in flatten(outputs)]


def flatten(value: Any, path: str = "") -> list[tuple[str, str]]:
    """Flatten outputs to (dotted name, text) in the order of their names; a list stays on one line."""
    if isinstance(value, dict):
        return [each for name in sorted(value) for each in flatten(value[name], f"{path}.{name}" if path else name)]
    if isinstance(value, list):
        return [(path, " ".join(str(item) for item in value))]
    return [(path, str(value))]
