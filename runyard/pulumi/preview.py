"""Preview: what Pulumi says it would do, grouped by service, each group with its effect on running traffic; pure.

Only names and paths are taken from Pulumi's JSON, never a value, so no secret can get into a report.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from runyard.errors import ContractError
from runyard.names import service_key
from runyard.plan.effect import Effect, worst
from runyard.plan.effect_table import effect_of
from runyard.plan.outlook import decide_effects, describe_differences
from runyard.plan.parts import PARTS
from runyard.pulumi.state import SERVICE, STACK

StepOperation = Literal["create", "delete", "replace", "update"]
# Network, Service, Other, or that of a part of the platform.
Kind = str
_COMPONENTS: Mapping[str, Kind] = {
    **{part.component: part.kind for part in PARTS},
    "runyard:network:Network": "Network",
    SERVICE: "Service",
}
# Pulumi tells a replacement in three steps; they are one to a reader. What it only reads or keeps is no change.
_OPERATIONS: Mapping[str, StepOperation] = {
    "create": "create",
    "create-replacement": "replace",
    "delete": "delete",
    "delete-replaced": "replace",
    "import": "create",
    "replace": "replace",
    "update": "update",
}
# Services first: that is what the reader came for.
_ORDER = ("Service", *(part.kind for part in PARTS), "Network", "Other")
# Nothing that Pulumi makes beside the manifests is in the table of effects.
UNKNOWN = "not made from a manifest: what it does to traffic is not known"


@dataclass(frozen=True, slots=True)
class Step:
    """One resource that would change: its type's last word, its name, and the paths of inputs that differ."""

    op: StepOperation
    type: str
    name: str
    paths: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Group:
    """Steps of one service or part of the platform, and what they do to traffic; None where that is not known."""

    kind: Kind
    name: str
    effect: Effect | None
    steps: tuple[Step, ...]


@dataclass(frozen=True, slots=True)
class Preview:
    """All that would change in a stack, and the digest of each service's revision in the stack once it has."""

    stack: str
    groups: tuple[Group, ...]


def parse_preview(stack: str, text: str, parents: Mapping[str, str] | None = None) -> Preview:
    """Parse what `pulumi preview --json` wrote; ContractError if it is not that.

    `parents` maps URNs of the stack's present state to those of their parents: Pulumi leaves out what stays the same.
    """
    try:
        raw = [each for each in json.loads(text)["steps"] if each["op"] in _OPERATIONS]
        known = dict(parents or {})
        for each in raw:
            known[each["urn"]] = _state(each).get("parent", "")
        groups: dict[tuple[Kind, str], dict[str, dict[str, Any]]] = {}
        for each in raw:
            if _type(each["urn"]) != STACK:
                # The last of a replacement's three steps stands for all of them: they have one operation here.
                groups.setdefault(_owner(each["urn"], known), {})[each["urn"]] = each
        found = [_group(key, steps) for key, steps in groups.items()]
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ContractError(f"read the preview of stack {stack}: {error!r}") from None
    return Preview(stack, tuple(sorted(found, key=lambda each: (_ORDER.index(each.kind), each.name))))


def _group(key: tuple[Kind, str], steps: Mapping[str, Mapping[str, Any]]) -> Group:
    shown = [
        Step(_OPERATIONS[step["op"]], _type(urn).rpartition(":")[2], urn.rpartition("::")[2], _paths(step))
        for urn, step in steps.items()
    ]
    return Group(*key, worst(_effects(key[0], steps)), tuple(sorted(shown, key=lambda each: (each.type, each.name))))


def _effects(kind: Kind, steps: Mapping[str, Mapping[str, Any]]) -> Iterator[Effect]:
    if kind == "Other":
        return
    own = next((step for urn, step in steps.items() if _type(urn) in _COMPONENTS), None)
    op = _OPERATIONS[own["op"]] if own else None
    if op in ("create", "delete"):
        yield effect_of(kind, "", "add" if op == "create" else "remove")
        return
    # A state from before components had inputs tells nothing of what they were.
    if own and _shown(own, "oldState"):
        yield from decide_effects(kind, _shown(own, "oldState"), _shown(own, "newState")).values()
    # A new image of the gateway changes nothing that the component itself says.
    others = [step for urn, step in steps.items() if _type(urn) not in _COMPONENTS]
    if any(_OPERATIONS[step["op"]] in ("replace", "delete") for step in others):
        yield effect_of(kind, "")
    if kind == "Service" and own:
        # Whatever else is put again, such as traffic that was moved by hand: shares move as in every rollout.
        yield effect_of(kind, "traffic")


def _paths(step: Mapping[str, Any]) -> tuple[str, ...]:
    """Give the paths of an update or replacement, from Pulumi's own words or else from the inputs.

    What Pulumi says of a service is whole documents: what it shows of itself has the manifest's paths.
    """
    if _OPERATIONS[step["op"]] not in ("update", "replace"):
        return ()
    compared = describe_differences(_shown(step, "oldState"), _shown(step, "newState"))
    told = () if _type(step["urn"]) == SERVICE and compared else tuple(sorted(step.get("detailedDiff") or {}))
    return told or tuple(compared)


def _shown(step: Mapping[str, Any], state: str) -> Mapping[str, Any]:
    """Give what a resource shows of itself: a service has it as text among its inputs."""
    inputs: Mapping[str, Any] = (step.get(state) or {}).get("inputs") or {}
    if _type(step["urn"]) != SERVICE:
        return inputs
    facts: Mapping[str, Any] = json.loads(inputs.get("facts") or "{}")
    return facts


def _owner(urn: str, parents: Mapping[str, str]) -> tuple[Kind, str]:
    """Find the component that a resource belongs to; one that stands in none belongs to itself."""
    for each in _line(urn, parents):
        kind = _COMPONENTS.get(_type(each))
        if kind is not None:
            name = each.rpartition("::")[2]
            return kind, service_key(*name.split(".", 1)) if kind == "Service" else name
    return "Other", urn.rpartition("::")[2]


def _line(urn: str, parents: Mapping[str, str]) -> Iterable[str]:
    while urn:
        yield urn
        urn = parents.get(urn, "")


def _type(urn: str) -> str:
    """Give the type in a URN, `urn:pulumi:<stack>::<project>::<parent's type>$<type>::<name>`, without its parents'."""
    return urn.split("::", 3)[2].rpartition("$")[2]


def _state(step: Mapping[str, Any]) -> Mapping[str, Any]:
    found: Mapping[str, Any] = step.get("newState") or step.get("oldState") or {}
    return found
