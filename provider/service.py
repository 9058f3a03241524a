"""Service: its revisions as signed documents, put to the stack's orchestrator with the traffic that they get.

Inputs: `stack`, `tenant`, `service`; `facts`, which previews show; `document`, the revision that the manifest makes;
`rollout`, `route`; `history`, the identities of the revisions that stay, the document's own first; `key`, the stack's
private key, and `values`, those of its secrets by digest, which are secret. Outputs: `documents`, as signed, in the
order of the history; `values` for all of them, secret; `revision`, the name of the newest that was rolled out.
"""

from __future__ import annotations

import dataclasses
import json
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from typing import Protocol

from provider.connection import Orchestrator
from provider.document import carry_over, parse_documents, read_named, render_documents, values_for
from provider.kind import Kind, Outputs, ResourceState, Unfinished, Values
from provider.wire import UNKNOWN
from runyard import contracts, names
from runyard.contracts import (
    Holdings,
    ImageIdentity,
    RevisionDocument,
    RolloutRequest,
    RouteRequest,
    ServiceRequest,
    SignedRevision,
)
from runyard.errors import HostUnreachable, RolloutError, RunyardError


class Images(Protocol):
    """What a service asks of images; `provider.image.Images` has it."""

    def find(self, reference: str) -> ImageIdentity | None:
        """Tell what a name or an id stands for on the engine now."""
        ...

    def resolve(self, reference: str) -> ImageIdentity:
        """Tell what a name stands for, having pulled it if need be."""
        ...

    def restore(self, reference: str, identity: ImageIdentity) -> None:
        """Bring back the image that a revision was made of."""
        ...


@dataclass(frozen=True, slots=True)
class Around:
    """What services are carried out with; `tell` shows a line to the user."""

    images: Images
    lend: Callable[[str], AbstractContextManager[Orchestrator]]
    holdings: Callable[[str], Holdings | None]
    carry_out: Callable[[ServiceRequest, str], None]
    tell: Callable[[str], None]


