"""Public: what anybody on the host may read, and from whom a request for it may come. Pure."""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import replace

from runyard.contracts import EndpointList, InstanceList, OrchestratorStatus, RevisionList, RevisionStatus

# The names of the host's loopback. A browser that was told another name for 127.0.0.1 (DNS rebinding) sends that one.
LOCAL_HOSTS = ("localhost", "127.0.0.1", "::1")
_ADDRESS = re.compile(r"\b\d{1,3}(\.\d{1,3}){3}\b")
_HOST = re.compile(r"(?:\[([0-9A-Fa-f:.]+)\]|([^:\[\]]+))(?::\d*)?")


def is_allowed(host: str, allowed: Collection[str]) -> bool:
    """Tell whether a request's Host names one of these, with a port or without; an IPv6 address stands in brackets."""
    found = _HOST.fullmatch(host)
    return found is not None and (found[1] or found[2]).lower() in allowed


def public_status(status: OrchestratorStatus) -> OrchestratorStatus:
    """Give a status without what is its tenants' and the gateway's: what instances log, and where they are."""
    return replace(status, revisions=tuple(map(_public_revision, status.revisions)))


def public_revisions(listed: RevisionList) -> RevisionList:
    """Give revisions without what instances log, and where they are."""
    return replace(listed, revisions=tuple(map(_public_revision, listed.revisions)))


def public_instances(listed: InstanceList) -> InstanceList:
    """Give instances without where they are and what the engine calls their containers."""
    found = (
        replace(each, address="", containers=(), reason=_ADDRESS.sub("an address", each.reason))
        for each in listed.instances
    )
    return replace(listed, instances=tuple(found))


def public_endpoints(listed: EndpointList) -> EndpointList:
    """Give endpoints as how many there are."""
    return replace(listed, endpoints=tuple(replace(each, addresses=()) for each in listed.endpoints))


def _public_revision(revision: RevisionStatus) -> RevisionStatus:
    return replace(revision, logs=(), addresses=(), reason=_ADDRESS.sub("an address", revision.reason))
