"""World: a valid set of manifests as data, which changes change, and the files that say it."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import yaml

from tests.preview.mutations import AUTO, HELLO, KNATIVE, RUN, RUNYARD, Manifest, Mutation, example

Words = frozenset[str]

TENANTS = ("default", "red", "blue", "green")
# How many numbers a world may use up before it meets those of the next lane.
_NUMBERS = 100_000
NAMES = ("ant", "bee", "cat", "dog", "eel", "fox", "gnu", "hen", "ibis", "jay")
# More would take an update longer than it adds.
MOST_SERVICES = 6
# What all worlds of a stack need at the least, of the 8 that a host of two cores gives out: it may have other stacks.
MOST_CORES = 4
_COUNTS = (AUTO + "minScale", AUTO + "min-scale", RUN + "minScale", RUN + "manualInstanceCount")
USES, ROUTES, FALLBACK, EGRESS = (RUNYARD + name for name in ("uses", "routes", "fallback", "egress"))
INGRESS, MANUAL, MODE = (RUN + name for name in ("ingress", "manualInstanceCount", "scalingMode"))
DURATION = KNATIVE + "rollout-duration"
RATE = RUNYARD + "max-requests-per-second"
BACKEND = "defaultBackend"
# What a service says where its tenant's requests are limited; no mutation says the same.
ENFORCED_RATE = "70"
KEPT = 5


@dataclass
class Entry:
    """A service of the world: its manifest, and the mutation that was prepared for it and is not yet made.

    `revisions` are the names of its revisions that are sure to be kept, newest first, its own at first; "" is one whose
    name is a hash, which no change of ours names. `earlier` is a template that it had.
    """

    manifest: Manifest
    mutation: Mutation | None = None
    # One made of a mutation has who knows what in it, so that no other field of it is changed.
    plain: bool = True
    revisions: list[str] = field(default_factory=list)
    revised: bool = False
    # The most that an instance of any of its revisions had.
    heaviest: float = 0.0
    earlier: dict[str, Any] | None = None

    @property
    def name(self) -> str:
        return str(self.manifest["metadata"]["name"])

    @property
    def annotations(self) -> dict[str, str]:
        found: dict[str, str] = self.manifest["metadata"].setdefault("annotations", {})
        return found

    @property
    def template(self) -> dict[str, Any]:
        found: dict[str, Any] = self.manifest["spec"]["template"]
        return found

    @property
    def container(self) -> dict[str, Any]:
        found: dict[str, Any] = self.template["spec"]["containers"][0]
        return found

    @property
    def traffic(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.manifest["spec"].get("traffic", [])
        return found

    @property
    def revision(self) -> str:
        """The name that its template gives its revision; "" where a hash does."""
        return str(self.template["metadata"].get("name", ""))

    @property
    def callees(self) -> list[str]:
        return [each for each in self.annotations.get(USES, "").split(",") if each]

    @property
    def routes(self) -> list[str]:
        return [each for each in self.annotations.get(ROUTES, "").split(", ") if each]

    @property
    def follows_latest(self) -> bool:
        """Whether the newest revision gets a share of the traffic."""
        shares = [each for each in self.traffic if each.get("percent")]
        return not shares or any("revisionName" not in each for each in shares)

    @property
    def cores(self) -> float:
        """The most that its instances need of the host at the least: those of a revision that is kept count as well."""
        each = max(self.heaviest, sum(_cpu(container) for container in self.template["spec"]["containers"]))
        said = {**self.annotations, **self.template["metadata"]["annotations"]}
        return each * max(int(said.get(name, 0)) for name in _COUNTS) * max(1, len(self.traffic))

    def note(self, annotation: str, values: list[str], joint: str = ",") -> None:
        """Write a list into an annotation, and none at all if it is empty."""
        if values:
            self.annotations[annotation] = joint.join(values)
        else:
            self.annotations.pop(annotation, None)

    def settle(self, kept: int) -> None:
        """Note which revisions are kept once the change is made."""
        if self.revised or not self.revisions:
            self.revisions.insert(0, self.revision)
        self.revised = False
        self.heaviest = max(self.heaviest, sum(_cpu(container) for container in self.template["spec"]["containers"]))
        active = {each.get("revisionName", "") for each in self.traffic}
        newest, *past = self.revisions
        idle = [at for at, each in enumerate(past) if each not in active][:kept]
        self.revisions = [newest, *(each for at, each in enumerate(past) if each in active or at in idle)]


@dataclass
class World:
    """A set of manifests, and how it is written.

    `platform` is the Platform's `spec`; its ports and addresses are the stack's affair. `secrets` is the configuration
    that goes with the manifests, by tenant. `style` decides how files look and nothing else. `lane` is its place beside
    others on the same stack: they have no tenant, host or revision's name in common, and lane 0 has the Platform.
    """

    platform: dict[str, Any] = field(default_factory=dict)
    tenants: dict[str, dict[str, Any]] = field(default_factory=dict)
    services: dict[str, Entry] = field(default_factory=dict)
    secrets: dict[str, dict[str, Any]] = field(default_factory=dict)
    style: int = 0
    lane: int = 0
    made: int = 0

    @property
    def places(self) -> tuple[str, ...]:
        """Name the tenants that it may have; the first is always there."""
        return tuple(f"{each}-{self.lane}" if self.lane else each for each in TENANTS)

    @property
    def home(self) -> str:
        return self.places[0]

    @property
    def declared(self) -> dict[str, dict[str, Any]]:
        """Give all Tenants that manifests declare; the tenant `default` needs none."""
        return {self.home: {}, **self.tenants} if self.lane else self.tenants

    @property
    def gateway(self) -> dict[str, Any]:
        found: dict[str, Any] = self.platform.setdefault("gateway", {})
        return found

    @property
    def kept(self) -> int:
        return int(self.platform.get("revisions", {}).get("kept", KEPT))

    @property
    def cores(self) -> float:
        """The cores that all services need at the least."""
        return sum(each.cores for each in self.services.values())

    def number(self) -> int:
        """Give a number that was not there before."""
        self.made += 1
        return self.lane * _NUMBERS + self.made

    def of(self, tenant: str) -> Iterator[tuple[str, Entry]]:
        """Give a tenant's services by their keys."""
        return ((key, each) for key, each in sorted(self.services.items()) if tenant_of(key) == tenant)

    def limited(self, tenant: str) -> bool:
        """Say whether the tenant has a quota of requests, so that each service must say its own most."""
        return "requestsPerSecond" in self.tenants.get(tenant, {}).get("quotas", {})

    def add(self, key: str, entry: Entry) -> None:
        """Put a service where it belongs."""
        tenant = tenant_of(key)
        if tenant == "default":
            entry.manifest["metadata"].pop("namespace", None)
        else:
            entry.manifest["metadata"]["namespace"] = tenant
        if self.limited(tenant):
            entry.annotations.setdefault(RATE, ENFORCED_RATE)
        self.services[key] = entry

    def documents(self, platform: dict[str, Any]) -> list[dict[str, Any]]:
        """Give all documents; `platform` is what the stack says of its own ports."""
        spec = {**platform, **self.platform, "gateway": {**platform.get("gateway", {}), **self.gateway}}
        found = [_document("Platform", "platform", spec)]
        found += [_document("Tenant", name, spec) for name, spec in sorted(self.declared.items())]
        return [*found, *(each.manifest for _, each in sorted(self.services.items()))]

    def files(self, platform: dict[str, Any] | None = None) -> dict[str, str]:
        """Write the documents into files, by their names, as the style has it."""
        chance = random.Random(self.style)
        documents = self.documents(platform or {})
        chance.shuffle(documents)
        write = chance.choice((_write_json, _write_yaml, _write_yaml))
        several = 1 if write is _write_json else chance.choice((1, 2, len(documents)))
        parts = [documents[at : at + several] for at in range(0, len(documents), several)]
        name = chance.choice(("part-{}.yaml", "{}.yaml", "below/{}.yaml"))
        return {
            name.format(number): "---\n".join(write(_reordered(each, chance), chance) for each in part)
            for number, part in enumerate(parts)
        }


