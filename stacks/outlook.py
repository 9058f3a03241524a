"""Outlook of an update: what it will do to running traffic, in Pulumi's log before any resource is touched."""

from __future__ import annotations

from contextlib import closing

import pulumi

from runyard.errors import HostError
from runyard.host import Engine, Orchestrator
from runyard.manifest.model import Platform
from runyard.plan.outlook import Facts, describe_moved, describe_outlook
from runyard.pulumi.deployment import Deployment

# An orchestrator that runs answers in milliseconds; a preview does not wait long for one that is being restarted.
_PATIENCE_S = 2.0


def tell_observability(platform: Platform) -> None:
    """Log how metrics are had, where the platform has none."""
    if not platform.observability.on:
        pulumi.log.info("no metrics are kept: `observability: {level: basic}` in a Platform turns them on")


def tell_effects(deployment: Deployment, facts: Facts) -> None:
    """Log what each service and part that changes will do to running traffic."""
    for line in describe_outlook(deployment.facts, facts):
        pulumi.log.info(line)


def tell_moved_traffic(engine: Engine, stack: str, deployment: Deployment) -> None:
    """Log which traffic was moved since the last update, as by a rollback; where nobody answers, log that."""
    if not deployment.traffic:
        return
    with closing(Orchestrator(engine, stack)) as orchestrator:
        try:
            in_force = orchestrator.status(_PATIENCE_S).services if orchestrator.running() else None
        except HostError as error:
            pulumi.log.info(f"traffic in force is not known: {error}")
            return
    if in_force is None:
        pulumi.log.info("traffic in force is not known: the orchestrator does not run")
        return
    for line in describe_moved(deployment.traffic, in_force):
        pulumi.log.info(line)
