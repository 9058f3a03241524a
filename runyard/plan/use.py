"""Use of a planned service: what its revisions in traffic take, earlier ones at their own size; pure."""

from __future__ import annotations

from collections.abc import Mapping

from runyard.contracts import RolloutRequest
from runyard.names import service_key
from runyard.plan.model import Plan, ServicePlan
from runyard.plan.quota import RESOURCES, Use, Uses, most
from runyard.scaling.counts import revision_span, service_bound, settings_of, with_scheduled
from runyard.scaling.schedule import highest


def uses_of_plan(plan: Plan) -> Uses:
    """Give what the revisions in traffic of every service of a plan use, by `tenant/service`."""
    return {service_key(each.tenant, each.name): use_of_revisions(plan.stack, each) for each in plan.services}


def use_of_revisions(stack: str, plan: ServicePlan) -> Use:
    """Give what a service's revisions in traffic use of processor, memory and instances.

    A manifest tells of its latest revision alone; a revision that is kept and in traffic may be larger. Each counts at
    the scale that its document says and its service parts among them, as in `runyard.manifest.model.Service.scale`,
    and a schedule with the most that it ever asks for.
    """
    rollout = with_scheduled(plan.rollout, highest(plan.rollout.schedule))
    best: dict[str, int | None] = {"cpu": 0, "memory": 0, "instances": 0}
    worst = dict(best)
    largest = {"cpu": 0, "memory": 0, "instances": 0}
    shares = _shares(plan.rollout)
    for revision in plan.active:
        document = revision.document
        each_has = {"cpu": document.cpu_millis, "memory": document.memory_bytes, "instances": 1}
        settings, share = settings_of(document, rollout), shares[revision.name]
        # One that is frozen holds its memory and gets no CPU.
        span, asked = revision_span(settings, share, settings.held), revision_span(settings, share).least
        for resource, amount in each_has.items():
            best[resource] = _sum(best[resource], amount * (asked if resource == "cpu" else span.least))
            worst[resource] = _sum(worst[resource], None if span.most is None else amount * span.most)
            largest[resource] = max(largest[resource], amount)
    bound = plan.rollout.max_instances
    if bound and plan.rollout.manual_instances is None:
        # The service's own maximum is for all of its revisions together.
        for resource, amount in largest.items():
            bounded, asked_for = service_bound(bound, len(shares)) * amount, worst[resource]
            worst[resource] = most(best[resource], bounded if asked_for is None else min(asked_for, bounded))
    return Use(stack, plan.tenant, plan.name, best, worst)


def larger(one: Use, other: Use) -> Use:
    """Give the larger of two amounts of every resource; None, which has no bound, is larger than any."""
    best, worst = (
        {resource: most(here.get(resource, 0), there.get(resource, 0)) for resource in RESOURCES}
        for here, there in ((one.best, other.best), (one.worst, other.worst))
    )
    return Use(one.stack, one.tenant, one.service, best, worst)


def _shares(rollout: RolloutRequest) -> Mapping[str, int]:
    shares: dict[str, int] = {}
    for share in rollout.traffic:
        shares[share.revision] = shares.get(share.revision, 0) + share.percent
    return shares


def _sum(one: int | None, other: int | None) -> int | None:
    return None if one is None or other is None else one + other
