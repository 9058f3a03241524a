"""Bindings: what a review rested on, so that an update can refuse when any of it has moved since; pure.

Digests stand for manifests, the price book and the stack's state. Secrets stand in none of them as themselves: those of
the state are left out, and a new value of one shows as another revision, as it does in Pulumi's state.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from runyard import contracts, names
from runyard.contracts import ImageIdentity
from runyard.errors import PlanError
from runyard.location import Location
from runyard.manifest.model import Manifests
from runyard.manifest.pricebook import default_book
from runyard.plan import Plan
from runyard.plan.history import Pasts
from runyard.pulumi.state import STACK, State, resources_by_urn, without_secrets
from runyard.reference import parse_reference

VERSION = 1
# Enough to tell two digests apart by eye.
_SHOWN = 8


@dataclass(frozen=True, slots=True)
class Bound:
    """A thing by its digest; `where` says where a reader finds it."""

    digest: str
    where: str = ""


@dataclass(frozen=True, slots=True)
class Binding:
    """All that a review rested on; `before` and `after` are the names of its two sides.

    `documents` is by kind and name, `revisions` by tenant and service, `resources` by URN. `images` has what each image
    of a revision that is to be made stood for, by its name in the manifest.
    """

    stack: str
    before: str
    after: str
    documents: Mapping[str, Bound]
    price_book: Bound
    revisions: Mapping[str, Bound]
    resources: Mapping[str, Bound]
    images: Mapping[str, ImageIdentity]
    version: int = VERSION


def images_to_bind(plan: Plan, pasts: Pasts) -> list[str]:
    """List the images of revisions that the state (`pasts`) does not have, by name; a digest binds itself."""
    made = {key: {past.identity for past in revisions} for key, revisions in pasts.items()}
    documents = [
        each.revision.document
        for each in plan.services
        if each.revision.identity not in made.get(names.service_key(each.tenant, each.name), ())
    ]
    images = {each.image for document in documents for each in (*document.init_containers, *document.containers)}
    return sorted(each for each in images if ":" not in parse_reference(each).version)


def bind(
    names_: tuple[str, str],
    manifests: Manifests,
    plan: Plan,
    state: State,
    images: Mapping[str, ImageIdentity],
) -> Binding:
    """Bind a plan of manifests, the state that it was made on, and what the images to bind stand for.

    ContractError if the state is none of Pulumi's.
    """
    book = manifests.price_book or default_book()
    return Binding(
        stack=plan.stack,
        before=names_[0],
        after=names_[1],
        documents=dict(_documents(manifests)),
        price_book=Bound(_digest(book), book.name),
        revisions={
            names.service_key(each.tenant, each.name): Bound(each.revision.digest, each.revision.name)
            for each in plan.services
        },
        resources=dict(_resources(state)),
        images=dict(sorted(images.items())),
    )


def parse_binding(text: str) -> Binding:
    """Parse a saved plan; ContractError if it is none, or one of another version."""
    return contracts.decode(Binding, text)


def check_binding(saved: Binding, now: Binding) -> None:
    """Refuse to go on when anything moved; PlanError names each thing that did, by what it is."""
    moved = list(_moved(saved, now))
    if moved:
        lines = "\n".join(f"  {line}" for line in moved)
        raise PlanError(
            f"the plan of {saved.before}..{saved.after} for stack {saved.stack} no longer holds, nothing was touched; "
            f"review anew, for since then:\n{lines}"
        )


def _moved(saved: Binding, now: Binding) -> Iterator[str]:
    if saved.stack != now.stack:
        yield f"stack: must be {saved.stack}, got {now.stack}"
    yield from _compare("manifest", saved.documents, now.documents)
    if saved.price_book.digest != now.price_book.digest:
        yield f"price book: {_shown(saved.price_book)} -> {_shown(now.price_book)}"
    # A document that changed makes another revision too: that is told already.
    changed = {
        key.partition(" ")[2]
        for key in saved.documents.keys() | now.documents.keys()
        if saved.documents.get(key) is None
        or now.documents.get(key) is None
        or saved.documents[key].digest != now.documents[key].digest
    }
    for key in sorted(saved.revisions.keys() & now.revisions.keys() - changed):
        old, new = saved.revisions[key], now.revisions[key]
        if old.digest != new.digest:
            yield f"secrets or Runyard itself: revision of {key}: {old.where} -> {new.where}"
    for image in sorted(saved.images.keys() & now.images.keys()):
        if not saved.images[image].is_same_as(now.images[image]):
            yield f"image: {image} stood for {saved.images[image].short}, and stands for {now.images[image].short}"
    yield from _compare("state", saved.resources, now.resources)


def _compare(what: str, saved: Mapping[str, Bound], now: Mapping[str, Bound]) -> Iterator[str]:
    for key in sorted(saved.keys() | now.keys()):
        old, new = saved.get(key), now.get(key)
        name = key.rpartition("::")[2] if key.startswith("urn:") else key
        if old is None and new is not None:
            yield f"{what}: {name} ({new.where}) was added"
        elif new is None and old is not None:
            yield f"{what}: {name} ({old.where}) was removed"
        elif old and new and old.digest != new.digest:
            yield f"{what}: {name} ({new.where}) changed: {old.digest[:_SHOWN]} -> {new.digest[:_SHOWN]}"


def _shown(bound: Bound) -> str:
    return f"{bound.where} {bound.digest[:_SHOWN]}".rstrip()


def _documents(manifests: Manifests) -> Iterator[tuple[str, Bound]]:
    yield f"Platform {manifests.platform.name}", _bound(manifests.platform, manifests.platform.location)
    for tenant in manifests.tenants:
        yield f"Tenant {tenant.name}", _bound(tenant, tenant.location)
    for service in manifests.services:
        yield f"Service {names.service_key(service.tenant, service.name)}", _bound(service, service.location)


def _bound(document: Any, location: Location | None) -> Bound:
    # Only the file's own name: the review read it from a checkout of its own.
    return Bound(_digest(document), location.file.rpartition("/")[2] if location else "by default")


def _digest(document: Any) -> str:
    # Prices are decimals, which JSON does not know.
    return names.digest(json.dumps(_plain(document), sort_keys=True, default=str))


def _plain(value: Any) -> Any:
    """Give a document as plain data, without the places that it was read from."""
    if dataclasses.is_dataclass(value):
        # What does not count in a comparison is such a place too.
        fields = [each.name for each in dataclasses.fields(value) if each.compare and each.name != "location"]
        return {name: _plain(getattr(value, name)) for name in fields}
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    return [_plain(item) for item in value] if isinstance(value, tuple | list) else value


def _resources(state: State) -> Iterator[tuple[str, Bound]]:
    for urn, each in resources_by_urn(state).items():
        # The stack's own outputs follow from the rest; they change while an update begins.
        if each["type"] != STACK:
            facts = {"id": each.get("id", ""), "inputs": without_secrets(each.get("inputs") or {})}
            kind = str(each["type"]).rpartition(":")[2]
            yield urn, Bound(names.digest(json.dumps(facts, sort_keys=True)), kind)
