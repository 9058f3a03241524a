"""Hosts: the one place on the client's side that talks to Docker.

What is named here is imported when it is first used: who needs the transport alone waits for nothing else.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from runyard.host.control import Orchestrator
    from runyard.host.deployment import Deployment, parse_deployment
    from runyard.host.engine import Engine
    from runyard.host.recovery import admit, recover

__all__ = ["Deployment", "Engine", "Orchestrator", "admit", "parse_deployment", "recover"]

_HOMES = {
    "Deployment": "deployment",
    "Engine": "engine",
    "Orchestrator": "control",
    "admit": "recovery",
    "parse_deployment": "deployment",
    "recover": "recovery",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__} has no attribute {name}")
    return getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)
