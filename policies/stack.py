"""Rules of whole stacks: what no resource shows by itself, over all that Pulumi would have in the stack.

Pulumi asks them when a preview or an update ends, so a preview refuses before anything is made.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from policies.resource import CONTAINER, VOLUME, part_of
from policies.uses import uses_in
from runyard import names
from runyard.plan.claim import Standing
from runyard.plan.quota import RESOURCES, Capacity, Case, Use, render_amount

NETWORK = "docker:index/network:Network"
ROLLOUT = "pulumi-python:dynamic/runyard:Rollout"
TENANT_NETWORK = "runyard:network:Network"
# All that the rules below look at.
STACK_TYPES = frozenset({CONTAINER, NETWORK, VOLUME, ROLLOUT, TENANT_NETWORK})
_MEBIBYTE = 1024 * 1024
# The kernel's default, where a container names none.
_CPU_PERIOD_US = 100_000
_TEMPLATE = names.ROLE_TEMPLATE


@dataclass(frozen=True, slots=True)
class Resource:
    """A resource of the stack as Pulumi knows it."""

    type: str
    name: str
    properties: Mapping[str, Any]

    @property
    def labels(self) -> dict[str, str]:
        """Its labels in the engine."""
        listed = self.properties.get("labels") or ()
        return {str(each.get("label")): str(each.get("value")) for each in listed}


@dataclass(frozen=True, slots=True)
class Stack:
    """All resources of a stack, and the host's capacity if one answers."""

    name: str
    resources: Sequence[Resource]
    capacity: Capacity | None = None

    def of(self, *types: str) -> list[Resource]:
        """List the resources of these types."""
        return [each for each in self.resources if each.type in types]


StackCheck = Callable[[Stack], Iterator[str]]


@dataclass(frozen=True, slots=True)
class StackRule:
    """A rule of a whole stack; `check` gives a message for each breach."""

    id: str
    sentence: str
    fix: str
    check: StackCheck


def check_parts(stack: Stack) -> Iterator[str]:
    """Find a second gateway or orchestrator, which would fight the first for ports, volumes and instances."""
    for role in (names.ROLE_GATEWAY, names.ROLE_ORCHESTRATOR):
        found = sorted(each.name for each in stack.of(CONTAINER) if each.labels.get(names.ROLE) == role)
        if len(found) > 1:
            yield f"at most one container must have the role {role}, got {', '.join(found)}"


def check_names(stack: Stack) -> Iterator[str]:
    """Find resources that ask the engine for one name."""
    for kind in (CONTAINER, NETWORK, VOLUME):
        users = defaultdict(list)
        for each in stack.of(kind):
            if each.properties.get("name"):
                users[str(each.properties["name"])].append(each.name)
        for name, found in sorted(users.items()):
            if len(found) > 1:
                yield f"the name {name} must be one resource's, got {', '.join(sorted(found))}"


def check_published(stack: Stack) -> Iterator[str]:
    """Find a port of the host that several containers publish."""
    users = defaultdict(list)
    for each in stack.of(CONTAINER):
        for port in each.properties.get("ports") or ():
            if port.get("external"):
                users[int(port["external"]), str(port.get("protocol") or "tcp")].append(each.name)
    for (number, protocol), found in sorted(users.items()):
        if len(found) > 1:
            yield f"port {number}/{protocol} must be published once, got {', '.join(sorted(found))}"


def check_labels(stack: Stack) -> Iterator[str]:
    """Find what does not say whose it is: recovery, verify and quotas would not see it."""
    for each in stack.of(CONTAINER, NETWORK, VOLUME):
        owner = each.labels.get(names.STACK)
        if owner != stack.name:
            yield f"{each.name}: label {names.STACK} must be {stack.name}, got {owner or 'none'}"


def check_networks(stack: Stack) -> Iterator[str]:
    """Find containers on a tenant's network that are no template: their calls would pass for a service's."""
    ours = names.tenant_network(stack.name, "")
    for each in stack.of(CONTAINER):
        joined = {str(network.get("name")) for network in each.properties.get("networksAdvanced") or ()}
        # A network can stand there by its name too.
        joined.add(str(each.properties.get("networkMode")))
        taken = sorted(name for name in joined if name.startswith(ours))
        if taken and (each.labels.get(names.ROLE) != _TEMPLATE or names.SPEC not in each.labels):
            yield f"{each.name}: only templates must be on a tenant's network, got {', '.join(taken)}"


