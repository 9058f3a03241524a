"""Recovery of a stack whose last update was killed, and admission of a plan to a host.

A creation that was cut off may have left a container, network or volume that Pulumi's state does not know; its
name would fail the next update. Two rules say what may be removed, and both need our stack label on it: what a
pending creation of this state names; and, where this state owns the stack's platform network by its id, every
container and network that the state does not know. A host where another state rules is never touched.
"""

from __future__ import annotations

from collections.abc import Iterable

from runyard import names
from runyard.errors import Conflict
from runyard.host.deployment import Deployment
from runyard.host.engine import Engine, Kind, Thing
from runyard.plan import Plan


def recover(engine: Engine, stack: str, deployment: Deployment) -> list[Thing]:
    """Remove what creations that were cut off left behind, and say what that was."""
    things = engine.owned(stack)
    left = [thing for thing in things if (thing.kind, thing.name) in deployment.pending]
    if _rules(stack, things, deployment):
        left += [thing for thing in things if _orphaned(thing, deployment) and thing not in left]
    # Containers go first: a network or volume with users cannot be removed.
    left.sort(key=lambda each: (each.kind != "container", each.name))
    for thing in left:
        engine.remove(thing)
    return left


def _rules(stack: str, things: Iterable[Thing], deployment: Deployment) -> bool:
    """Say whether this state, and not another checkout's, is the one that made the stack on this host."""
    network = ("network", names.platform_network(stack))
    return any((each.kind, each.name) == network and deployment.owned.get(network) == each.id for each in things)


def _orphaned(thing: Thing, deployment: Deployment) -> bool:
    # Instances are the orchestrator's, claims outlive an update on purpose, and a volume may hold what somebody wants.
    if thing.kind == "volume" or thing.role in (names.ROLE_INSTANCE, names.ROLE_CLAIM):
        return False
    return deployment.owned.get((thing.kind, thing.name)) != thing.id


def admit(plan: Plan, things: Iterable[Thing], deployment: Deployment) -> None:
    """Refuse a plan whose names are taken on the host by what this stack's state does not own.

    Raises Conflict that names each of them; nothing is touched.
    """
    wanted = planned_names(plan) - deployment.owned.keys() - deployment.pending
    taken = [thing for thing in sorted(things) if (thing.kind, thing.name) in wanted]
    if taken:
        lines = [f"{each.kind} {each.name} ({each.id[:12]}): {_owner(each, plan.stack)}" for each in taken]
        raise Conflict("take names on the host: already in use, left alone:\n  " + "\n  ".join(lines))


def planned_names(plan: Plan) -> set[tuple[Kind, str]]:
    """List the names that a plan takes on its host, by kind."""
    wanted: set[tuple[Kind, str]] = {("network", network.name) for network in plan.networks}
    for part in ("gateway", "orchestrator"):
        wanted.add(("container", names.platform_container(plan.stack, part)))
        wanted.add(("volume", names.platform_volume(plan.stack, part)))
    for service in plan.services:
        wanted |= {("container", template.name) for template in service.revision.templates}
        wanted |= {("container", name) for name in service.kept_names(plan.stack)}
    return wanted


def _owner(thing: Thing, stack: str) -> str:
    if thing.stack == stack:
        return f"has the label of stack {stack}, but this state does not know it (another checkout's stack?)"
    return f"belongs to stack {thing.stack}" if thing.stack else "is not Runyard's"
