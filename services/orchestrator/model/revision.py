"""Revision: a document that is held, with the containers that an instance of it consists of."""

from __future__ import annotations

from dataclasses import dataclass, field

from runyard import names
from runyard.contracts import ContainerDocument, RevisionDocument
from runyard.names import service_key
from services.orchestrator.model.parts import Part, parts_of


def may_freeze(spec: RevisionDocument) -> bool:
    """Tell whether an instance is frozen, not stopped, when nobody calls the revision."""
    return spec.scaling.idle == "freeze"


@dataclass(frozen=True, slots=True)
class Revision:
    """A revision whose document is held; `parts` are all containers of an instance, `containers` those that serve.

    Both are in start order. `role` is what its containers are labelled as.
    """

    spec: RevisionDocument
    role: str = names.ROLE_INSTANCE
    parts: tuple[Part, ...] = field(init=False, compare=False, repr=False)
    containers: tuple[ContainerDocument, ...] = field(init=False, compare=False, repr=False)

    def __post_init__(self) -> None:
        parts = parts_of(self.spec)
        object.__setattr__(self, "parts", parts)
        object.__setattr__(self, "containers", tuple(each.document for each in parts if each.role == "app"))

    @property
    def owner(self) -> str:
        """Name the container that owns the network: the holder where there is one, else the first that serves."""
        first = self.parts[0].document.name
        return first if first == names.HOLDER else self.containers[0].name

    @property
    def tenant(self) -> str:
        """The tenant that it belongs to."""
        return self.spec.tenant

    @property
    def service(self) -> str:
        """The service that it is one of, within its tenant."""
        return self.spec.service

    @property
    def name(self) -> str:
        """Its name, within its tenant."""
        return self.spec.name

    @property
    def key(self) -> str:
        """Name the revision across tenants."""
        return service_key(self.tenant, self.name)

    @property
    def service_key(self) -> str:
        """Name its service across tenants."""
        return service_key(self.tenant, self.service)

    @property
    def uses(self) -> tuple[str, ...]:
        """Name the services that its instances may call: those whose hosts they know."""
        return self.spec.callees

    def container(self, name: str) -> ContainerDocument | None:
        """Give one of its containers that serve."""
        return next((each for each in self.containers if each.name == name), None)

    def part(self, name: str) -> Part | None:
        """Give one of an instance's containers, whatever it is there for."""
        return next((each for each in self.parts if each.document.name == name), None)
