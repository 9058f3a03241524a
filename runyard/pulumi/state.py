"""State of a stack as Pulumi keeps it: what it says the host has, and what the orchestrator must answer to agree."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple, TypeVar

from runyard import names
from runyard.errors import ContractError

# What Pulumi's Docker provider makes that a listing of the engine shows.
_THINGS = {
    "docker:index/container:Container": "container",
    "docker:index/network:Network": "network",
    "docker:index/volume:Volume": "volume",
}
# Ours, pulumi-docker's, and what Pulumi itself keeps; of anything else nobody here can say how it is.
_KNOWN = ("docker:", "runyard:", "pulumi:pulumi:Stack", "pulumi:providers:docker", "pulumi:providers:runyard")
_SERVICE = "runyard:index:Service"
_CLAIM = "runyard:index:Claim"
_CERTIFICATE = "runyard:index:Certificate"
_STACK = "pulumi:pulumi:Stack"
# Pulumi's mark of a secret in a state (sdk/go/common/resource/properties.go).
_MARK = "4dabf18193072939515e22adb298388d"

Kind = str
# A mapping with more exact keys is as good.
AnyKind = TypeVar("AnyKind", bound=str)
Thing = tuple[Kind, str, str]


class Deployed(NamedTuple):
    """What a state says: engine ids by kind and name, services as resources, names of certificates, a claim's digest.

    `pending` says that an update was killed, and `problem` why nobody here can judge the state.
    """

    owned: Mapping[tuple[Kind, str], str]
    services: Sequence[Mapping[str, Any]]
    certificates: tuple[str, ...]
    claim: str
    outputs: Mapping[str, Any]
    pending: bool = False
    problem: str = ""


def parse_state(text: str | bytes) -> Deployed:
    """Parse a checkpoint file or what `pulumi stack export` printed; ContractError when it is neither."""
    try:
        value = json.loads(text)
        deployment = value["checkpoint"]["latest"] if "checkpoint" in value else value["deployment"]
        return _deployed(deployment or {})
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ContractError(f"read the stack's state: {error!r}") from None


def missing(owned: Mapping[tuple[AnyKind, str], str], present: Iterable[Thing]) -> list[str]:
    """Name what a state owns and the host has no more, such as `network runyard.dev.platform`, in order.

    `owned` maps kind and name to an engine's id, and `present` is what the engine lists with the stack's label.
    Pulumi's Docker provider does not see this by itself: its own previews say that nothing has changed.
    """
    there = set(present)
    return [f"{kind} {name}" for (kind, name), id_ in sorted(owned.items()) if (kind, name, id_) not in there]


def shown_outputs(deployed: Deployed) -> dict[str, Any]:
    """Give the stack's outputs as `pulumi stack output` shows them: a secret as `[secret]`."""
    return {name: _shown(value) for name, value in deployed.outputs.items()}


def _deployed(deployment: Mapping[str, Any]) -> Deployed:
    resources = deployment.get("resources") or []
    claims = [each["inputs"]["claim"] for each in resources if each["type"] == _CLAIM]
    pending = bool(deployment.get("pending_operations"))
    return Deployed(
        owned={
            (_THINGS[each["type"]], each["inputs"]["name"]): each["id"]
            for each in resources
            if each["type"] in _THINGS and each.get("id")
        },
        services=[each for each in resources if each["type"] == _SERVICE],
        certificates=tuple(sorted(each["inputs"]["name"] for each in resources if each["type"] == _CERTIFICATE)),
        claim=names.digest(claims[0]) if claims else "",
        outputs=next((each.get("outputs") or {} for each in resources if each["type"] == _STACK), {}),
        pending=pending,
        problem="an update was killed before it ended" if pending else _problem(resources),
    )


def _problem(resources: Sequence[Mapping[str, Any]]) -> str:
    foreign = sorted({each["type"] for each in resources if not each["type"].startswith(_KNOWN)})
    if foreign:
        return f"the state has resources of another kind: {', '.join(foreign)}"
    if any(each.get("delete") or each.get("taint") or each.get("initErrors") for each in resources):
        return "an update left something undone"
    if not any(each["type"] == _CLAIM for each in resources):
        return "the state holds no whole stack of ours"
    return ""


def _shown(value: Any) -> Any:
    if isinstance(value, dict):
        return "[secret]" if _MARK in value else {key: _shown(each) for key, each in value.items()}
    return [_shown(each) for each in value] if isinstance(value, list) else value
