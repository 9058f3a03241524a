"""Signing key: the pair with which a stack's revision documents are signed, made once and kept in its state."""

from __future__ import annotations

from provider.kind import Kind, Outputs, ResourceState, Values
from provider.wire import UNKNOWN


class SigningKey(Kind):
    """Inputs: `stack`. Outputs: `public`, for the orchestrator, and `private`, which is secret."""

    def identify(self, inputs: Values) -> str:
        """Name the key after its stack."""
        return f"{inputs['stack']}/key"

    def foresee(self, _inputs: Values) -> Outputs:
        """Know neither key before they are made."""
        return Outputs({"public": UNKNOWN, "private": UNKNOWN})

    def create(self, _inputs: Values) -> Outputs:
        """Make a pair."""
        # Here, as its library takes longer to import than most updates need.
        from provider.signature import generate_pair

        public, private = generate_pair()
        return Outputs({"public": public}, {"private": private})

    def update(self, state: ResourceState, _inputs: Values) -> Outputs:
        """Keep the pair, whatever the inputs are."""
        return Outputs({"public": state.outputs["public"]}, {"private": state.outputs["private"]})

    def delete(self, state: ResourceState) -> None:
        """Leave it to the state to forget the pair."""
