"""Quota: whether a tenant has room for one more run beside what runs of it. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from runyard.errors import PolicyError
from runyard.names import service_key
from services.orchestrator.model.revision import Revision


@dataclass(frozen=True, slots=True)
class Taken:
    """What one instance or run takes."""

    cpu_millis: int
    memory_bytes: int


def check_quota(revision: Revision, limits: Mapping[str, int], taken: Iterable[Taken]) -> None:
    """Require that a run of a revision fits into its tenant's quota; PolicyError names the first limit that it breaks.

    `limits` are by the name of the quota in the manifest, in thousandths of a core and bytes; `taken` is by everything
    of the tenant that runs.
    """
    found = [*taken, Taken(revision.spec.cpu_millis, revision.spec.memory_bytes)]
    asked = {
        "cpu": (sum(each.cpu_millis for each in found), "m"),
        "memory": (sum(each.memory_bytes for each in found), " bytes"),
        "instances": (len(found), ""),
    }
    for resource, (amount, unit) in asked.items():
        limit = limits.get(resource)
        if limit is not None and amount > limit:
            raise PolicyError(
                f"run {service_key(revision.tenant, revision.service)}: tenant {revision.tenant}'s quota of {resource} "
                f"must be at least {amount}{unit} while it runs, got {limit}{unit}"
            )
