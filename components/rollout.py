"""Rollout: a service's traffic over its revisions, moved only when every one of them is ready."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pulumi
from pulumi import dynamic

from components import request
from components.provider import RequestProvider
from runyard import names
from runyard.contracts import RolloutRequest, TrafficShare
from runyard.host import Engine, Orchestrator
from runyard.host.claims import release
from runyard.plan import KeptRevision, RevisionPlan


class RolloutProvider(RequestProvider):
    """Rolls out and removes a service's instances; a failure leaves the traffic where it was."""

    def name(self, props: dict[str, Any]) -> str:
        """Give the service's tenant and name."""
        return names.service_key(props["tenant"], props["service"])

    def diff(self, _id: str, olds: dict[str, Any], news: dict[str, Any]) -> dynamic.DiffResult:
        """Count traffic that was moved since the last update, as by a rollback, as a change."""
        in_force = request.traffic_in_force(news["stack"], names.service_key(news["tenant"], news["service"]))
        return dynamic.DiffResult(changes=True if was_moved(olds, in_force) else None)

    def apply(self, orchestrator: Orchestrator, props: dict[str, Any]) -> None:
        """Bring the revisions up, then give them their traffic; those that lose theirs drain."""
        history = [names.revision_of(identity) for identity in props.get("history", ())]
        orchestrator.apply_rollout(request.message(RolloutRequest, {**props, "history": history}))

    def remove(self, orchestrator: Orchestrator, props: dict[str, Any]) -> None:
        """Drain and remove the instances; without an orchestrator the stack's sweep does."""
        orchestrator.remove_rollout(props["tenant"], props["service"])


def was_moved(applied: Mapping[str, Any], in_force: Sequence[TrafficShare] | None) -> bool:
    """Tell whether traffic in force, if it is known, is other than what the last update applied."""
    return in_force is not None and tuple(in_force) != request.message(RolloutRequest, applied).traffic


class Rollout(dynamic.Resource, module="runyard", name="Rollout"):
    """The rollout of one service.

    In the state it is the service's memory: `digest` is the hash of what its latest revision holds, and `history`
    has the identities of those whose templates stay, newest first. A rollout that fails leaves both as they were.
    """

    def __init__(
        self,
        name: str,
        stack: str,
        rollout: RolloutRequest,
        revisions: Sequence[RevisionPlan | KeptRevision],
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        """Declare the rollout; `revisions` are those with templates, the latest first."""
        props = {
            "stack": stack,
            "digest": revisions[0].digest,
            **request.inputs(rollout),
            "history": [each.identity for each in revisions],
        }
        super().__init__(RolloutProvider(), name, props, opts)


class SweepProvider(dynamic.ResourceProvider):
    """Does nothing until it is deleted, then removes every instance that is left and gives back the stack's claims."""

    serialize_as_secret_always = False

    def create(self, props: dict[str, Any]) -> dynamic.CreateResult:
        """Stand in the stack, so that there is something to delete."""
        return dynamic.CreateResult(props["stack"], outs=props)

    def delete(self, _id: str, props: dict[str, Any]) -> None:
        """Remove what an orchestrator that was killed before the destroy left running."""
        with Engine() as engine:
            engine.remove_instances(props["stack"])
            release(engine, props["stack"])


class InstanceSweep(dynamic.Resource, module="runyard", name="InstanceSweep"):
    """The last to leave: the orchestrator depends on it, so it is deleted after it and before the networks."""

    def __init__(self, name: str, stack: str, opts: pulumi.ResourceOptions | None = None) -> None:
        """Declare the sweep of a stack."""
        super().__init__(SweepProvider(), name, {"stack": stack}, opts)
