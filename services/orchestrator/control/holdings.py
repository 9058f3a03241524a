"""Holdings: what there is of everything that updates put, as digests, for the next update to compare."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable

from runyard.contracts import Holdings, RolloutRequest, ServiceHolding, encode
from runyard.names import digest, service_key
from services.orchestrator.control.status import Scene, in_step
from services.orchestrator.rollout.joined import Parts
from services.orchestrator.traffic.commitment import Commitment, shares_to_serve


def describe_holdings(parts: Parts, scene: Scene) -> Holdings:
    """Describe services with their documents, and strangers; certificates and claim are their owners' to add."""
    documents = parts.documents.digests()
    services = []
    for key in sorted({*parts.rollouts.in_force, *documents}):
        tenant, _, service = key.partition("/")
        route, rollout = parts.store.routes.get(key), parts.rollouts.in_force.get(key)
        services.append(
            ServiceHolding(
                tenant,
                service,
                documents=documents.get(key, {}),
                route=digest(encode(route)) if route else "",
                rollout=digest(encode(request_of(rollout))) if rollout else "",
                goal=rollout.traffic if rollout else (),
                settled=rollout is not None and key not in scene.pending and _settled(rollout, scene),
            )
        )
    return Holdings(
        tuple(services),
        strangers=parts.tools.inventory.strangers(),
        images=_images(parts.rollouts.in_force.values(), scene),
        in_step=in_step(parts, scene),
    )


def request_of(commitment: Commitment) -> RolloutRequest:
    """Give the request that a rollout in force was made of."""
    return RolloutRequest(**{each.name: getattr(commitment, each.name) for each in dataclasses.fields(RolloutRequest)})


def _images(rollouts: Iterable[Commitment], scene: Scene) -> dict[str, str]:
    """Map the images of all revisions with traffic by the engine's ids to their names."""
    found = {}
    for rollout in rollouts:
        named = (scene.revisions.get(service_key(rollout.tenant, name)) for name in shares_to_serve(rollout))
        for spec in (revision.spec for revision in named if revision):
            for each in (*spec.init_containers, *spec.containers):
                if identity := spec.images.get(each.name):
                    found[identity.id] = each.image
    return dict(sorted(found.items()))


def _settled(rollout: Commitment, scene: Scene) -> bool:
    keys = [service_key(rollout.tenant, share.revision) for share in rollout.traffic]
    return all(key in scene.revisions and scene.ready.get(key, 0) >= scene.needed.get(key, 0) for key in keys)
