"""Rollout: a service's traffic over its revisions, moved only when every one of them is ready."""

from __future__ import annotations

from typing import Any

import pulumi
from pulumi import dynamic

from components import request
from runyard.contracts import RolloutRequest
from runyard.host import Engine
from runyard.host.claims import release


class RolloutProvider(dynamic.ResourceProvider):
    """Rolls out through the stack's orchestrator; a failure leaves the traffic where it was."""

    # See RouteProvider: there is nothing secret in it.
    serialize_as_secret_always = False

    def check(self, _olds: dict[str, Any], news: dict[str, Any]) -> dynamic.CheckResult:
        """Refuse a revision name that already stands for other content: revisions never change."""
        failures = []
        if _olds.get("revision") == news["revision"] and _olds.get("digest") != news["digest"]:
            reason = (
                f"revision {news['revision']} exists with other content; give spec.template.metadata.name a new name"
            )
            failures.append(dynamic.CheckFailure("revision", reason))
        return dynamic.CheckResult(news, failures)

    def create(self, props: dict[str, Any]) -> dynamic.CreateResult:
        """Bring the revisions up and give them their traffic."""
        self._apply(props)
        return dynamic.CreateResult(f"{props['stack']}/{props['tenant']}/{props['service']}", outs=props)

    def update(self, _id: str, _olds: dict[str, Any], news: dict[str, Any]) -> dynamic.UpdateResult:
        """Bring new revisions up, then move the traffic; the old ones drain."""
        self._apply(news)
        return dynamic.UpdateResult(outs=news)

    def delete(self, _id: str, props: dict[str, Any]) -> None:
        """Drain and remove the instances; without an orchestrator the stack's sweep removes them."""
        with request.orchestrator(props["stack"]) as orchestrator:
            if orchestrator.running():
                orchestrator.remove_rollout(props["tenant"], props["service"])

    def _apply(self, props: dict[str, Any]) -> None:
        with request.orchestrator(props["stack"]) as orchestrator:
            orchestrator.apply_rollout(request.message(RolloutRequest, props))


class Rollout(dynamic.Resource, module="runyard", name="Rollout"):
    """The rollout of one service; `digest` is the hash of what its latest revision holds."""

    def __init__(
        self,
        name: str,
        stack: str,
        rollout: RolloutRequest,
        latest: tuple[str, str],
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        """Declare the rollout; `latest` is the latest revision's name and digest."""
        revision, digest = latest
        props = {"stack": stack, "revision": revision, "digest": digest, **request.inputs(rollout)}
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
