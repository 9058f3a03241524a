"""Observation: what the host has of a stack now, from one listing of its engine and one answer of the orchestrator."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from contextlib import ExitStack, closing
from typing import Any, NamedTuple
from urllib.parse import quote

from runyard import contracts, names
from runyard.contracts import Holdings
from runyard.errors import HostError
from runyard.host.relay import Relay
from runyard.host.transport import Transport
from runyard.pulumi.state import Thing
from runyard.uptodate.meanwhile import Meanwhile

# An orchestrator that runs answers in milliseconds; who has to wait longer can as well ask Pulumi.
_ANSWER_S = 3.0
# An update's last instances go some seconds after it, one by one. Each answer takes a tenth of a second.
_MORE_ANSWERS = 2
# Where `docker run` and a manifest leave it out.
_REGISTRY = ("docker.io/", "library/")
# A tar archive's block, its header included (POSIX ustar); a file's size stands in octal at this place of the header.
_BLOCK_BYTES, _SIZE = 512, slice(124, 136)


class Standing(NamedTuple):
    """A container as a listing shows it; `state` is Docker's word, such as `running`."""

    name: str
    id: str
    role: str
    image: str
    state: str


class Listing(NamedTuple):
    """What carries a stack's label, by one look at the engine; `host` is the engine's id and its capacity."""

    host: tuple[str, int, int]
    containers: tuple[Standing, ...]
    networks: tuple[tuple[str, str], ...]
    volumes: tuple[str, ...]
    # What an image's names stand for, and which other stacks have an orchestrator here.
    images: Mapping[str, str]
    neighbours: tuple[str, ...]

    @property
    def things(self) -> list[Thing]:
        """List kind, name and id of everything."""
        found: list[Thing] = [("container", each.name, each.id) for each in self.containers]
        found += [("network", name, id_) for name, id_ in self.networks]
        return found + [("volume", name, name) for name in self.volumes]

    def part(self, role: str) -> Standing | None:
        """Find the container of a part of the platform."""
        return next((each for each in self.containers if each.role == role), None)


class Observation(NamedTuple):
    """All that can be told of a stack's host; `claims` has the digest of what each other stack has claimed."""

    listing: Listing
    holdings: Holdings
    configuration: str
    claims: Mapping[str, str]


def observe_listing(transport: Transport, stack: str) -> Listing:
    """List what the engine has of a stack; HostError when it does not answer."""
    info = _get(transport, "/info")
    containers = _get(transport, "/containers/json?all=1" + _labelled(names.ROLE))
    networks = _get(transport, "/networks?" + _labelled(names.STACK, stack))
    volumes = _get(transport, "/volumes?" + _labelled(names.STACK, stack))["Volumes"] or []
    ours = [each for each in containers if each["Labels"].get(names.STACK) == stack]
    return Listing(
        host=(info["ID"], info["NCPU"], info["MemTotal"]),
        containers=tuple(sorted(map(_standing, ours))),
        networks=tuple(sorted((each["Name"], each["Id"]) for each in networks)),
        volumes=tuple(sorted(each["Name"] for each in volumes)),
        images=_images(_get(transport, "/images/json")),
        neighbours=tuple(
            sorted(
                {
                    each["Labels"].get(names.STACK, "")
                    for each in containers
                    if each["Labels"][names.ROLE] == names.ROLE_ORCHESTRATOR
                }
                - {stack}
            )
        ),
    )


