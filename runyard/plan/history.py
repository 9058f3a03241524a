"""History of a plan: the earlier revisions whose documents stay, so that traffic can go back to them.

A service's history lists its revisions from the newest to the oldest, the one that its manifest makes first. What stays
is decided by the history before, the manifest and the Platform's number alone, so equal arguments give an equal plan.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping, Sequence

from runyard import names
from runyard.errors import ManifestError
from runyard.manifest.model import Manifests, Service
from runyard.manifest.problems import Problem, ordered
from runyard.plan.model import Plan, RevisionPlan, ServicePlan
from runyard.plan.network import plan_networks

Pasts = Mapping[str, Sequence[RevisionPlan]]


def keep_revisions(plan: Plan, manifests: Manifests, pasts: Pasts) -> Plan:
    """Add to a plan the revisions that stay, and the networks that they are on.

    `pasts` maps `tenant/service` to its history, newest first.

    ManifestError lists every traffic target that is neither made nor kept, and every revision name that would stand
    for two contents.
    """
    services = {names.service_key(each.tenant, each.name): each for each in manifests.services}
    problems: list[Problem] = []
    planned = []
    for each in plan.services:
        key = names.service_key(each.tenant, each.name)
        past = [revision for revision in pasts.get(key, ()) if revision.identity != each.revision.identity]
        problems += _check_name(each, services[key], past)
        problems += _check_traffic(each, services[key], past)
        planned.append(_keep(each, past, plan.platform.revisions.kept))
    if problems:
        raise ManifestError(ordered(problems))
    # Idle ones too: a rollback takes seconds, and nothing of Pulumi.
    networks = {revision.document.network for each in planned for revision in each.kept}
    return dataclasses.replace(plan, services=tuple(planned), networks=plan_networks(plan.stack, manifests, networks))


def _keep(plan: ServicePlan, past: Sequence[RevisionPlan], limit: int) -> ServicePlan:
    """Keep what has traffic or a tag, and of the idle ones the newest `limit`."""
    active = {share.revision for share in plan.rollout.traffic}
    idle = [each.identity for each in past if each.name not in active][:limit]
    kept = tuple(each for each in past if each.name in active or each.identity in idle)
    history = (plan.revision.name, *(each.name for each in kept))
    return dataclasses.replace(plan, kept=kept, rollout=dataclasses.replace(plan.rollout, history=history))


def _check_name(plan: ServicePlan, service: Service, past: Sequence[RevisionPlan]) -> Iterator[Problem]:
    """Require that the revision's name does not stand for other content already: revisions never change."""
    for each in past:
        if each.name == plan.revision.name:
            yield Problem(
                location=service.location,
                path="spec.template.metadata.name",
                message=f"must be new or stand for the same content as before, got {each.name} with other content",
                rule="revision.unchanging",
                hint="give the revision a new name, or none",
            )


def _check_traffic(plan: ServicePlan, service: Service, past: Sequence[RevisionPlan]) -> Iterator[Problem]:
    known = [plan.revision.name, *(each.name for each in past)]
    for index, target in enumerate(service.traffic):
        wanted = target.revision is not None and (target.percent or target.tag)
        if wanted and target.revision not in known:
            others = f" or one that is kept ({', '.join(known[1:])})" if past else "; none is kept"
            yield Problem(
                location=target.location or service.location,
                path=f"spec.traffic[{index}].revisionName",
                message=f"must be the revision that this manifest makes ({known[0]}){others}, got {target.revision}",
                rule="traffic.kept",
            )
