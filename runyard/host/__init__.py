"""Hosts: the one place on the client's side that talks to Docker.

What is named here is imported when it is first used: who needs the transport alone waits for nothing else.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from runyard.host.control import Orchestrator
    from runyard.host.engine import Engine
    from runyard.host.recovery import admit, recover

__all__ = ["Engine", "Orchestrator", "admit", "recover"]

_HOMES = {
    "Engine": "engine",
    "Orchestrator": "control",
    "admit": "recovery",
    "recover": "recovery",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__} has no attribute {name}")
    return getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)
