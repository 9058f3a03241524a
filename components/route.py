"""Route: the hosts that a service answers and the services that it may call, put in force at the gateway."""

from __future__ import annotations

from typing import Any

import pulumi
from pulumi import dynamic

from components import request
from runyard.contracts import RouteRequest


class RouteProvider(dynamic.ResourceProvider):
    """Applies and removes a route through the stack's orchestrator; every operation can be repeated."""

    # It holds no state, so there is nothing to encrypt; as a secret it would cost a decryption for each resource.
    serialize_as_secret_always = False

    def create(self, props: dict[str, Any]) -> dynamic.CreateResult:
        """Put the route in force."""
        self._apply(props)
        return dynamic.CreateResult(f"{props['stack']}/{props['tenant']}/{props['service']}", outs=props)

    def update(self, _id: str, _olds: dict[str, Any], news: dict[str, Any]) -> dynamic.UpdateResult:
        """Replace the route in force; hosts and callees change together."""
        self._apply(news)
        return dynamic.UpdateResult(outs=news)

    def delete(self, _id: str, props: dict[str, Any]) -> None:
        """Take the route out of force; without an orchestrator nothing is, and its volume goes with the stack."""
        with request.orchestrator(props["stack"]) as orchestrator:
            if orchestrator.running():
                orchestrator.remove_route(props["tenant"], props["service"])

    def _apply(self, props: dict[str, Any]) -> None:
        with request.orchestrator(props["stack"]) as orchestrator:
            orchestrator.apply_route(request.message(RouteRequest, props))


class Route(dynamic.Resource, module="runyard", name="Route"):
    """The route of one service."""

    def __init__(self, name: str, stack: str, route: RouteRequest, opts: pulumi.ResourceOptions | None = None) -> None:
        """Declare the route of `route.service`."""
        super().__init__(RouteProvider(), name, {"stack": stack, **request.inputs(route)}, opts)
