"""Route: the hosts that a service answers, and how, put in force at the gateway."""

from __future__ import annotations

from typing import Any

import pulumi
from pulumi import dynamic

from components import request
from components.provider import RequestProvider
from runyard import names
from runyard.contracts import RouteRequest
from runyard.host import Orchestrator


class RouteProvider(RequestProvider):
    """Applies and removes a route."""

    def name(self, props: dict[str, Any]) -> str:
        """Give the service's tenant and name."""
        return names.service_key(props["tenant"], props["service"])

    def apply(self, orchestrator: Orchestrator, props: dict[str, Any]) -> None:
        """Put the route in force."""
        orchestrator.apply_route(request.message(RouteRequest, props))

    def remove(self, orchestrator: Orchestrator, props: dict[str, Any]) -> None:
        """Take the route out of force."""
        orchestrator.remove_route(props["tenant"], props["service"])


class Route(dynamic.Resource, module="runyard", name="Route"):
    """The route of one service."""

    def __init__(self, name: str, stack: str, route: RouteRequest, opts: pulumi.ResourceOptions | None = None) -> None:
        """Declare the route of `route.service`."""
        super().__init__(RouteProvider(), name, {"stack": stack, **request.inputs(route)}, opts)