class Service(Kind):
    """A service of a stack; one that fails keeps what it had in force."""

    def __init__(self, around: Around) -> None:
        self._around = around
        self._told: set[str] = set()
        # By stack and tenant: the services whose rollouts failed in this update.
        self._failed: dict[tuple[str, str], str] = {}
        self._turn = threading.Lock()

    def identify(self, inputs: Values) -> str:
        """Name the service after its stack and tenant."""
        return f"{inputs['stack']}/{names.service_key(inputs['tenant'], inputs['service'])}"

    def find_lost(self, state: ResourceState) -> Sequence[str]:
        """Name what the orchestrator lacks of what the state has, and the documents if an image of theirs is gone."""
        holdings = self._around.holdings(state.inputs["stack"])
        lost = [] if holdings is None else lacking(holdings, state)
        # Moved traffic is told of by the program, which knows what it will be.
        if said := [each for each in lost if each != "rollout"]:
            service = names.service_key(state.inputs["tenant"], state.inputs["service"])
            self._tell(
                service, f"{service}: the orchestrator has lost its {' and '.join(said)}: an update puts it again"
            )
        if "documents" not in lost and self._images_lack(state):
            lost.append("documents")
        return lost

    def foresee(self, inputs: Values) -> Outputs:
        """Know the revision's name, and not yet what its images are."""
        document = inputs.get("document")
        name = UNKNOWN if document in (UNKNOWN, None) else contracts.decode(RevisionDocument, document).name
        return Outputs({"documents": UNKNOWN, "revision": name})

    def create(self, inputs: Values) -> Outputs:
        """Sign the document, put it, and wait for its rollout."""
        with self._noted(inputs):
            return self._apply(inputs, {}, {}, "")

    def update(self, state: ResourceState, inputs: Values) -> Outputs:
        """Sign what is new, carry the rest over, put all of it, and wait for the rollout."""
        documents = parse_documents(state.outputs.get("documents", ""))
        if state.inputs.get("key") != inputs["key"]:
            documents = {identity: _signed(inputs["key"], each.document) for identity, each in documents.items()}
        values = json.loads(state.outputs.get("values") or "{}")
        with self._noted(inputs):
            return self._apply(inputs, documents, values, state.outputs.get("revision", ""))

    def delete(self, state: ResourceState) -> None:
        """Withdraw the service; without an orchestrator nothing serves it, and the stack's sweep removes the rest.

        Where a rollout of its tenant's has failed, what failed may be what was to take its place: it stays.
        """
        tenant, service = state.inputs["tenant"], state.inputs["service"]
        with self._turn:
            failed = self._failed.get((state.inputs["stack"], tenant))
        if failed is not None:
            raise RolloutError(f"{names.service_key(tenant, service)} stays, as the rollout of {failed} failed")
        with self._around.lend(state.inputs["stack"]) as orchestrator:
            if orchestrator.running():
                orchestrator.remove_service(tenant, service)

    @contextmanager
    def _noted(self, inputs: Values) -> Iterator[None]:
        """Note a service that fails, for its tenant's removals: Pulumi goes on with what does not depend on it."""
        try:
            yield
        except RunyardError:
            tenant = inputs["tenant"]
            with self._turn:
                self._failed[inputs["stack"], tenant] = names.service_key(tenant, inputs["service"])
            raise

    def _apply(
        self, inputs: Values, known: Mapping[str, SignedRevision], held: Mapping[str, str], revision: str
    ) -> Outputs:
        planned = contracts.decode(RevisionDocument, inputs["document"])
        if planned.identity not in known:
            known = {**known, planned.identity: self._sign(planned, inputs["key"])}
        documents = carry_over(json.loads(inputs["history"]), known)
        values = values_for(documents, {**held, **json.loads(inputs.get("values") or "{}")})
        request = ServiceRequest(
            route=contracts.decode(RouteRequest, inputs["route"]),
            rollout=contracts.decode(RolloutRequest, inputs["rollout"]),
            revisions=tuple(documents),
            values=values,
        )
        try:
            self._restore(documents, request.rollout)
            self._around.carry_out(request, inputs["stack"])
        except RunyardError as error:
            # What was signed stays what it is, and what may have been put can be removed again.
            raise Unfinished(str(error), _outputs(documents, values, revision)) from error
        return _outputs(documents, values, planned.name)

    def _sign(self, planned: RevisionDocument, key: str) -> SignedRevision:
        containers = (*planned.init_containers, *planned.containers)
        images = {each.name: self._around.images.resolve(each.image) for each in containers}
        return _signed(key, contracts.encode(dataclasses.replace(planned, images=images)))

    def _restore(self, documents: Sequence[SignedRevision], rollout: RolloutRequest) -> None:
        """Bring back the images of the revisions with traffic, as far as they are gone."""
        for document in read_named(documents, _active(rollout)):
            for container in (*document.init_containers, *document.containers):
                self._around.images.restore(container.image, document.images[container.name])

    def _images_lack(self, state: ResourceState) -> bool:
        """Say whether an image of a revision with traffic is gone, and tell so; tell of moved tags too."""
        documents = parse_documents(state.outputs.get("documents", ""))
        rollout = contracts.decode(RolloutRequest, state.inputs["rollout"])
        lacks = False
        try:
            for document in read_named(documents.values(), _active(rollout)):
                for container in (*document.init_containers, *document.containers):
                    lacks = self._lacks(document, container.name, container.image) or lacks
        except HostUnreachable:
            # A preview goes on without the host; the program says so.
            return False
        return lacks

    def _lacks(self, document: RevisionDocument, container: str, image: str) -> bool:
        identity = document.images[container]
        service = names.service_key(document.tenant, document.service)
        if self._around.images.find(identity.id) is None:
            self._tell(
                f"gone {identity.id}",
                f"image {image} ({identity.short}) is gone from the engine; {service} and perhaps others are "
                "made of it: an update brings it back",
            )
            return True
        named = self._around.images.find(image)
        if named is not None and named.id != identity.id:
            self._tell(
                f"moved {image}",
                f"image {image} is another by now ({named.short}) than revision {document.name} of {service} and "
                f"perhaps others were made of ({identity.short}): revisions never change, so only a new one takes it",
            )
        return False

    def _tell(self, what: str, text: str) -> None:
        """Tell each thing once, however many services it is found at."""
        with self._turn:
            new = what not in self._told
            self._told.add(what)
        if new:
            self._around.tell(text)


def lacking(holdings: Holdings, state: ResourceState) -> list[str]:
    """Name what an orchestrator does not have as the state has it: documents, route, or the rollout in force; pure."""
    key = state.inputs["tenant"], state.inputs["service"]
    held = next((each for each in holdings.services if (each.tenant, each.service) == key), None)
    if held is None:
        return ["documents", "rollout", "route"]
    documents = parse_documents(state.outputs.get("documents", ""))
    route = contracts.decode(RouteRequest, state.inputs["route"])
    rollout = contracts.decode(RolloutRequest, state.inputs["rollout"])
    found = []
    if any(held.documents.get(identity) != names.digest(each.document) for identity, each in documents.items()):
        found.append("documents")
    if held.rollout != names.digest(contracts.encode(rollout)) or held.goal != rollout.traffic:
        found.append("rollout")
    if held.route != names.digest(contracts.encode(route)):
        found.append("route")
    return found


def _active(rollout: RolloutRequest) -> set[str]:
    return {share.revision for share in rollout.traffic}


def _signed(key: str, document: str) -> SignedRevision:
    # Here, as its library takes longer to import than most updates need.
    from provider.signature import sign

    return sign(key, document)


def _outputs(documents: Sequence[SignedRevision], values: Mapping[str, str], revision: str) -> Outputs:
    secret = {"values": json.dumps(values, sort_keys=True, separators=(",", ":"))} if values else {}
    return Outputs({"documents": render_documents(documents), "revision": revision}, secret)
