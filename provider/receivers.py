"""Receivers: whom a stack's Alertmanager tells, put in force where it runs.

Inputs: `stack`, `receivers`, what previews show of them, and `configuration`, which is Alertmanager's and secret.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

from provider.kind import Kind, Outputs, ResourceState, Values
from runyard import names


class Host(Protocol):
    """What this asks of an Alertmanager's host; `runyard.host.alertmanager.AlertmanagerHost` has it."""

    def put(self, configuration: str) -> None:
        """Put receivers in force; RefusedConfiguration leaves the old ones."""
        ...

    def digest(self) -> str:
        """Give the SHA-256 of the receivers that are kept; empty where none can be asked."""
        ...

    def running(self) -> bool:
        """Say whether there is one at all."""
        ...


class Receivers(Kind):
    """The receivers of a stack."""

    def __init__(self, host: Callable[[str], Host]) -> None:
        """Tell the Alertmanager of a stack through what `host` gives for it."""
        self._host = host

    def identify(self, inputs: Values) -> str:
        """Name the receivers after their stack."""
        return f"{inputs['stack']}/receivers"

    def find_lost(self, state: ResourceState) -> Sequence[str]:
        """Name the configuration if Alertmanager keeps another, as one that lost its volume does."""
        kept = self._host(state.inputs["stack"]).digest()
        return () if kept in ("", names.digest(state.inputs["configuration"])) else ("configuration",)

    def create(self, inputs: Values) -> Outputs:
        """Put the receivers in force."""
        self._host(inputs["stack"]).put(inputs["configuration"])
        return Outputs()

    def delete(self, state: ResourceState) -> None:
        """Tell nobody any more; without an Alertmanager nobody is told."""
        # Here, as it knows plans and manifests, which take longer to import than most updates need.
        from runyard.plan.alerting import Alerting, render_receivers

        host = self._host(state.inputs["stack"])
        if host.running():
            host.put(render_receivers(Alerting(), {}))
