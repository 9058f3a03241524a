"""Planned: worlds through the loader and the planner, as an update sees them that knows the one before."""

from __future__ import annotations

import functools
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from runyard import contracts, names
from runyard.manifest import load
from runyard.plan import Plan, RevisionPlan, ServicePlan, keep_revisions, plan
from runyard.secrets import check_references, digest_secrets, flatten_secrets
from tests.preview.transitions.world import World

Pasts = Mapping[str, tuple[RevisionPlan, ...]]


def write_world(directory: Path, world: World, platform: dict[str, Any] | None = None) -> None:
    """Write a world's files into a directory, in which nothing else stays."""
    shutil.rmtree(directory, ignore_errors=True)
    for name, text in world.files(platform).items():
        file = directory / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")


def plan_world(directory: Path, world: World, before: Plan | None, stack: str = "dev") -> Plan:
    """Plan what was written of a world, with the revisions that the plan before it keeps."""
    secrets = flatten_secrets(world.secrets)
    manifests = load([directory]).manifests
    check_references(manifests, secrets)
    digests = {tenant: _digests(tenant, tuple(each.items())) for tenant, each in secrets.items()}
    return keep_revisions(plan(manifests, stack, digests), manifests, pasts_of(before) if before else {})


def by_key(found: Plan) -> dict[str, ServicePlan]:
    """Give the services of a plan by tenant and name."""
    return {names.service_key(each.tenant, each.name): each for each in found.services}


def pasts_of(found: Plan) -> Pasts:
    """Give the history of each service, newest first."""
    return {key: (each.revision, *each.kept) for key, each in by_key(found).items()}


def foretell(before: Plan, after: Plan) -> dict[str, tuple[str, tuple[str, ...]]]:
    """Say what an update does to each service, and for the sake of which inputs, as far as the plan tells them."""
    old, new = by_key(before), by_key(after)
    found: dict[str, tuple[str, tuple[str, ...]]] = {}
    for key in sorted(old.keys() | new.keys()):
        if key not in old or key not in new:
            found[key] = ("delete" if key in old else "create", ())
            continue
        one, other = _inputs(old[key]), _inputs(new[key])
        if differing := tuple(name for name in sorted(one) if one[name] != other[name]):
            found[key] = ("update", differing)
    return found


def foretell_networks(before: Plan, after: Plan) -> dict[str, str]:
    """Say what an update does to each network, by its name without the stack's."""
    old, new = ({each.name.split(".", 2)[2]: each for each in one.networks} for one in (before, after))
    both = old.keys() & new.keys()
    return {
        **dict.fromkeys(old.keys() - new.keys(), "delete"),
        **dict.fromkeys(new.keys() - old.keys(), "create"),
        **{name: "update" for name in both if old[name] != new[name]},
    }


def _inputs(service: ServicePlan) -> dict[str, Any]:
    """Give the inputs of a service's resource that a plan makes; the values of its secrets are none of a plan's."""
    document = service.revision.document
    return {
        "document": contracts.encode_differing(document),
        "facts": (service.facts, document.network, document.identity),
        "history": [each.identity for each in (service.revision, *service.kept)],
        "rollout": contracts.encode_differing(service.rollout),
        "route": contracts.encode_differing(service.route),
    }


@functools.cache
def _digests(tenant: str, values: tuple[tuple[str, str], ...]) -> Mapping[str, str]:
    # Slow by intent, and asked for again and again: these keep what was made.
    return digest_secrets({tenant: dict(values)})[tenant]
