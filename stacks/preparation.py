"""Preparation of the host: a killed update's leavings go, parts that stand still are started, and room is claimed."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence

import pulumi

from runyard.errors import HostError, HostUnreachable
from runyard.host import Engine, Orchestrator, admit, recover
from runyard.host.claims import Desk, observe_claims, reserve
from runyard.host.ports import Ports, check_ports
from runyard.host.thing import Thing
from runyard.images import image_reference
from runyard.names import Kind
from runyard.plan import PartPlan
from runyard.pulumi.deployment import Deployment
from runyard.pulumi.state import missing
from stacks.admission import Admitted
from stacks.outlook import tell_moved_traffic

# A kind of thing on the host, and its name.
Named = tuple[Kind, str]


def prepare_host(admitted: Admitted, *, dry_run: bool) -> None:
    """Refuse a plan whose names, addresses or ports a stranger holds, or for which other stacks leave no room.

    An update also clears away what a killed one left half made, starts parts that stand still, and claims its room
    before anything is registered; what has gone that Pulumi would not see, it refuses. A preview changes nothing, and
    works without an engine: it says so and goes on.
    """
    try:
        engine = Engine()
    except HostUnreachable as error:
        if not dry_run:
            raise
        pulumi.log.info(f"preview without the host: {error}")
        return
    stack, deployment = admitted.plan.stack, admitted.deployment
    with engine:
        if not dry_run:
            for thing in recover(engine, stack, deployment):
                pulumi.log.info(f"removed {thing.kind} {thing.name}, left half made by an update that was killed")
        things = engine.things()
        admit(admitted.plan, things, deployment)
        present = find_present(deployment, things)
        check_ports(admitted.plan, things, present, Ports().look_where_the_engine_is)
        check_present(deployment, things, dry_run=dry_run)
        start_parts(engine, admitted.plan.parts, present, dry_run=dry_run)
        tell_moved_traffic(engine, stack, deployment)
        _claim(engine, admitted, dry_run=dry_run)


def find_present(deployment: Deployment, things: Iterable[Thing]) -> set[Named]:
    """Name by kind what the state owns and the host has, and not another under its name."""
    there = {((each.kind, each.name), each.id) for each in things}
    return {thing for thing, id_ in deployment.owned.items() if (thing, id_) in there}


def check_present(deployment: Deployment, things: Iterable[Thing], *, dry_run: bool) -> None:
    """Refuse an update that would go on with what is gone: Pulumi looks for it only in a refresh before."""
    gone = missing(deployment.owned, ((each.kind, each.name, each.id) for each in things))
    if not gone:
        return
    said = ", ".join(gone)
    if not dry_run:
        raise HostError(
            f"gone from the host, and Pulumi has not seen it: {said} (make up refreshes, as pulumi refresh)"
        )
    pulumi.log.info(f"gone from the host, an update makes it anew: {said}")


def start_parts(engine: Engine, parts: Sequence[PartPlan], present: Collection[Named], *, dry_run: bool) -> None:
    """Start the platform's own containers that stand still: nothing else would, and services wait for them."""
    for name in (part.container for part in parts):
        if ("container", name) not in present or engine.running(name):
            continue
        if dry_run:
            pulumi.log.info(f"{name} stands still: an update starts it")
        else:
            engine.start(name)
            pulumi.log.info(f"started {name}, which stood still")


def _claim(engine: Engine, admitted: Admitted, *, dry_run: bool) -> None:
    def keeper(stack: str) -> Orchestrator:
        return Orchestrator(engine, stack)

    if dry_run:
        admitted.check_shared(observe_claims(engine, keeper).elsewhere(admitted.plan.stack))
        return
    # Any image would do, as it never runs: the orchestrator's is there, or this update fails anyway.
    reserve(Desk(engine, keeper, image_reference("orchestrator")), admitted.claim, admitted.check_shared)
