"""State of a stack as Pulumi keeps it, read here alone: what it has, what it left undone, and whose parent is what."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple, TypeVar

from runyard import names
from runyard.errors import ContractError
from runyard.names import Kind
from runyard.pulumi.marks import SIGNATURE

# What Pulumi's Docker provider makes that a listing of the engine shows.
_THINGS: Mapping[str, Kind] = {
    "docker:index/container:Container": "container",
    "docker:index/network:Network": "network",
    "docker:index/volume:Volume": "volume",
}
# Ours, pulumi-docker's, and what Pulumi itself keeps; of anything else nobody here can say how it is.
_KNOWN = ("docker:", "runyard:", "pulumi:pulumi:Stack", "pulumi:providers:docker", "pulumi:providers:runyard")
SERVICE = "runyard:index:Service"
STACK = "pulumi:pulumi:Stack"
_CLAIM = "runyard:index:Claim"
_CERTIFICATE = "runyard:index:Certificate"

# A mapping with more exact keys is as good.
AnyKind = TypeVar("AnyKind", bound=str)
Thing = tuple[str, str, str]
Named = tuple[Kind, str]
Resource = Mapping[str, Any]


class State(NamedTuple):
    """What a state says: its resources, what it has of the engine's by kind, name and id, and what it left undone.

    `begun` are the creations that an update was killed in, `certificates` names, `claim` a digest. `pending` says that
    an update was killed, and `problem` why nobody here can judge the state.
    """

    owned: Mapping[Named, str]
    services: Sequence[Resource]
    certificates: tuple[str, ...]
    claim: str
    outputs: Mapping[str, Any]
    pending: bool = False
    problem: str = ""
    begun: frozenset[Named] = frozenset()
    resources: Sequence[Resource] = ()


def parse_state(text: str | bytes) -> State:
    """Parse a checkpoint file or what `pulumi stack export` printed; ContractError when it is neither.

    Secrets are ciphers in it, which are never looked at.
    """
    try:
        value = json.loads(text)
        deployment = value["checkpoint"].get("latest") if "checkpoint" in value else value["deployment"]
        return _state(deployment or {})
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ContractError(f"read the stack's state: {error!r}") from None


def without_secrets(value: Any) -> Any:
    """Give a value of a state with `[secret]` where it has secrets: their ciphers change with every export."""
    if isinstance(value, dict):
        return "[secret]" if SIGNATURE in value else {key: without_secrets(each) for key, each in value.items()}
    return [without_secrets(each) for each in value] if isinstance(value, list) else value


def missing(owned: Mapping[tuple[AnyKind, str], str], present: Iterable[Thing]) -> list[str]:
    """Name what a state owns and the host has no more, such as `network runyard.dev.platform`, in order.

    `owned` maps kind and name to an engine's id, and `present` is what the engine lists with the stack's label.
    Pulumi's Docker provider does not see this by itself: its own previews say that nothing has changed.
    """
    there = set(present)
    return [f"{kind} {name}" for (kind, name), id_ in sorted(owned.items()) if (kind, name, id_) not in there]


def shown_outputs(state: State) -> dict[str, Any]:
    """Give the stack's outputs as `pulumi stack output` shows them: a secret as `[secret]`."""
    return {name: without_secrets(value) for name, value in state.outputs.items()}


def resources_by_urn(state: State) -> dict[str, Resource]:
    """Map URNs to resources; ContractError if one has none."""
    try:
        return {each["urn"]: each for each in state.resources}
    except KeyError as error:
        raise ContractError(f"read the stack's state: {error!r}") from None


def parents_of(state: State) -> dict[str, str]:
    """Map the URN of each resource to that of its parent; ContractError if one has none."""
    return {urn: each.get("parent", "") for urn, each in resources_by_urn(state).items()}


def _state(deployment: Mapping[str, Any]) -> State:
    resources = deployment.get("resources") or []
    operations = deployment.get("pending_operations") or []
    owned = {thing: each["id"] for each in resources if (thing := _thing(each)) and each.get("id")}
    begun = {
        thing for each in operations if each["type"] == "creating" and (thing := _thing(each.get("resource") or {}))
    }
    claims = [each["inputs"]["claim"] for each in resources if each["type"] == _CLAIM]
    return State(
        owned=owned,
        services=[each for each in resources if each["type"] == SERVICE],
        certificates=tuple(sorted(each["inputs"]["name"] for each in resources if each["type"] == _CERTIFICATE)),
        claim=names.digest(claims[0]) if claims else "",
        outputs=next((each.get("outputs") or {} for each in resources if each["type"] == STACK), {}),
        pending=bool(operations),
        problem="an update was killed before it ended" if operations else _problem(resources),
        begun=frozenset(begun - owned.keys()),
        resources=resources,
    )


def _thing(resource: Resource) -> Named | None:
    kind = _THINGS.get(resource.get("type", ""))
    name = (resource.get("inputs") or {}).get("name")
    return None if kind is None or name is None else (kind, name)


def _problem(resources: Sequence[Resource]) -> str:
    foreign = sorted({each["type"] for each in resources if not each["type"].startswith(_KNOWN)})
    if foreign:
        return f"the state has resources of another kind: {', '.join(foreign)}"
    if any(each.get("delete") or each.get("taint") or each.get("initErrors") for each in resources):
        return "an update left something undone"
    if not any(each["type"] == _CLAIM for each in resources):
        return "the state holds no whole stack of ours"
    return ""
