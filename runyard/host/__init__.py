"""Hosts: the one place on the client's side that talks to Docker."""

from runyard.host.control import Orchestrator
from runyard.host.deployment import Deployment, parse_deployment
from runyard.host.engine import Engine
from runyard.host.recovery import admit, recover

__all__ = ["Deployment", "Engine", "Orchestrator", "admit", "parse_deployment", "recover"]
