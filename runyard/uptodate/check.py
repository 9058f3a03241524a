"""Check whether all that an update would look at is as the last one left it, and the host as the state says.

Fingerprints say whether anything was changed that an update reads, comparisons whether the host still is what the state
says. Counts of instances are in neither: they are the orchestrator's, and no update changes them.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from runyard import names
from runyard.contracts import Holdings
from runyard.errors import RunyardError
from runyard.host.transport import Transport
from runyard.pulumi.state import State, missing, parse_state
from runyard.uptodate import fingerprint
from runyard.uptodate.expectation import Expectation, expect, unlike
from runyard.uptodate.meanwhile import Meanwhile
from runyard.uptodate.observation import Listing, Observation, find_image, observe
from runyard.uptodate.record import Record

# Containers that come and go beside what the state has.
_PASSING = (names.ROLE_INSTANCE, names.ROLE_RUN, names.ROLE_CLAIM)


class Subject(NamedTuple):
    """The update that is asked about: a stack of a project, with these manifests, from this environment.

    `checkout` is Runyard's own, `project` the directory whose Pulumi.yaml is in force, which may be the same.
    `state_file` is the file backend's own, `locks` the directory in which an update holds the stack, and
    `passphrase_file` the one that is in force unless the environment has a passphrase.
    """

    checkout: str
    project: str
    stack: str
    manifests: str
    environment: Mapping[str, str]
    passphrase_file: str
    state_file: str
    locks: str


class Comparison(NamedTuple):
    """Why Pulumi must be asked, each reason in a few words; without any, `deployed` is the state that stands."""

    reasons: Sequence[str]
    deployed: State | None = None


def compare(subject: Subject, record: Record, transport: Transport, day: str) -> Comparison:
    """Tell whether an update has nothing to do.

    `day` is the ISO date in UTC: waivers, certificates and price books have days on which they begin and end.
    """
    with (
        Meanwhile(lambda: observe(transport, subject.stack)) as asked,
        Meanwhile(lambda: _environment(subject, record)) as environment,
    ):
        try:
            if os.path.isdir(subject.locks) and os.listdir(subject.locks):
                return Comparison(["another update holds the stack"])
            with open(subject.state_file, "rb") as file:
                text = file.read()
            parts = {"state": hashlib.sha256(text).hexdigest(), **take_parts(subject, record.tools, day)}
            reasons = _moved(record, parts) + [f"{each} changed" for each in changed_reads(record.reads)]
            reasons += _moved(record, {"environment": environment.result()})
            if reasons:
                return Comparison(reasons)
            deployed = parse_state(text)
            expected = expect(deployed)
            seen = asked.result()
        except (OSError, ValueError, RunyardError) as error:
            return Comparison([str(error)])
    reasons = [*differences(deployed, expected, seen), *_moved(record, host_parts(expected, seen))]
    return Comparison(reasons, deployed)


def _environment(subject: Subject, record: Record) -> str:
    return fingerprint.of_environment(subject.environment, subject.passphrase_file, record.salt)


def changed_reads(reads: Mapping[fingerprint.Read, str]) -> list[str]:
    """List the paths of what was read and is not what it was."""
    return sorted({path for (kind, path), digest in reads.items() if fingerprint.of_read((kind, path)) != digest})


def take_parts(subject: Subject, tools: Sequence[str], day: str) -> dict[str, str]:
    """Take the fingerprints of what an update reads on this machine and does not change itself."""
    return {
        "request": fingerprint.of([subject.project, subject.manifests]),
        "day": day,
        "code": fingerprint.of_code(subject.checkout),
        "settings": fingerprint.of_settings(subject.project, subject.stack),
        "tools": fingerprint.of_tools([*tools, fingerprint.find_command("pulumi", subject.environment)]),
    }


def host_parts(expected: Expectation, seen: Observation) -> dict[str, str]:
    """Take the fingerprints of what the host has that the state cannot tell, or only in its cipher."""
    return {
        "host": fingerprint.of(seen.listing.host),
        "images": fingerprint.of({each: find_image(seen.listing.images, each) for each in expected.images}),
        "configuration": seen.configuration,
        "certificates": fingerprint.of(dict(seen.holdings.certificates)),
        "claims": fingerprint.of(dict(seen.claims)),
    }


def differences(deployed: State, expected: Expectation, seen: Observation) -> list[str]:
    """Say where the host is not what the state says."""
    if deployed.problem:
        return [deployed.problem]
    there = set(seen.listing.images.values())
    return [
        *(f"{each} is gone" for each in missing(deployed.owned, seen.listing.things)),
        *_standing(deployed, seen.listing),
        *unlike(expected.services, seen.holdings),
        *_kept(deployed, seen.holdings),
        *(f"image {name} is gone" for id_, name in sorted(expected.needed.items()) if id_ not in there),
        *([] if seen.configuration else ["the gateway has no configuration"]),
    ]


def _standing(deployed: State, listing: Listing) -> Iterator[str]:
    for each in listing.containers:
        if each.role in _PASSING:
            continue
        if deployed.owned.get(("container", each.name)) != each.id:
            yield f"container {each.name} is not in the state"
        elif each.state != "running":
            yield f"container {each.name} is {each.state}"
    for name, id_ in listing.networks:
        if deployed.owned.get(("network", name)) != id_:
            yield f"network {name} is not in the state"


def _kept(deployed: State, holdings: Holdings) -> Iterator[str]:
    if holdings.claim != deployed.claim:
        yield "the orchestrator holds another claim"
    if tuple(sorted(holdings.certificates)) != deployed.certificates:
        yield "the orchestrator holds other certificates"
    for stranger in holdings.strangers:
        yield f"container {stranger} is nobody's"
    if not holdings.in_step:
        yield "the gateway is not in step with the orchestrator"


def _moved(record: Record, parts: Mapping[str, str]) -> list[str]:
    return [f"the {name} changed" for name, digest in parts.items() if record.parts.get(name) != digest]
