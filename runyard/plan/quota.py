"""Quotas: what each tenant asks for at its best and at its worst, and which limits that breaks.

Best is every service at its minScale, with the instance of each active revision that is frozen where that is asked for,
worst every service at its maxScale. Of CPU the best is what minScale asks for: an instance that is frozen holds its
memory, and no processor. Sums are whole numbers of base units, so one unit over a limit is over it.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from runyard.accounts import Quotas
from runyard.manifest.model import Location, Manifests, Service, Tenant
from runyard.names import service_host, service_key, tagged_host
from runyard.plan.parts import parts_of

Case = Literal["best", "worst"]
Unit = Literal["cpu", "bytes", "count"]

# A CPU limit is a ceiling, not a reservation: processor time is shared out when it is short, memory cannot be.
CPU_OVERCOMMIT = 4
# More terms than this make a message that nobody reads; the rest is summed up.
_TERMS_SHOWN = 8


@dataclass(frozen=True, slots=True)
class Term:
    """One service's part of a sum; `amount` is None when nothing bounds it."""

    service: str
    amount: int | None


@dataclass(frozen=True, slots=True)
class Demand:
    """A tenant's sum of one resource in one case; `amount` is None when a service's part has no bound."""

    resource: str
    unit: Unit
    case: Case
    terms: tuple[Term, ...]

    @property
    def amount(self) -> int | None:
        """The sum in base units."""
        amounts = [term.amount for term in self.terms]
        return None if None in amounts else sum(amount for amount in amounts if amount is not None)

    def describe(self) -> str:
        """Say the sum with its terms, the largest first."""
        ordered = sorted(self.terms, key=lambda term: (term.amount is not None, -(term.amount or 0), term.service))
        shown = [f"{term.service} {render_amount(term.amount, self.unit)}" for term in ordered[:_TERMS_SHOWN]]
        rest = ordered[_TERMS_SHOWN:]
        if rest:
            shown.append(f"{len(rest)} more {render_amount(sum(term.amount or 0 for term in rest), self.unit)}")
        return " + ".join(shown)


@dataclass(frozen=True, slots=True)
class Headroom:
    """One quota of a tenant: what it allows, and what is asked for at best and at worst, in base units."""

    tenant: str
    resource: str
    unit: Unit
    limit: int
    best: int | None
    worst: int | None


@dataclass(frozen=True, slots=True)
class QuotaFinding:
    """A limit that is broken: of a tenant's quota or, without a tenant, of the host.

    `fix` is empty where asking for less or allowing more mends it.
    """

    tenant: str
    resource: str
    case: Case
    unit: Unit
    limit: int
    asked: int | None
    message: str
    location: Location | None
    fix: str = ""


@dataclass(frozen=True, slots=True)
class Use:
    """What a service of a stack uses at its minScale and at its maxScale, by the quota's name; None is no bound."""

    stack: str
    tenant: str
    service: str
    best: Mapping[str, int | None]
    worst: Mapping[str, int | None]

    def term(self, resource: str, case: Case) -> Term:
        """Give its part of a sum, named for a message of another stack."""
        amounts = self.best if case == "best" else self.worst
        return Term(f"{self.service} of stack {self.stack}", amounts.get(resource, 0))


# By `tenant/service`.
Uses = Mapping[str, Use]


@dataclass(frozen=True, slots=True)
class Capacity:
    """What a host has: cores in thousandths, and memory in bytes."""

    cpu_millis: int
    memory_bytes: int


def demand_of(tenant: str, manifests: Manifests, case: Case, uses: Uses | None = None) -> dict[str, Demand]:
    """Sum up what a tenant's services ask for, by the name of the quota in the manifest.

    `uses` is what is known of them beside their manifests: where it is more, it counts.
    """
    own = [service for service in manifests.services if service.tenant == tenant]
    parts = {service.name: _parts(service, manifests.platform.domain, case, uses) for service in own}
    return {
        resource: Demand(resource, unit, case, tuple(Term(name, part[resource]) for name, part in parts.items()))
        for resource, unit in RESOURCES.items()
    }


