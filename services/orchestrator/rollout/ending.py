"""Rollouts: whether what a request names is ready, will be, or cannot be. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from runyard.contracts import RolloutRequest
from runyard.errors import RolloutError
from runyard.names import service_key
from services.orchestrator.instances.failures import Failure
from services.orchestrator.model.revision import Revision

# A revision whose instances end in the same way this often is not waiting for anything; with the back-off it
# takes about three seconds to know.
HOPELESS = 3


class RolloutFailed(RolloutError):
    """A rollout that was given up; `logs` holds the last lines of the instance that failed."""

    def __init__(self, detail: str, logs: tuple[str, ...] = ()) -> None:
        self.logs = logs
        super().__init__(detail)


class RolloutSuperseded(RolloutError):
    """A rollout that a newer request for the same service replaced."""


@dataclass(frozen=True, slots=True)
class Progress:
    """What is known of the revisions while a rollout waits; all maps are by `tenant/revision`.

    `needed` counts the instances that each revision must have ready. `failures` holds only those since the rollout
    began; `listed` tells whether Docker was listed since then.
    """

    revisions: Mapping[str, Revision]
    needed: Mapping[str, int]
    ready: Mapping[str, int]
    failures: Mapping[str, Failure]
    problems: Mapping[str, str]
    listed: bool
    waited_s: float


@dataclass(frozen=True, slots=True)
class Ending:
    """What became of a rollout: `ready`, or `failed` with the revision to blame."""

    outcome: Literal["ready", "failed"]
    detail: str = ""
    revision: str = ""
    logs: tuple[str, ...] = ()


def decide_ending(request: RolloutRequest, progress: Progress) -> Ending | None:
    """Decide how a rollout ends; None while it can still become ready in time."""
    waiting: list[str] = []
    for share in request.traffic:
        key = service_key(request.tenant, share.revision)
        revision = progress.revisions.get(key)
        if revision is None:
            if progress.listed:
                return Ending("failed", f"revision {share.revision}: has no document here", key)
            waiting.append(key)
        elif progress.ready.get(key, 0) < progress.needed[key]:
            failure = progress.failures.get(key)
            if failure is not None and (failure.final or failure.streak >= HOPELESS):
                times = f" ({failure.streak} times)" if failure.streak > 1 else ""
                return Ending("failed", f"revision {share.revision}: {failure.reason}{times}", key, failure.logs)
            waiting.append(key)
    if not waiting:
        return Ending("ready")
    if progress.waited_s >= request.deadline_s:
        return _late(request, progress, waiting[0])
    return None


def _late(request: RolloutRequest, progress: Progress, key: str) -> Ending:
    failure = progress.failures.get(key)
    otherwise = "no instance could be started" if progress.listed else "the container engine did not answer"
    cause = progress.problems.get(key) or (failure.reason if failure else otherwise)
    name = key.partition("/")[2]
    logs = failure.logs if failure else ()
    return Ending("failed", f"revision {name}: not ready in {request.deadline_s} s: {cause}", key, logs)
