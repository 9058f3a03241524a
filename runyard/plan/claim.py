"""Claims: what each stack of a host may use, told to the others before anything is made; pure.

A claim is a label that any stack's update can read. The newest of a stack counts, and with it what still stands of the
stack and is not in that claim: a revision that an update is about to remove.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from runyard.manifest.model import Manifests
from runyard.plan.model import Plan
from runyard.plan.quota import RESOURCES, Use, use_of

VERSION = 1
Key = tuple[str, str, str]


@dataclass(frozen=True, slots=True)
class Claim:
    """What a stack claims; `templates` names the containers that its services' amounts cover."""

    stack: str
    generation: int
    services: tuple[Use, ...] = ()
    templates: tuple[str, ...] = ()
    version: int = VERSION


@dataclass(frozen=True, slots=True)
class Standing:
    """A template that stands on the host: whose it is, its limits and, on a revision's ingress container, its scale."""

    container: str
    stack: str
    tenant: str
    service: str
    revision: str
    cpu_millis: int
    memory_bytes: int
    scale: tuple[int, int] | None = None


def make_claim(manifests: Manifests, plan: Plan, generation: int) -> Claim:
    """Claim what the services of a plan use."""
    services = tuple(use_of(plan.stack, service, manifests.platform.domain) for service in manifests.services)
    templates = [template.name for service in plan.services for template in service.revision.templates]
    # Earlier revisions without traffic stand only to be returned to. Those with some count by themselves: they may be
    # larger than the latest, whose size the services' amounts are of.
    templates += [name for service in plan.services for name in service.kept_names(plan.stack, idle=True)]
    return Claim(plan.stack, generation, services, tuple(sorted(templates)))


def newest(claims: Iterable[Claim]) -> tuple[Claim, ...]:
    """Give the newest claim of each stack, by stack."""
    found: dict[str, Claim] = {}
    for claim in sorted(claims, key=lambda each: (each.stack, each.generation)):
        found[claim.stack] = claim
    return tuple(found.values())


def uses_of(claims: Iterable[Claim], standing: Iterable[Standing]) -> tuple[Use, ...]:
    """Give what each service uses: the larger of its claim and of each revision that stands outside of it."""
    latest = newest(claims)
    found: dict[Key, Use] = {_key(use): use for claim in latest for use in claim.services}
    covered = {template for claim in latest for template in claim.templates}
    for use in _by_revision(each for each in standing if each.container not in covered):
        found[_key(use)] = _larger(found.get(_key(use)), use)
    return tuple(found[key] for key in sorted(found))


def _by_revision(standing: Iterable[Standing]) -> Iterator[Use]:
    """Add up the containers of each revision, as often as it may have instances."""
    revisions: dict[tuple[Key, str], list[Standing]] = {}
    for each in standing:
        revisions.setdefault(((each.stack, each.tenant, each.service), each.revision), []).append(each)
    for ((stack, tenant, service), _), containers in sorted(revisions.items()):
        cpu, memory = (sum(getattr(each, what) for each in containers) for what in ("cpu_millis", "memory_bytes"))
        # One that has lost its ingress container cannot be told to have no instance.
        least, most = next((each.scale for each in containers if each.scale is not None), (1, 1))
        # As of a service: an instance runs in any case, and takes no processor unless it was asked for.
        best, worst = (
            {"cpu": cpu * asked, "memory": memory * count, "instances": count, "services": 1, "hosts": 1}
            for asked, count in ((least, max(1, least)), (most, max(1, least, most)))
        )
        yield Use(stack, tenant, service, best, worst)


def _key(use: Use) -> Key:
    return use.stack, use.tenant, use.service


def _larger(one: Use | None, other: Use) -> Use:
    """Give the larger of two amounts of every resource."""
    if one is None:
        return other
    best, worst = (
        {resource: _most(here.get(resource, 0), there.get(resource, 0)) for resource in RESOURCES}
        for here, there in ((one.best, other.best), (one.worst, other.worst))
    )
    return Use(one.stack, one.tenant, one.service, best, worst)


def _most(one: int | None, other: int | None) -> int | None:
    return None if one is None or other is None else max(one, other)