def check_capacity(stack: Stack) -> Iterator[str]:
    """Find more memory than the host has, the parts and hand-written containers counted too."""
    if stack.capacity is None:
        return
    templates = sum(int(use.best.get("memory") or 0) for use in _uses(stack))
    others = sum(_memory_bytes(each) for each in stack.of(CONTAINER) if _standing(stack, each) is None)
    if templates + others > stack.capacity.memory_bytes:
        asked, had = (render_amount(each, "bytes") for each in (templates + others, stack.capacity.memory_bytes))
        yield f"all containers at their minScale must have at most the host's memory of {had}, got {asked}"


def check_quotas(stack: Stack) -> Iterator[str]:
    """Find tenants whose containers, hand-written ones with their label too, take more than their quota."""
    uses = _uses(stack)
    for network in stack.of(TENANT_NETWORK):
        tenant = network.name.removeprefix("tenant.")
        for resource, limit in sorted((network.properties.get("quotas") or {}).items()):
            if resource in ("cpu", "memory", "instances"):
                yield from _over(tenant, resource, int(limit), [use for use in uses if use.tenant == tenant])


def _over(tenant: str, resource: str, limit: int, uses: Sequence[Use]) -> Iterator[str]:
    cases: tuple[tuple[Case, str], ...] = (("best", "minScale"), ("worst", "maxScale"))
    for case, scale in cases:
        amounts = [(use.service, use.term(resource, case).amount or 0) for use in uses]
        total = sum(amount for _, amount in amounts)
        if total > limit:
            unit = RESOURCES[resource]
            terms = " + ".join(f"{service} {render_amount(amount, unit)}" for service, amount in amounts)
            asked, had = render_amount(total, unit), render_amount(limit, unit)
            yield f"tenant {tenant}'s containers must have at most {had} of {resource} at {scale}, got {asked}: {terms}"
            return


def _uses(stack: Stack) -> tuple[Use, ...]:
    found = [each for each in (_standing(stack, each) for each in stack.of(CONTAINER)) if each is not None]
    return uses_in(found, [each.properties for each in stack.of(ROLLOUT)])


def _standing(stack: Stack, container: Resource) -> Standing | None:
    """Give what a tenant's container uses; None for one that is no tenant's, such as the platform's parts."""
    labels = container.labels
    if names.TENANT not in labels or part_of(container.properties, stack.name):
        return None
    spec = json.loads(labels[names.SPEC]) if names.SPEC in labels else {}
    revision = spec.get("revision")
    # One without the label of a template is one container, however it is called.
    scale = (int(revision["min_instances"]), int(revision["max_instances"])) if revision else None
    quota = float(container.properties.get("cpuQuota") or 0)
    period = float(container.properties.get("cpuPeriod") or _CPU_PERIOD_US)
    return Standing(
        container=container.name,
        stack=stack.name,
        tenant=labels[names.TENANT],
        service=labels.get(names.SERVICE, container.name),
        revision=labels.get(names.REVISION, container.name),
        cpu_millis=int(quota * 1000 / period),
        memory_bytes=int(spec.get("memory_bytes") or _memory_bytes(container)),
        scale=scale,
    )


def _memory_bytes(container: Resource) -> int:
    # The provider counts in mebibytes, and Pulumi hands every number over as a float.
    return int(float(container.properties.get("memory") or 0) * _MEBIBYTE)


STACK_RULES = (
    StackRule("one-of-each-part", "A stack has one gateway and one orchestrator.", "remove the other", check_parts),
    StackRule("names-apart", "No two resources ask the engine for one name.", "rename one of them", check_names),
    StackRule("ports-apart", "No two containers publish one port.", "write Service manifests", check_published),
    StackRule(
        "stack-labelled",
        "Every container, network and volume has the label of its stack.",
        f"add the label {names.STACK}",
        check_labels,
    ),
    StackRule(
        "tenant-networks-kept",
        "Only templates are on a tenant's network.",
        "write a Service manifest, or make a network of its own",
        check_networks,
    ),
    StackRule("stack-fits-host", "All containers fit the host.", "ask for less, or use a larger host", check_capacity),
    StackRule(
        "tenant-within-quota",
        "A tenant's containers, hand-written ones too, keep within its quotas.",
        "ask for less, or raise it in the Tenant",
        check_quotas,
    ),
)
