"""Use of planned services: revisions in traffic, each with its own bounds and with those of their service."""

from __future__ import annotations

from dataclasses import replace

import pytest

from runyard.contracts import RolloutRequest, TrafficShare
from runyard.manifest.model import Scaling
from runyard.plan import Plan, RevisionPlan, ServicePlan, plan
from runyard.plan.use import use_of_revisions, uses_of_plan
from tests.unit.runyard.plan.example import container, manifests, service, template

MIB = 1024**2


def planned(name: str, scale: tuple[int, int], memory_bytes: int = 512 * MIB) -> Plan:
    shape = template(name=name, containers=(container(memory_bytes=memory_bytes),), scaling=Scaling(*scale))
    return plan(manifests(service(template=shape)), "dev")


def latest(name: str, scale: tuple[int, int], memory_bytes: int = 512 * MIB) -> ServicePlan:
    (found,) = planned(name, scale, memory_bytes).services
    return found


OLD: RevisionPlan = latest("hello-old", (1, 9), 1920 * MIB).revision


def shared(new: int, old: int, scale: tuple[int, int] = (1, 2), **rollout: int | None) -> ServicePlan:
    """A service with its traffic on its latest revision, and on a larger one that is kept."""
    service_ = latest("hello-new", scale)
    traffic = (TrafficShare("hello-new", new), TrafficShare("hello-old", old))
    asked: RolloutRequest = replace(
        service_.rollout, traffic=tuple(each for each in traffic if each.percent), **rollout
    )
    return replace(service_, kept=(OLD,), rollout=asked)


def used(plan: ServicePlan) -> tuple[tuple[int | None, ...], tuple[int | None, ...]]:
    use = use_of_revisions("dev", plan)
    return tuple(use.best.values()), tuple(use.worst.values())


@pytest.mark.parametrize(
    ("plan", "best", "worst"),
    [
        # Kept and idle: it has no instances.
        (shared(100, 0), (1000, 512 * MIB, 1), (2000, 1024 * MIB, 2)),
        (shared(50, 50), (2000, 2432 * MIB, 2), (11000, (2 * 512 + 9 * 1920) * MIB, 11)),
        (shared(0, 100), (1000, 1920 * MIB, 1), (9000, 9 * 1920 * MIB, 9)),
        # The service's own maximum is for all of its revisions, each of which may be the largest.
        (shared(50, 50, max_instances=3), (2000, 2432 * MIB, 2), (3000, 3 * 1920 * MIB, 3)),
        (shared(50, 50, max_instances=1), (2000, 2432 * MIB, 2), (2000, 2 * 1920 * MIB, 2)),
        (shared(50, 50, min_instances=8), (8000, 4 * 2432 * MIB, 8), (13000, (4 * 512 + 9 * 1920) * MIB, 13)),
        (shared(50, 50, manual_instances=4), (4000, 2 * 2432 * MIB, 4), (4000, 2 * 2432 * MIB, 4)),
        (shared(50, 50, manual_instances=0), (0, 0, 0), (0, 0, 0)),
        # A maximum of 0 is none, unless the service has one.
        (shared(50, 50, scale=(1, 0)), (2000, 2432 * MIB, 2), (None, None, None)),
        (shared(50, 50, scale=(1, 0), max_instances=3), (2000, 2432 * MIB, 2), (3000, 3 * 1920 * MIB, 3)),
    ],
)
def test_revisions_in_traffic_count_at_their_own_size(
    plan: ServicePlan, best: tuple[int | None, ...], worst: tuple[int | None, ...]
) -> None:
    assert used(plan) == (best, worst)


def test_services_of_a_plan_are_found_by_tenant_and_name() -> None:
    uses = uses_of_plan(planned("hello-new", (1, 2)))
    assert {key: (use.tenant, use.service) for key, use in uses.items()} == {"default/hello": ("default", "hello")}
