"""Certificate: a chain and its key from the stack's secrets, put in force at the gateway by the orchestrator.

Inputs: `stack`, `name`, and `chain` and `key`, which are secret.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager

from provider.connection import Orchestrator
from provider.kind import Kind, Outputs, ResourceState, Values
from runyard import names
from runyard.contracts import CertificateRequest, Holdings


class Certificate(Kind):
    """A certificate of a stack; open connections go on with the one they began with."""

    def __init__(
        self,
        lend: Callable[[str], AbstractContextManager[Orchestrator]],
        holdings: Callable[[str], Holdings | None],
    ) -> None:
        self._lend = lend
        self._holdings = holdings

    def identify(self, inputs: Values) -> str:
        """Name the certificate within its stack."""
        return f"{inputs['stack']}/{inputs['name']}"

    def find_lost(self, state: ResourceState) -> Sequence[str]:
        """Name the chain if the orchestrator has another."""
        holdings = self._holdings(state.inputs["stack"])
        held = None if holdings is None else holdings.certificates.get(state.inputs["name"], "")
        return () if held in (None, names.digest(state.inputs["chain"])) else ("chain",)

    def create(self, inputs: Values) -> Outputs:
        """Put the certificate in force."""
        with self._lend(inputs["stack"]) as orchestrator:
            orchestrator.apply_certificate(CertificateRequest(inputs["name"], inputs["chain"], inputs["key"]))
        return Outputs()

    def delete(self, state: ResourceState) -> None:
        """Take the certificate out of force; without an orchestrator none is."""
        with self._lend(state.inputs["stack"]) as orchestrator:
            if orchestrator.running():
                orchestrator.remove_certificate(state.inputs["name"])
