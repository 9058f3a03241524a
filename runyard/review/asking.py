"""Asking a running stack what it recorded of services, for a review that goes on without it."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing

from runyard.errors import RunyardError
from runyard.host import Engine, Orchestrator
from runyard.review.load import Asked


def ask_recorded(stack: str, services: Sequence[str]) -> Asked:
    """Ask for the recorded load of services, `tenant/service`, without waiting for a stack that is not there."""
    records = {}
    try:
        with Engine() as engine, closing(Orchestrator(engine, stack)) as orchestrator:
            for key in services:
                tenant, _, name = key.partition("/")
                if (found := orchestrator.recorded_load(tenant, name, patience_s=0)) is not None:
                    records[key] = found
    except RunyardError as error:
        return Asked(problem=str(error).partition("\n")[0])
    return Asked(records)
