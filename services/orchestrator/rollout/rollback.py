"""Rollback: all of a service's traffic on one of its revisions, as a rollout of its own. Pure."""

from __future__ import annotations

from dataclasses import replace

from runyard.contracts import RollbackRequest, RolloutRequest, TrafficShare
from runyard.errors import NotFound
from runyard.names import service_key


def roll_back(current: RolloutRequest | None, request: RollbackRequest) -> RolloutRequest:
    """Give the rollout that puts all traffic on the revision asked for at once; tags stay where they are.

    NotFound names the revisions that are kept, when that one is not.
    """
    where = f"rollback {service_key(request.tenant, request.service)}"
    if current is None:
        raise NotFound(f"{where}: it has no traffic in force")
    if request.revision not in current.history:
        known = ", ".join(current.history) or "none"
        raise NotFound(f"{where}: must be a revision that is kept ({known}), got {request.revision}")
    tagged = [replace(share, percent=0) for share in current.traffic if share.tag]
    traffic = (TrafficShare(request.revision, 100), *tagged)
    return replace(current, traffic=traffic, deadline_s=request.deadline_s, duration_s=0)
