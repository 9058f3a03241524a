"""Load of last week under what a review compares: instances, cold starts and cost of each changed service; pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from runyard.contracts import RecordedLoad
from runyard.errors import UsageError
from runyard.forecast.recorded import recorded_load
from runyard.forecast.simulation import Load, Simulated, Spans, price_again, simulate_service
from runyard.manifest.model import Manifests, Service
from runyard.names import service_key
from runyard.plan import ServicePlan, plan
from runyard.review.change import Change
from runyard.scaling.settings import ScalingSettings

# A week of a busy service takes some seconds on each side; a review of more is one of a move, not of scaling.
MOST_SERVICES = 10


@dataclass(frozen=True, slots=True)
class Asked:
    """What a stack has recorded of services, by `tenant/service`; `problem` says why it could not be asked."""

    records: Mapping[str, RecordedLoad] = field(default_factory=dict)
    problem: str = ""


@dataclass(frozen=True, slots=True)
class LoadChange:
    """What a recorded load does to a service before and after."""

    service: str
    before: Simulated
    after: Simulated


@dataclass(frozen=True, slots=True)
class LoadReview:
    """The changed services of which there is a recorded load; `left_out` says why others have none, by service."""

    services: tuple[LoadChange, ...] = ()
    left_out: Mapping[str, str] = field(default_factory=dict)
    problem: str = ""


class _Side(NamedTuple):
    """Manifests, and each of their services with its plan, by `tenant/service`."""

    manifests: Manifests
    services: Mapping[str, tuple[Service, ServicePlan]]


def changed_services(changes: Sequence[Change]) -> tuple[str, ...]:
    """Name the services that are on both sides and not the same."""
    came_or_went = {each.name for each in changes if each.document == "Service" and not each.path}
    named = {each.name for each in changes if each.document == "Service"}
    return tuple(sorted(named - came_or_went))


def review_load(before: Manifests, after: Manifests, services: Sequence[str], asked: Asked, day: str) -> LoadReview:
    """Simulate what was recorded of these services with both sides' manifests and prices; `day` is an ISO date."""
    if asked.problem:
        return LoadReview(problem=asked.problem)
    found, left_out, sides = list[LoadChange](), dict[str, str](), list[_Side]()
    for key in services:
        load = recorded_load(asked.records.get(key))
        if load is None:
            left_out[key] = "no request is recorded"
        elif len(found) >= MOST_SERVICES:
            left_out[key] = f"more than {MOST_SERVICES} services change"
        else:
            try:
                # Planned once, and only where a load is to be simulated.
                sides = sides or [_planned(before), _planned(after)]
                found.append(_compare(key, load, sides, day))
            except UsageError as error:
                left_out[key] = str(error)
    return LoadReview(tuple(found), left_out)


def _planned(manifests: Manifests) -> _Side:
    plans = {service_key(each.tenant, each.name): each for each in plan(manifests).services}
    services = {service_key(each.tenant, each.name): each for each in manifests.services}
    return _Side(manifests, {key: (each, plans[key]) for key, each in services.items()})


def _compare(key: str, load: Load, sides: Sequence[_Side], day: str) -> LoadChange:
    (old, old_scaling), (new, new_scaling) = (_found(side, key, load) for side in sides)
    before = simulate_service(old, *old_scaling, load, (sides[0].manifests, day))
    if old_scaling == new_scaling:
        # Most changes scale nothing, and a week takes seconds.
        return LoadChange(key, before, price_again(before, new, new_scaling[1], (sides[1].manifests, day)))
    return LoadChange(key, before, simulate_service(new, *new_scaling, load, (sides[1].manifests, day)))


def _found(side: _Side, key: str, load: Load) -> tuple[Service, tuple[ScalingSettings, Spans]]:
    service, planned = side.services[key]
    return service, planned.scaling(load.begins(0), load.length_s)
