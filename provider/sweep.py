"""Sweep: the last to leave; the orchestrator depends on it, so it is deleted after it and before the networks.

Input: `stack`.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Protocol

from provider.kind import Kind, Outputs, ResourceState, Values
from runyard import names
from runyard.host.thing import Thing

_INSTANCE = ("container", names.ROLE_INSTANCE)
_RUN = ("container", names.ROLE_RUN)
# What an instance's containers shared; what a tenant keeps is of another role and stays.
_SCRATCH = ("volume", names.ROLE_SCRATCH)
# Each waits for the engine, and for an instance that takes its time to end; the engine does some at a time.
_AT_ONCE = 16


class SweepEngine(Protocol):
    """What this asks of an engine; `runyard.host.Engine` has it."""

    def owned(self, stack: str) -> list[Thing]:
        """List what carries a stack's label."""
        ...

    def remove(self, thing: Thing) -> None:
        """Remove a thing of ours; one that is gone already is fine."""
        ...


class Sweep(Kind):
    """Nothing until it is deleted."""

    def __init__(self, engine: Callable[[], SweepEngine], release: Callable[[str], object]) -> None:
        """Sweep the host that `engine` connects to; `release` gives back what a stack has claimed of it."""
        self._engine = engine
        self._release = release

    def identify(self, inputs: Values) -> str:
        """Name the sweep after its stack."""
        return f"{inputs['stack']}/sweep"

    def create(self, _inputs: Values) -> Outputs:
        """Stand in the stack, so that there is something to delete."""
        return Outputs()

    def delete(self, state: ResourceState) -> None:
        """Remove every instance that is left with its volumes, strangers that call themselves one too, and claims."""
        stack, engine = state.inputs["stack"], self._engine()
        found = engine.owned(stack)
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            # The volumes after all that has one of them.
            for kinds in ((_INSTANCE, _RUN), (_SCRATCH,)):
                left = [each for each in found if (each.kind, each.role) in kinds]
                # Taken apart here, so that what failed is raised.
                list(pool.map(engine.remove, left))
        self._release(stack)
