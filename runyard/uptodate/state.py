"""State of a stack as Pulumi keeps it: what it says the host and the orchestrator have, and what must be there.

It is read as plain JSON and compared literally: what is not as expected differs, and a difference only asks Pulumi.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

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
Thing = tuple[Kind, str, str]


class Deployed(NamedTuple):
    """What a state says: engine ids by kind and name, what the orchestrator must answer, and images by name.

    `services` maps `tenant/service` to the holding expected of it. `pending` says that an update was killed, and
    `problem` why nobody here can judge the state.
    """

    owned: Mapping[tuple[Kind, str], str]
    services: Mapping[str, Mapping[str, Any]]
    certificates: tuple[str, ...]
    claim: str
    images: tuple[str, ...]
    outputs: Mapping[str, Any]
    pending: bool = False
    problem: str = ""


def parse_state(text: str | bytes) -> Deployed:
    """Parse a checkpoint file or what `pulumi stack export` printed; ContractError when it is neither."""
    try:
        value = json.loads(text)
        deployment = value["checkpoint"]["latest"] if "checkpoint" in value else value["deployment"]
        return _deployed(deployment or {})
    except (ValueError, KeyError, TypeError, AttributeError, IndexError) as error:
        raise ContractError(f"read the stack's state: {error!r}") from None


def missing(owned: Mapping[tuple[Kind, str], str], present: Iterable[Thing]) -> list[str]:
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
    foreign = sorted({each["type"] for each in resources if not each["type"].startswith(_KNOWN)})
    problem = f"the state has resources of another kind: {', '.join(foreign)}" if foreign else ""
    pending = bool(deployment.get("pending_operations"))
    if pending:
        problem = "an update was killed before it ended"
    elif any(each.get("delete") or each.get("taint") for each in resources):
        problem = "an update left something to delete"
    elif not any(each["type"] == _CLAIM for each in resources):
        problem = "the state holds no stack of ours"
    services = [each for each in resources if each["type"] == _SERVICE]
    return Deployed(
        owned={
            (_THINGS[each["type"]], each["inputs"]["name"]): each["id"] for each in resources if each["type"] in _THINGS
        },
        services={key: held for each in services for key, held in [_held(each)]},
        certificates=tuple(sorted(each["inputs"]["name"] for each in resources if each["type"] == _CERTIFICATE)),
        claim=next((names.digest(each["inputs"]["claim"]) for each in resources if each["type"] == _CLAIM), ""),
        images=tuple(sorted({image for each in services for image in _images(each)})),
        outputs=next((each.get("outputs") or {} for each in resources if each["type"] == _STACK), {}),
        pending=pending,
        problem=problem,
    )


def _held(service: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
    """Give what `GET /v1/holdings` must say of a service, in the words of `runyard.contracts.ServiceHolding`."""
    inputs = service["inputs"]
    documents = [each["document"] for each in json.loads(service["outputs"]["documents"])]
    return names.service_key(inputs["tenant"], inputs["service"]), {
        "tenant": inputs["tenant"],
        "service": inputs["service"],
        "documents": {json.loads(each)["identity"]: names.digest(each) for each in documents},
        "route": names.digest(inputs["route"]),
        "rollout": names.digest(inputs["rollout"]),
        "goal": json.loads(inputs["rollout"])["traffic"],
        "settled": True,
    }


def _images(service: Mapping[str, Any]) -> Iterator[str]:
    for signed in json.loads(service["outputs"]["documents"]):
        document = json.loads(signed["document"])
        for container in (*document["containers"], *document.get("init_containers", ())):
            yield container["image"]


def _shown(value: Any) -> Any:
    if isinstance(value, dict):
        return "[secret]" if _MARK in value else {key: _shown(each) for key, each in value.items()}
    return [_shown(each) for each in value] if isinstance(value, list) else value
