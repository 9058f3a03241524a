"""Recovery of a stack whose last update was killed, and admission of a plan to a host.

A creation that was cut off may have left a network, a volume or a part's container that Pulumi's state does not know;
its name would fail the next update. What may be removed needs our stack label on it, and is what a pending creation of
this state names; or, where this state owns the stack's platform network by its id, the container in which a
configuration was tried, or a copy that has taken the name of what the state owns. Whatever else has our labels is a
stranger: it is reported, never served, and left alone. A host where another state rules is never touched.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from ipaddress import ip_network

from runyard import names
from runyard.errors import Conflict
from runyard.host.engine import Engine
from runyard.host.thing import Thing
from runyard.names import Kind
from runyard.plan import Plan
from runyard.pulumi.deployment import Deployment


def recover(engine: Engine, stack: str, deployment: Deployment) -> list[Thing]:
    """Remove what creations that were cut off left behind, and say what that was."""
    left = find_left(stack, engine.owned(stack), deployment)
    for thing in left:
        engine.remove(thing)
    return left


def find_left(stack: str, things: Iterable[Thing], deployment: Deployment) -> list[Thing]:
    """Find what an update would remove of a stack's things, in the order of removal; pure."""
    own = [thing for thing in things if thing.stack == stack]
    rules = _rules(stack, own, deployment)
    left = [
        thing
        for thing in own
        if (thing.kind, thing.name) in deployment.pending or (rules and _in_the_way(stack, thing, deployment))
    ]
    # Containers go first: a network or volume with users cannot be removed.
    return sorted(left, key=lambda each: (each.kind != "container", each.name))


def _rules(stack: str, things: Iterable[Thing], deployment: Deployment) -> bool:
    """Say whether this state, and not another checkout's, is the one that made the stack on this host."""
    network = ("network", names.platform_network(stack))
    return any((each.kind, each.name) == network and deployment.owned.get(network) == each.id for each in things)


def _in_the_way(stack: str, thing: Thing, deployment: Deployment) -> bool:
    if thing.kind == "container" and thing.role in names.TASKS:
        return thing.name == names.task_container(stack, thing.role)
    # Made by hand under a name that is taken already. A volume's id is its name, so what it holds never goes.
    return deployment.owned.get((thing.kind, thing.name), thing.id) != thing.id


def admit(plan: Plan, things: Iterable[Thing], deployment: Deployment) -> None:
    """Refuse a plan whose names or addresses are taken on the host by what this stack's state does not own.

    Raises Conflict that names each of them; nothing is touched. What an update would remove is in nobody's way.
    """
    found = sorted(things)
    ours = set(find_left(plan.stack, found, deployment))
    foreign = [each for each in found if each not in ours and deployment.owned.get((each.kind, each.name)) != each.id]
    wanted = planned_names(plan)
    taken = [thing for thing in foreign if (thing.kind, thing.name) in wanted]
    if taken:
        lines = [f"{each.kind} {each.name} ({each.id[:12]}): {_owner(each, plan.stack)}" for each in taken]
        raise Conflict("take names on the host: already in use, left alone:\n  " + "\n  ".join(lines))
    overlaps = list(_overlaps(plan, foreign))
    if overlaps:
        hint = "set spec.addressPool of the Platform, or spec.subnet of the tenant, to addresses that nothing has here"
        raise Conflict("take addresses on the host: already in use:\n  " + "\n  ".join([*overlaps, f"({hint})"]))


def _overlaps(plan: Plan, foreign: Iterable[Thing]) -> Iterator[str]:
    """Tell the planned networks of which the engine would say, in the midst of an update, that their pool overlaps."""
    held = [(ip_network(subnet), each) for each in foreign for subnet in each.subnets]
    for network in plan.networks:
        subnet = ip_network(network.subnet)
        for other, thing in held:
            # One of IPv6 overlaps none of IPv4.
            if subnet.version == other.version and subnet.overlaps(other):
                yield f"network {network.name} ({subnet}): {thing.name} has {other} and {_owner(thing, plan.stack)}"


def planned_names(plan: Plan) -> set[tuple[Kind, str]]:
    """List the names that Pulumi takes on its host for a plan, by kind; instances are the orchestrator's to name."""
    wanted: set[tuple[Kind, str]] = {("network", network.name) for network in plan.networks}
    wanted |= {("container", part.container) for part in plan.parts}
    return wanted | {("volume", volume) for part in plan.parts for volume in part.own_volumes}


def _owner(thing: Thing, stack: str) -> str:
    if thing.stack == stack:
        hint = "another checkout's stack, or its state is lost: docs/guides/backup.md"
        return f"has the label of stack {stack}, but this state does not know it ({hint})"
    return f"belongs to stack {thing.stack}" if thing.stack else "is not Runyard's"
