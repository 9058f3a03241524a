"""Configuration: what the gateway's nginx is told, tested with the gateway's image before it is put in force.

Inputs: `stack`, `image`, `configuration`, its values as JSON, their `digest`, and `places`, where in a manifest each
value was said.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Protocol

from provider.kind import Kind, Outputs, ResourceState, Values, differing
from provider.wire import UNKNOWN
from runyard import contracts
from runyard.errors import HostError, RefusedConfiguration, UsageError

if TYPE_CHECKING:
    # What renders takes its template library along, which most updates have no use for.
    from runyard.gateway import GatewayConfig

# Where each value was said: lines that move are no change.
_PLACES = "places"


class Host(Protocol):
    """What this asks of a gateway's host; `runyard.host.gateway.GatewayHost` has it."""

    def configure(self, image: str, text: str, digest: str, *, rebinds: bool = False) -> None:
        """Put a configuration in force; RefusedConfiguration leaves the old one."""
        ...

    def has_configuration(self, image: str) -> bool:
        """Say whether the file is there, as far as that can be seen."""
        ...

    def discard_test(self) -> None:
        """Remove the container of a test that was killed half-way."""
        ...


class GatewayConfiguration(Kind):
    """The configuration of a stack's gateway; one that nginx refuses changes nothing."""

    def __init__(self, host: Callable[[str], Host]) -> None:
        """Configure the gateway of a stack through what `host` gives for it."""
        self._host = host

    def identify(self, inputs: Values) -> str:
        """Name the configuration after its stack."""
        return f"{inputs['stack']}/gateway"

    def check(self, inputs: Values) -> Sequence[str]:
        """Refuse what the grammars refuse before anything is touched."""
        from runyard.gateway import render

        if inputs["configuration"] is UNKNOWN:
            return ()
        try:
            render(_config(inputs))
        except UsageError as error:
            return (str(error),)
        return ()

    def diff(self, state: ResourceState, inputs: Values) -> Sequence[str]:
        """Compare the values, not the lines of the manifest that they stand in."""
        return [key for key in differing(state.inputs, inputs) if key != _PLACES]

    def create(self, inputs: Values) -> Outputs:
        """Put the first configuration in place, for the gateway that is about to start."""
        return self._apply(inputs, rebinds_=False)

    def update(self, state: ResourceState, inputs: Values) -> Outputs:
        """Replace the configuration in force."""
        return self._apply(inputs, rebinds_=rebinds(_config(state.inputs), _config(inputs)))

    def exists(self, state: ResourceState) -> bool:
        """Tell a refresh whether the file is still there; it goes with a volume that was removed by hand."""
        return self._host(state.inputs["stack"]).has_configuration(state.inputs["image"])

    def delete(self, state: ResourceState) -> None:
        """Leave the file to its volume, which goes next, and free the volume of a test that was killed."""
        self._host(state.inputs["stack"]).discard_test()

    def _apply(self, inputs: Values, *, rebinds_: bool) -> Outputs:
        from provider.refusal import explain
        from runyard.gateway import render

        config = _config(inputs)
        try:
            self._host(inputs["stack"]).configure(inputs["image"], render(config), inputs["digest"], rebinds=rebinds_)
        except RefusedConfiguration as error:
            said = explain(str(error), config, json.loads(inputs[_PLACES]))
            raise HostError(f"{said}; the gateway goes on with the configuration that it has") from error
        return Outputs()


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


def _config(inputs: Values) -> GatewayConfig:
    from runyard.gateway import GatewayConfig

    return contracts.decode(GatewayConfig, inputs["configuration"])
