"""Claim: what the stack's services may use of the host, kept by its orchestrator for the host's other stacks to read.

Inputs: `stack` and `claim`, a JSON object.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from provider.kind import Kind, Outputs, ResourceState, Values
from runyard import names
from runyard.contracts import Holdings


class Claim(Kind):
    """The claim of a stack."""

    def __init__(
        self,
        hand_over: Callable[[str, str], None],
        holdings: Callable[[str], Holdings | None],
    ) -> None:
        """Have a stack's orchestrator keep a claim with `hand_over`."""
        self._hand_over = hand_over
        self._holdings = holdings

    def identify(self, inputs: Values) -> str:
        """Name the claim after its stack."""
        return f"{inputs['stack']}/claim"

    def find_lost(self, state: ResourceState) -> Sequence[str]:
        """Name the claim if the orchestrator keeps another."""
        holdings = self._holdings(state.inputs["stack"])
        lost = holdings is not None and holdings.claim != names.digest(state.inputs["claim"])
        return ("claim",) if lost else ()

    def create(self, inputs: Values) -> Outputs:
        """Have the orchestrator keep it."""
        self._hand_over(inputs["stack"], inputs["claim"])
        return Outputs()

    def delete(self, state: ResourceState) -> None:
        """Leave it to the orchestrator's volume, which goes next."""