def _cpu(container: dict[str, Any]) -> float:
    text = str(container.get("resources", {}).get("limits", {}).get("cpu", "1"))
    return int(text[:-1]) / 1000 if text.endswith("m") else float(text)


def tenant_of(key: str) -> str:
    """Give the tenant of a service's key."""
    return key.partition("/")[0]


def plain(name: str) -> Entry:
    """Make a service that any change can be made of."""
    return Entry(example(HELLO, name))


def _document(kind: str, name: str, spec: dict[str, Any]) -> dict[str, Any]:
    return {"apiVersion": "runyard.dev/v1", "kind": kind, "metadata": {"name": name}, "spec": spec}


def _reordered(value: Any, chance: random.Random) -> Any:
    """Put the keys of mappings into another order, which says nothing."""
    if isinstance(value, dict):
        keys = list(value)
        chance.shuffle(keys)
        return {key: _reordered(value[key], chance) for key in keys}
    return [_reordered(each, chance) for each in value] if isinstance(value, list) else value


def _write_json(document: Any, chance: random.Random) -> str:
    return json.dumps(document, indent=chance.choice((None, 1, 4)), ensure_ascii=False) + "\n"


def _write_yaml(document: Any, chance: random.Random) -> str:
    comments = "".join(f"# {chance.choice(NAMES)}\n" for _ in range(chance.randrange(4)))
    flow = chance.choice((False, None))
    dump: Callable[..., str] = yaml.dump
    text = dump(document, Dumper=yaml.CSafeDumper, sort_keys=False, allow_unicode=True, default_flow_style=flow)
    return comments + text
