"""Capacity: how many instances a revision should have, for itself and to take over traffic; the autoscaler's room."""

from __future__ import annotations

from collections.abc import Iterable

from runyard.contracts import RevisionDocument, RolloutRequest
from runyard.scaling import counts


def desired_count(spec: RevisionDocument, request: RolloutRequest, percent: int) -> int:
    """Count the instances that a revision keeps at this share of its service's traffic."""
    return counts.desired_count(counts.settings_of(spec, request), percent)


def matching_count(spec: RevisionDocument, request: RolloutRequest, percent: int, serving: int) -> int:
    """Count the instances that a revision needs before it gets this share of what `serving` instances carry now."""
    return counts.matching_count(counts.settings_of(spec, request), percent, serving)


def proving_count(spec: RevisionDocument, request: RolloutRequest, percent: int, serving: int) -> int:
    """Count the instances with which a revision that is new to the traffic is proved, or one is brought back."""
    return counts.proving_count(counts.settings_of(spec, request), percent, serving)


def most_instances(specs: Iterable[RevisionDocument], request: RolloutRequest) -> int | None:
    """Give the most instances that a service of these revisions may grow to by its manifest; None for no limit.

    Its tenant's quota counts it with them, so up to here nothing has to be asked.
    """
    settings = [counts.settings_of(spec, request) for spec in specs]
    if any(each.one_writer for each in settings):
        return 1
    bounds = [request.max_instances] if request.max_instances else []
    if settings and all(each.most for each in settings):
        bounds.append(sum(each.most for each in settings))
    return min(bounds, default=None)
