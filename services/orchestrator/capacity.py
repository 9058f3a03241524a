"""Capacity: how many instances a revision should have, for itself and to take over traffic; the autoscaler's room."""

from __future__ import annotations

from runyard.contracts import RevisionDocument, RolloutRequest, part_of


def desired_count(spec: RevisionDocument, request: RolloutRequest, percent: int) -> int:
    """Count the instances that a revision keeps at this share of its service's traffic.

    The service's own counts are divided by share and rounded up, so that together they are never too few. A revision
    that is named at all has an instance, unless the service is scaled to 0 by hand.
    """
    if request.manual_instances is not None:
        count = max(1, part_of(request.manual_instances, percent)) if request.manual_instances else 0
        return min(count, 1) if _has_one_writer(spec) else count
    return _within(spec, request, max(1, spec.min_instances, part_of(request.min_instances, percent)))


def matching_count(spec: RevisionDocument, request: RolloutRequest, percent: int, serving: int) -> int:
    """Count the instances that a revision needs before it gets this share of what `serving` instances carry now."""
    least = desired_count(spec, request, percent)
    if request.manual_instances is not None:
        return least
    return max(least, _within(spec, request, part_of(serving, percent)))


def _within(spec: RevisionDocument, request: RolloutRequest, count: int) -> int:
    if _has_one_writer(spec):
        return 1
    # A maximum of 0 is none; the revision's own minimum is never cut.
    bounds = [bound for bound in (spec.max_instances, request.max_instances) if bound]
    return max(1, spec.min_instances, min([count, *bounds]))


def _has_one_writer(spec: RevisionDocument) -> bool:
    return any(each.kind == "persistent" for each in spec.volumes)