def headroom(manifests: Manifests) -> tuple[Headroom, ...]:
    """Show every quota that is set beside what is asked for, by tenant and resource."""
    found = []
    for tenant in manifests.tenants:
        best, worst = (demand_of(tenant.name, manifests, case) for case in CASES)
        for resource, limit in limits_of(tenant.quotas).items():
            unit = RESOURCES[resource]
            amounts = best[resource].amount, worst[resource].amount
            found.append(Headroom(tenant.name, resource, unit, limit, *amounts))
    return tuple(found)


def use_of(stack: str, service: Service, domain: str) -> Use:
    """Sum up what a service of a stack uses, whose platform has this domain."""
    best, worst = (_parts(service, domain, case) for case in CASES)
    return Use(stack, service.tenant, service.name, best, worst)


def check_quotas(
    manifests: Manifests, elsewhere: Sequence[Use] = (), uses: Uses | None = None
) -> tuple[QuotaFinding, ...]:
    """Find every quota that the tenants' services break, and say in which case.

    `elsewhere` is what is used beside the manifests, by other stacks of the host above all: a tenant of the same name
    has one quota for all of them. `uses` is as in `demand_of`.
    """
    return tuple(
        finding for tenant in manifests.tenants for finding in _check_tenant(tenant, manifests, elsewhere, uses)
    )


def check_capacity(
    manifests: Manifests, capacity: Capacity, elsewhere: Sequence[Use] = (), uses: Uses | None = None
) -> tuple[QuotaFinding, ...]:
    """Find what of the host services and platform cannot fit in, at minScale, and a container larger than the host.

    `elsewhere` and `uses` are as in `check_quotas`.
    """
    totals: dict[str, list[Term]] = {"cpu": [], "memory": []}
    for service in manifests.services:
        part = _parts(service, manifests.platform.domain, "best", uses)
        for resource, terms in totals.items():
            terms.append(Term(f"{service.tenant}/{service.name}", part[resource]))
    # A part has no limit of processor time: it shares what there is with the instances.
    totals["memory"] += [Term(part.name, part.memory_bytes) for part in parts_of(manifests.platform)]
    for resource, terms in totals.items():
        terms += [use.term(resource, "best") for use in elsewhere]
    findings = list(_check_largest(manifests.services, capacity))
    limits = {"cpu": capacity.cpu_millis * CPU_OVERCOMMIT, "memory": capacity.memory_bytes}
    for resource, limit in limits.items():
        demand = Demand(resource, RESOURCES[resource], "best", tuple(totals[resource]))
        if (demand.amount or 0) > limit:
            what = f"the host's {resource}"
            if resource == "cpu":
                what += f" ({render_amount(capacity.cpu_millis, 'cpu')} cores, each given out {CPU_OVERCOMMIT} times)"
            findings.append(_finding("", what, demand, limit, None))
    return tuple(findings)


def limits_of(quotas: Quotas) -> dict[str, int]:
    """Give the limits that are set, by the name of the quota in the manifest."""
    limits = {
        "cpu": quotas.cpu_millis,
        "memory": quotas.memory_bytes,
        "instances": quotas.instances,
        "services": quotas.services,
        "storage": quotas.storage_bytes,
        "hosts": quotas.hosts,
        "requestsPerSecond": quotas.requests_per_second,
    }
    return {resource: limit for resource, limit in limits.items() if limit is not None}


def render_amount(amount: int | None, unit: Unit) -> str:
    """Render an amount exactly, in the largest unit that takes no more than three decimals, else in the base unit."""
    if amount is None:
        return "without limit"
    if unit == "cpu":
        return f"{amount // 1000}" if amount % 1000 == 0 else f"{amount}m"
    if unit == "bytes":
        for suffix, size in (("Gi", 1024**3), ("Mi", 1024**2), ("Ki", 1024)):
            if amount and amount % size == 0:
                return f"{amount // size}{suffix}"
    return str(amount)


# By the name of the quota in the manifest.
RESOURCES: dict[str, Unit] = {
    "cpu": "cpu",
    "memory": "bytes",
    "instances": "count",
    "services": "count",
    "storage": "bytes",
    "hosts": "count",
    "requestsPerSecond": "count",
}
CASES: tuple[Case, Case] = ("best", "worst")
# What bounds a service's part of a resource that its instances alone leave open.
_BOUNDS = {"requestsPerSecond": "runyard.dev/max-requests-per-second"}
_MAX_SCALE = "autoscaling.knative.dev/maxScale"


