"""Configuration: what the gateway's nginx is told, as a Pulumi dynamic resource that previews value by value."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pulumi
from pulumi import dynamic

from components import request
from components.refusal import explain
from runyard.errors import HostError, UsageError
from runyard.gateway import GatewayConfig, digest, render
from runyard.host import Engine
from runyard.host.gateway import GatewayHost, RefusedConfiguration

# Where each value was said: lines that move are no change.
_PLACES = "places"


class ConfigurationProvider(dynamic.ResourceProvider):
    """Tests a configuration with the gateway's image and puts it in force; one that nginx refuses changes nothing."""

    # See RouteProvider: there is nothing secret in it.
    serialize_as_secret_always = False

    def check(self, _olds: dict[str, Any], news: dict[str, Any]) -> dynamic.CheckResult:
        """Refuse what the grammars refuse before anything is touched."""
        try:
            render(_config(news))
        except UsageError as error:
            return dynamic.CheckResult(news, [dynamic.CheckFailure("", str(error))])
        return dynamic.CheckResult(news, [])

    def diff(self, _id: str, olds: dict[str, Any], news: dict[str, Any]) -> dynamic.DiffResult:
        """Compare the values, not the lines of the manifest that they stand in."""
        return dynamic.DiffResult(changes=_without_places(olds) != _without_places(news))

    def create(self, props: dict[str, Any]) -> dynamic.CreateResult:
        """Put the first configuration in place, for the gateway that is about to start."""
        _apply(props)
        return dynamic.CreateResult(f"{props['stack']}/gateway", outs=props)

    def update(self, _id: str, olds: dict[str, Any], news: dict[str, Any]) -> dynamic.UpdateResult:
        """Replace the configuration in force."""
        _apply(news, rebinds=rebinds(_config(olds), _config(news)))
        return dynamic.UpdateResult(outs=news)

    def read(self, id_: str, props: dict[str, Any]) -> dynamic.ReadResult:
        """Tell a refresh whether the file is still there; it goes with a volume that was removed by hand."""
        with Engine() as engine:
            there = GatewayHost(engine, props["stack"]).has_configuration(props["image"])
        return dynamic.ReadResult(id_ if there else "", props)

    def delete(self, _id: str, props: dict[str, Any]) -> None:
        """Leave the file to its volume, which goes next, and free the volume of a test that was killed."""
        with Engine() as engine:
            GatewayHost(engine, props["stack"]).discard_test()


class Configuration(dynamic.Resource, module="runyard", name="GatewayConfiguration"):
    """The gateway's configuration for the container of `image`; `places` say where in a manifest a field was said."""

    def __init__(
        self,
        stack: str,
        image: str,
        config: GatewayConfig,
        places: Mapping[str, str],
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        """Declare the configuration of a stack's gateway."""
        values = request.inputs(config)
        props = {"stack": stack, "image": image, "digest": digest(config), _PLACES: dict(places), **values}
        super().__init__(ConfigurationProvider(), "gateway.configuration", props, opts)


def _config(props: Mapping[str, Any]) -> GatewayConfig:
    return request.message(GatewayConfig, props)


def _without_places(props: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in props.items() if key != _PLACES}


def rebinds(before: GatewayConfig, after: GatewayConfig) -> bool:
    """Say whether a port of both is to be opened on another address of the host."""
    old, new = (_addresses_by_port(config) for config in (before, after))
    return any(old[port] != new[port] for port in old.keys() & new.keys())


def _addresses_by_port(config: GatewayConfig) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    for listener in config.listeners:
        address, _, port = listener.address.rpartition(":")
        found.setdefault(port, set()).add(address)
    return found


def _apply(props: Mapping[str, Any], *, rebinds: bool = False) -> None:
    config = _config(props)
    with Engine() as engine:
        try:
            host = GatewayHost(engine, props["stack"])
            host.configure(props["image"], render(config), props["digest"], rebinds=rebinds)
        except RefusedConfiguration as error:
            said = explain(str(error), config, props[_PLACES])
            raise HostError(f"{said}; the gateway goes on with the configuration that it has") from error
