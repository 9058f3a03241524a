"""Hosts: the one place on the client's side that talks to Docker."""

from runyard.host.control import Orchestrator
from runyard.host.engine import Engine
from runyard.host.recovery import admit, parse_deployment, recover

__all__ = ["Engine", "Orchestrator", "admit", "parse_deployment", "recover"]
