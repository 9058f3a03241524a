"""Deployment: what a stack's exported state says of the host, of each service's revisions, and of what was declared."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from runyard import contracts, names
from runyard.contracts import RevisionDocument, RolloutRequest, SignedRevision, TrafficShare
from runyard.errors import ContractError, UsageError
from runyard.plan import RevisionPlan
from runyard.plan.effect_table import Document
from runyard.plan.outlook import Facts
from runyard.plan.parts import PARTS
from runyard.pulumi.state import SERVICE, Named, Resource, State, parse_state

# Components whose inputs are the facts that previews show; a service has them as text among its inputs.
_FACTS: Mapping[str, Document] = {
    **{part.component: part.kind for part in PARTS},
    "runyard:network:Network": "Network",
    SERVICE: "Service",
}
# What only a stack of the old form has: revisions that were never-started containers, and Pulumi's dynamic provider.
_OUTDATED = ("runyard:revision:Revision", "pulumi-python:dynamic/runyard:")


@dataclass(frozen=True, slots=True)
class Deployment:
    """A state: what it owns by kind and name, with ids, and which creations it left pending.

    `pasts` maps `tenant/service` to the revisions that it keeps, newest first, `traffic` to the traffic that was
    applied last. `facts` maps a kind of component and its name to what was declared of it. `outdated` says that the
    stack is of the form before revisions were documents: no update can carry it on, and nothing of it is a past here.
    """

    owned: Mapping[Named, str] = field(default_factory=dict)
    pending: frozenset[Named] = frozenset()
    pasts: Mapping[str, tuple[RevisionPlan, ...]] = field(default_factory=dict)
    traffic: Mapping[str, tuple[TrafficShare, ...]] = field(default_factory=dict)
    facts: Facts = field(default_factory=dict)
    outdated: bool = False


def parse_deployment(export: str) -> Deployment:
    """Parse a stack's state in terms of the plan; ContractError when it is not of that shape."""
    return describe_deployment(parse_state(export))


def describe_deployment(state: State) -> Deployment:
    """Say in terms of the plan what a state has; ContractError when a service in it cannot be read."""
    try:
        # What waits for its deletion has been replaced: it is there, and no longer what the stack is.
        resources = [each for each in state.resources if not each.get("delete")]
        services = {_key(each): each for each in resources if each["type"] == SERVICE}
        return Deployment(
            owned=state.owned,
            pending=state.begun,
            pasts={key: tuple(_past(key, each)) for key, each in services.items()},
            # Of a service whose last rollout failed, the inputs say what was asked for and not what came of it.
            traffic={key: _traffic(each) for key, each in services.items() if not each.get("initErrors")},
            facts={
                (kind, str(each["urn"]).rpartition("::")[2]): _facts(each)
                for each in resources
                if (kind := _FACTS.get(each["type"]))
            },
            outdated=any(str(each["type"]).startswith(_OUTDATED) for each in state.resources),
        )
    except (ValueError, KeyError, AttributeError, TypeError) as error:
        raise ContractError(f"read the stack's state: {error!r}") from None


def check_form(stack: str, deployment: Deployment) -> None:
    """Refuse a stack of the form before revisions were documents; UsageError says how to take it down."""
    if deployment.outdated:
        raise UsageError(
            f"stack {stack}: must be of this version of Runyard, got one whose revisions are containers "
            f"(take it down in a checkout of the version that made it: make down STACK={stack})"
        )


def _past(key: str, service: Resource) -> Iterator[RevisionPlan]:
    """List the revisions that a service keeps, newest first; one whose rollout failed is not among them.

    One that cannot be read refuses, as an update without it would remove it.
    """
    outputs = service.get("outputs") or {}
    for index, each in enumerate(json.loads(outputs.get("documents") or "[]")):
        try:
            signed = SignedRevision(**each)
            document = contracts.decode(RevisionDocument, signed.document)
        except (ContractError, TypeError) as error:
            raise ContractError(f"read the stack's state: revision {index} of {key}: {error}") from None
        # What a failed update put first was never served: the output still names what was.
        failed = service.get("initErrors") and index == 0 and document.name != outputs.get("revision")
        if not failed:
            yield RevisionPlan(document)


def _traffic(service: Resource) -> tuple[TrafficShare, ...]:
    return contracts.decode(RolloutRequest, service["inputs"]["rollout"]).traffic


def _facts(resource: Resource) -> dict[str, Any]:
    inputs: dict[str, Any] = resource.get("inputs") or {}
    return json.loads(inputs["facts"]) if resource["type"] == SERVICE else inputs


def _key(service: Resource) -> str:
    return names.service_key(service["inputs"]["tenant"], service["inputs"]["service"])
