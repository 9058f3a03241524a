"""Deployment: what a stack's exported state says of the host, of each service's revisions, and of what was declared."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from runyard import contracts, names
from runyard.contracts import TemplateSpec, TrafficShare
from runyard.errors import ContractError
from runyard.host.engine import Kind
from runyard.plan import KeptRevision
from runyard.plan.effect import Document
from runyard.plan.outlook import Facts

_CONTAINER = "docker:index/container:Container"
_KINDS: Mapping[str, Kind] = {
    _CONTAINER: "container",
    "docker:index/network:Network": "network",
    "docker:index/volume:Volume": "volume",
}
_ROLLOUT = "pulumi-python:dynamic/runyard:Rollout"
# Components whose inputs are the facts that previews show.
_FACTS: Mapping[str, Document] = {
    "runyard:gateway:Gateway": "Gateway",
    "runyard:network:Network": "Network",
    "runyard:orchestrator:Orchestrator": "Orchestrator",
    "runyard:service:Service": "Service",
}

Resource = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Deployment:
    """A state: what it owns by kind and name, with ids, and which creations it left pending.

    `pasts` maps `tenant/service` to its revisions with all their templates, newest first, `traffic` to the
    traffic that was applied last. `facts` maps a kind of component and its name to what was declared of it.
    """

    owned: Mapping[tuple[Kind, str], str] = field(default_factory=dict)
    pending: frozenset[tuple[Kind, str]] = frozenset()
    pasts: Mapping[str, tuple[KeptRevision, ...]] = field(default_factory=dict)
    traffic: Mapping[str, tuple[TrafficShare, ...]] = field(default_factory=dict)
    facts: Facts = field(default_factory=dict)


def parse_deployment(export: str) -> Deployment:
    """Parse what `pulumi stack export` printed; ContractError when it is not of that shape."""
    try:
        deployment: dict[str, Any] = json.loads(export).get("deployment") or {}
        # What waits for its deletion has been replaced: it is there, and no longer what the stack is.
        every = deployment.get("resources") or []
        resources = [each for each in every if not each.get("delete")]
        owned = {thing: each["id"] for each in every if (thing := _docker_thing(each)) and each.get("id")}
        begun = {
            thing
            for operation in deployment.get("pending_operations") or []
            if operation["type"] == "creating" and (thing := _docker_thing(operation["resource"]))
        }
        rollouts = [each["outputs"] for each in resources if each["type"] == _ROLLOUT]
        templates = list(_templates(resources))
        return Deployment(
            owned=owned,
            pending=frozenset(begun - owned.keys()),
            pasts={_key(each): tuple(_past(each, templates)) for each in rollouts},
            traffic={_key(each): tuple(_share(share) for share in each.get("traffic") or ()) for each in rollouts},
            facts={
                (kind, str(each["urn"]).rpartition("::")[2]): each.get("inputs") or {}
                for each in resources
                if (kind := _FACTS.get(each["type"]))
            },
        )
    except (ValueError, KeyError, AttributeError, TypeError) as error:
        raise ContractError(f"read the stack's exported state: {error!r}") from None


class _Template(NamedTuple):
    """A template in the state: whose container it is, and all containers of its revision where it says so."""

    service: str
    revision: str
    identity: str
    digest: str
    container: str
    image: str
    siblings: tuple[str, ...]


def _templates(resources: Iterable[Resource]) -> Iterator[_Template]:
    digests = {each["urn"]: (each.get("inputs") or {}).get("digest") for each in resources}
    for each in resources:
        inputs = each.get("inputs") or {}
        labels = {label["label"]: label["value"] for label in inputs.get("labels") or () if each["type"] == _CONTAINER}
        digest = digests.get(each.get("parent"))
        if labels.get(names.ROLE) != names.ROLE_TEMPLATE or not digest:
            continue
        try:
            spec = contracts.decode(TemplateSpec, labels[names.SPEC])
        except ContractError:
            # Made by another version of us: the orchestrator cannot start it either.
            continue
        yield _Template(
            service=names.service_key(labels[names.TENANT], labels[names.SERVICE]),
            revision=labels[names.REVISION],
            identity=str(each["parent"]).rpartition("::")[2].partition(".")[2],
            digest=digest,
            container=labels[names.CONTAINER],
            image=inputs["image"],
            siblings=spec.revision.containers if spec.revision else (),
        )


def _past(rollout: Resource, templates: Iterable[_Template]) -> Iterator[KeptRevision]:
    """List a service's revisions as its last rollout that succeeded knew them, newest first.

    One whose rollout failed is not among them, and one that has lost a template can be started no more.
    """
    mine = [each for each in templates if each.service == _key(rollout)]
    latest = [each.identity for each in mine if each.digest == rollout["digest"]][:1]
    for identity in rollout.get("history") or latest:
        group = [each for each in mine if each.identity == identity]
        images = {each.container: each.image for each in group}
        needed = next((each.siblings for each in group if each.siblings), None)
        if needed is not None and images.keys() >= set(needed):
            yield KeptRevision(group[0].revision, identity, group[0].digest, images)


def _share(share: Resource) -> TrafficShare:
    return TrafficShare(share["revision"], int(share["percent"]), share["tag"])


def _key(rollout: Resource) -> str:
    return names.service_key(rollout["tenant"], rollout["service"])


def _docker_thing(resource: Resource) -> tuple[Kind, str] | None:
    kind = _KINDS.get(resource["type"])
    name = (resource.get("inputs") or {}).get("name")
    return None if kind is None or name is None else (kind, name)