def most(one: int | None, other: int | None) -> int | None:
    """Give the larger of two amounts; None, which has no bound, is larger than any."""
    return None if one is None or other is None else max(one, other)


def _parts(service: Service, domain: str, case: Case, uses: Uses | None = None) -> dict[str, int | None]:
    """Give what a service takes of each resource; None is no bound."""
    index = CASES.index(case)
    running, working = service.scale[index], service.asked_scale[index]
    use = (uses or {}).get(service_key(service.tenant, service.name))
    known = {} if use is None else use.best if case == "best" else use.worst
    said: dict[str, int | None] = {
        "cpu": _times(working, service.template.cpu_millis),
        "memory": _times(running, service.template.memory_bytes),
        "instances": running,
        "services": 1,
        "storage": _storage(service, running),
        "hosts": len(_hosts(service, domain)),
        "requestsPerSecond": service.max_requests_per_second,
    }
    return {resource: most(amount, known.get(resource, 0)) for resource, amount in said.items()}


def _hosts(service: Service, domain: str) -> set[str]:
    """Give every host that a service answers; a route may stand on one that it has by its name."""
    own = service_host(service.name, service.tenant, domain)
    tagged = {tagged_host(target.tag, own) for target in service.traffic if target.tag}
    return {own, *tagged, *(route.host for route in service.routes)}


def _storage(service: Service, instances: int | None) -> int | None:
    """Give the memory that instances have as files, and the volumes that stay whatever runs."""
    temporary = _times(instances, service.template.storage_bytes)
    return None if temporary is None else temporary + service.persistent_bytes


def _times(instances: int | None, size: int) -> int | None:
    return size * instances if instances is not None else None if size else 0


def _check_tenant(
    tenant: Tenant, manifests: Manifests, elsewhere: Sequence[Use], uses: Uses | None
) -> Iterator[QuotaFinding]:
    demands = {case: demand_of(tenant.name, manifests, case, uses) for case in CASES}
    for resource, limit in limits_of(tenant.quotas).items():
        for case in CASES:
            demand = demands[case][resource]
            others = tuple(use.term(resource, case) for use in elsewhere if use.tenant == tenant.name)
            demand = dataclasses.replace(demand, terms=demand.terms + others)
            if demand.amount is None or demand.amount > limit:
                what = f"tenant {tenant.name}'s quota of {resource}"
                yield _finding(tenant.name, what, demand, limit, tenant.location)
                # What breaks at minScale breaks at maxScale too; the sooner one says it all.
                break


def _finding(tenant: str, what: str, demand: Demand, limit: int, location: Location | None) -> QuotaFinding:
    amount = demand.amount
    got, fix = render_amount(limit, demand.unit), ""
    if amount is None:
        bound = _BOUNDS.get(demand.resource, _MAX_SCALE)
        endless = [term.service for term in demand.terms if term.amount is None]
        some = [*endless[:_TERMS_SHOWN], *([f"{len(endless) - _TERMS_SHOWN} more"] if endless[_TERMS_SHOWN:] else [])]
        message = f"{what} must have every service bounded, to {got} together, got no bound for {', '.join(some)}"
        fix = f"set {bound} on {', '.join(some)}"
    else:
        scale = "at minScale" if demand.case == "best" else "at maxScale"
        asked, over = render_amount(amount, demand.unit), render_amount(amount - limit, demand.unit)
        message = f"{what} must be at least {asked} {scale}, got {got}, {over} over: {demand.describe()}"
    return QuotaFinding(tenant, demand.resource, demand.case, demand.unit, limit, amount, message, location, fix)


def _check_largest(services: Sequence[Service], capacity: Capacity) -> Iterator[QuotaFinding]:
    for service in services:
        for container in service.template.all_containers:
            # Docker refuses to create a container with more CPUs than the host has.
            if container.cpu_millis > capacity.cpu_millis:
                message = (
                    f"container {container.name} of service {service.tenant}/{service.name}: CPU limit must be at most "
                    f"the host's {render_amount(capacity.cpu_millis, 'cpu')} cores, "
                    f"got {render_amount(container.cpu_millis, 'cpu')}"
                )
                yield QuotaFinding(
                    "", "cpu", "best", "cpu", capacity.cpu_millis, container.cpu_millis, message, service.location
                )