def observe(transport: Transport, stack: str) -> Observation:
    """Look at the engine, the orchestrators and the gateway's configuration at once; HostError if one is silent.

    The orchestrators are asked through the engine, so that a remote host needs no open port.
    """
    with ExitStack() as questions:
        ask = questions.enter_context
        holdings = ask(_question(transport, stack, "/v1/holdings"))
        listing = observe_listing(transport, stack)
        orchestrator = listing.part(names.ROLE_ORCHESTRATOR)
        if orchestrator is not None and orchestrator.state != "running":
            raise HostError(f"container {orchestrator.name} is {orchestrator.state}")
        gateway = listing.part(names.ROLE_GATEWAY)
        configuration = ask(Meanwhile(lambda: _configuration(transport, gateway)))
        claims = {each: ask(_question(transport, each, "/v1/claim")) for each in listing.neighbours}
        return Observation(
            listing,
            _in_step(transport, stack, contracts.decode(Holdings, holdings.result())),
            configuration.result(),
            {each: names.digest(claim.result()) for each, claim in claims.items()},
        )


def _in_step(transport: Transport, stack: str, holdings: Holdings) -> Holdings:
    """Ask again while the gateway has not confirmed a change: it takes one in milliseconds, as when instances go."""
    for _ in range(_MORE_ANSWERS):
        if holdings.in_step:
            break
        holdings = contracts.decode(Holdings, _ask_orchestrator(transport, stack, "/v1/holdings"))
    return holdings


def find_image(images: Mapping[str, str], reference: str) -> str:
    """Give the id of what an image's name stands for, as Docker reads names; "" when the engine has none of it."""
    for prefix in _REGISTRY:
        reference = reference.removeprefix(prefix)
    if "@" not in reference and ":" not in reference.rpartition("/")[2]:
        reference += ":latest"
    return images.get(reference, "")


def _get(transport: Transport, path: str) -> Any:
    return transport.request("GET", path, timeout_s=_ANSWER_S).checked().json()


def _labelled(name: str, value: str = "") -> str:
    label = f"{name}={value}" if value else name
    return "&filters=" + quote(json.dumps({"label": [label]}))


def _standing(listed: Mapping[str, Any]) -> Standing:
    # One that is just being removed may have lost its names already.
    name = (listed["Names"] or [""])[0].lstrip("/")
    return Standing(name, listed["Id"], listed["Labels"][names.ROLE], listed["Image"], listed["State"])


def _images(listed: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    found = {}
    for each in listed:
        for name in (*(each.get("RepoTags") or ()), *(each.get("RepoDigests") or ())):
            found[name] = each["Id"]
    return found


def _ask_orchestrator(transport: Transport, stack: str, path: str) -> str:
    """Ask a stack's orchestrator over a relay of its own; "" where it says that there is nothing."""
    container = names.platform_container(stack, "orchestrator")
    wanted = {"AttachStdin": True, "AttachStdout": True, "AttachStderr": True, "Cmd": list(names.ORCHESTRATOR_RELAY)}
    execution = transport.request("POST", f"/containers/{container}/exec", wanted, _ANSWER_S).checked().json()["Id"]
    stream = transport.hijack("POST", f"/exec/{execution}/start", {"Detach": False, "Tty": False})
    with closing(Relay(stream)) as relay:
        status, answer = relay.request("GET", path, "", _ANSWER_S)
    if status == 404:
        return ""
    if status != 200:
        raise HostError(f"the orchestrator of stack {stack} answered {status} to {path}")
    return answer


def _question(transport: Transport, stack: str, path: str) -> Meanwhile[str]:
    return Meanwhile(lambda: _ask_orchestrator(transport, stack, path))


def _configuration(transport: Transport, gateway: Standing | None) -> str:
    """Hash the gateway's configuration as it lies in its volume; "" when there is none."""
    if gateway is None:
        return ""
    path = f"{names.GATEWAY_DIRECTORY}/{names.gateway_configuration(gateway.image)}"
    answer = transport.request("GET", f"/containers/{gateway.id}/archive?path={quote(path)}", timeout_s=_ANSWER_S)
    if answer.status == 404:
        return ""
    archive = answer.checked().data
    size = int(archive[_SIZE].rstrip(b"\0 "), 8)
    return hashlib.sha256(archive[_BLOCK_BYTES : _BLOCK_BYTES + size]).hexdigest()
