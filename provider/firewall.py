"""Firewall rules: tried before the part that keeps them starts, and removed when it is gone.

Inputs: `stack`, `image`, which is the part's, and `rules`, as nft reads them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from provider.kind import Kind, Outputs, ResourceState, Values
from runyard.errors import NotFound, RefusedConfiguration
from runyard.names import firewall_table

# Whether the host would take them, when it was last asked.
_REFUSED = "refused"


class Host(Protocol):
    """What this asks of a firewall's host; `runyard.host.firewall.FirewallHost` has it."""

    def attempt(self, image: str, rules: str) -> None:
        """Have the kernel judge rules; RefusedConfiguration says why it would not have them."""
        ...

    def remove(self, image: str) -> None:
        """Remove the stack's rules; RefusedConfiguration where the kernel would not, and they may be left."""
        ...


class FirewallRules(Kind):
    """The rules of a stack. A host that does not take them gets no stack refused: it is told, in one line."""

    def __init__(self, host: Callable[[str], Host], tell: Callable[[str], None]) -> None:
        """Try the rules of a stack through what `host` gives for it, and show lines with `tell`."""
        self._host = host
        self._tell = tell

    def identify(self, inputs: Values) -> str:
        """Name the rules after their stack."""
        return f"{inputs['stack']}/firewall"

    def create(self, inputs: Values) -> Outputs:
        """Try the rules; the part that starts next puts them in force, and tries again where they are refused."""
        try:
            self._host(inputs["stack"]).attempt(inputs["image"], inputs["rules"])
        except RefusedConfiguration as error:
            why = " ".join(str(error).split())
            self._tell(
                f"firewall: this host does not take the stack's rules, so its instances have no limit of connections "
                f"and reach what listens on the host: {why}"
            )
            return Outputs({_REFUSED: why})
        return Outputs({_REFUSED: ""})

    def delete(self, state: ResourceState) -> None:
        """Remove the rules; where the host takes none, there are none to be left."""
        try:
            self._host(state.inputs["stack"]).remove(state.inputs["image"])
        except NotFound as error:
            # The image was removed by hand: nobody could ever remove the stack if that failed.
            stack = state.inputs["stack"]
            self._tell(f"firewall: `nft delete table ip {firewall_table(stack)}` is left for you to do: {error}")
        except RefusedConfiguration:
            if not state.outputs.get(_REFUSED):
                raise
