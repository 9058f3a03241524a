"""Expectation: what the orchestrator must hold, and the engine must have of images, if a state is in force."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, NamedTuple

from runyard import contracts, names
from runyard.contracts import Holdings, RolloutRequest, RouteRequest, ServiceHolding
from runyard.errors import ContractError
from runyard.pulumi.state import State


class Expectation(NamedTuple):
    """The holding expected of each service, the images' names in its documents, and the ids that its traffic needs."""

    services: Mapping[str, ServiceHolding]
    images: frozenset[str]
    needed: Mapping[str, str]


def expect(deployed: State) -> Expectation:
    """Say what a state expects of its host; ContractError when a service in it cannot be read."""
    services: dict[str, ServiceHolding] = {}
    images: set[str] = set()
    needed: dict[str, str] = {}
    try:
        for resource in deployed.services:
            inputs = resource["inputs"]
            signed = [each["document"] for each in json.loads(resource["outputs"]["documents"])]
            documents = [json.loads(text) for text in signed]
            rollout = contracts.decode(RolloutRequest, inputs["rollout"])
            services[names.service_key(inputs["tenant"], inputs["service"])] = ServiceHolding(
                tenant=inputs["tenant"],
                service=inputs["service"],
                documents={
                    document["identity"]: names.digest(text) for document, text in zip(documents, signed, strict=True)
                },
                route=names.digest(contracts.encode(contracts.decode(RouteRequest, inputs["route"]))),
                rollout=names.digest(contracts.encode(rollout)),
                goal=rollout.traffic,
                settled=True,
            )
            active = {share.revision for share in rollout.traffic}
            for document in documents:
                images |= set(_named(document).values())
                if document["name"] in active:
                    needed |= {document["images"][name]["id"]: image for name, image in _named(document).items()}
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ContractError(f"read the services of the stack's state: {error!r}") from None
    return Expectation(services, frozenset(images), needed)


def _named(document: Mapping[str, Any]) -> dict[str, str]:
    """Map the containers of a document to the names of their images."""
    return {each["name"]: each["image"] for each in (*document["containers"], *document.get("init_containers", ()))}


def unlike(expected: Mapping[str, ServiceHolding], holdings: Holdings) -> list[str]:
    """Say of each service where the orchestrator's holding is not what is expected."""
    found = []
    held = {names.service_key(each.tenant, each.service): each for each in holdings.services}
    for key in sorted(held.keys() | expected.keys()):
        if key not in expected:
            found.append(f"service {key} is not in the state")
        elif key not in held:
            found.append(f"service {key} is not at the orchestrator")
        else:
            found += [f"service {key}: {each}" for each in _differing(expected[key], held[key])]
    return found


def _differing(expected: ServiceHolding, held: ServiceHolding) -> list[str]:
    found = []
    # More of them are no difference: a revision that is no longer kept goes with its last instance.
    if expected.documents.items() - held.documents.items():
        found.append("the orchestrator lacks a revision")
    if held.goal != expected.goal:
        found.append("its traffic was moved")
    if (held.route, held.rollout) != (expected.route, expected.rollout):
        found.append("another route or rollout is in force")
    if not held.settled:
        found.append("it is not ready")
    return found
