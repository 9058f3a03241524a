"""Claims: what each stack of a host may use, told to the others before anything is made; pure.

A stack's orchestrator keeps its claim, and a container holds one that is not handed over yet; of a service that several
tell of, the largest amounts count. Where no orchestrator tells, the limits of what stands on the host count too.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from runyard import contracts, names
from runyard.errors import ContractError
from runyard.manifest.model import Manifests
from runyard.plan.model import Plan
from runyard.plan.part import PartPlan
from runyard.plan.quota import Use, use_of
from runyard.plan.use import larger, use_of_revisions

VERSION = 1
Key = tuple[str, str, str]


@dataclass(frozen=True, slots=True)
class Claim:
    """What a stack claims: the use of its services by tenant and name, and of its parts, which have no tenant."""

    stack: str
    services: tuple[Use, ...] = ()
    version: int = VERSION


@dataclass(frozen=True, slots=True)
class Standing:
    """A container of an instance that stands on the host, however it stands: whose it is, and its limits."""

    stack: str
    tenant: str
    service: str
    instance: str
    cpu_millis: int
    memory_bytes: int


def make_claim(manifests: Manifests, plan: Plan) -> Claim:
    """Claim what the services and parts of a plan use; an earlier revision that has traffic counts at its own size."""
    planned = {(each.tenant, each.name): each for each in plan.services}
    uses = []
    for service in manifests.services:
        kept = use_of_revisions(plan.stack, planned[service.tenant, service.name])
        uses.append(larger(use_of(plan.stack, service, manifests.platform.domain), kept))
    uses += [_use_of_part(each) for each in plan.parts]
    return Claim(plan.stack, tuple(sorted(uses, key=_key)))


def _use_of_part(plan: PartPlan) -> Use:
    # Of no tenant, so it counts to the host and to nobody's quota.
    memory = {"memory": plan.part.memory_bytes}
    return Use(plan.stack, "", plan.part.name, memory, memory)


def parse_claim(text: str, stack: str) -> Claim:
    """Parse the claim that a stack made; ContractError if it is none, or speaks for others.

    A claim is what somebody else wrote: one that speaks for another stack, or of less than nothing, would take room
    from others or make some for itself.
    """
    claim = contracts.decode(Claim, text)
    for told in (claim.stack, *(use.stack for use in claim.services)):
        if told != stack:
            raise ContractError(f"decode Claim: stack: must be {stack}, got {told}")
    for use in claim.services:
        for amounts in (use.best, use.worst):
            for resource, amount in amounts.items():
                if amount is not None and amount < 0:
                    where = f"{resource} of {names.service_key(use.tenant, use.service)}"
                    raise ContractError(f"decode Claim: {where}: must be at least 0, got {amount}")
    return claim


def join(claim: Claim, other: Claim) -> Claim:
    """Give what covers both claims of a stack: what stands by the one, and what comes by the other."""
    return Claim(claim.stack, uses_of((claim, other)))


def covers(claim: Claim, other: Claim) -> bool:
    """Tell whether a claim has room for all of another."""
    return join(claim, other) == join(claim, claim)


def uses_of(claims: Iterable[Claim], standing: Iterable[Standing] = ()) -> tuple[Use, ...]:
    """Give what each service uses: the largest of what claims say of it and of what stands, by stack and service."""
    found: dict[Key, Use] = {}
    for use in (*(use for claim in claims for use in claim.services), *_by_service(standing)):
        # With itself too, which names every resource.
        found[_key(use)] = larger(found.get(_key(use), use), use)
    return tuple(found[key] for key in sorted(found))


def _by_service(standing: Iterable[Standing]) -> Iterator[Use]:
    """Add up what stands of each service, of whichever revisions."""
    services: dict[Key, list[Standing]] = {}
    for each in standing:
        services.setdefault((each.stack, each.tenant, each.service), []).append(each)
    for key, containers in sorted(services.items()):
        amounts = {
            "cpu": sum(each.cpu_millis for each in containers),
            "memory": sum(each.memory_bytes for each in containers),
            "instances": len({each.instance for each in containers}),
            "services": 1,
            "hosts": 1,
        }
        yield Use(*key, best=amounts, worst=amounts)


def _key(use: Use) -> Key:
    return use.stack, use.tenant, use.service
