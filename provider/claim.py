"""Claim: what the stack's services may use of the host, kept by its orchestrator for the host's other stacks to read.

Inputs: `stack` and `claim`, a JSON object.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from provider.kind import Kind, Outputs, State, Values, differing
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

    def diff(self, state: State, inputs: Values) -> Sequence[str]:
        """Name the inputs that differ; a claim that the orchestrator does not have is one."""
        changed = set(differing(state.inputs, inputs))
        holdings = self._holdings(inputs["stack"])
        if holdings is not None and holdings.claim != names.digest(state.inputs["claim"]):
            changed.add("claim")
        return sorted(changed)

    def create(self, inputs: Values) -> Outputs:
        """Have the orchestrator keep it."""
        self._hand_over(inputs["stack"], inputs["claim"])
        return Outputs()

    def delete(self, state: State) -> None:
        """Leave it to the orchestrator's volume, which goes next."""
