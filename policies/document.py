"""Rules of documents: what only one that no manifest made could say, so that reading manifests never asks for it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from runyard import names
from runyard.contracts import ContainerDocument, RevisionDocument

DocumentCheck = Callable[[RevisionDocument], Iterator[str]]


@dataclass(frozen=True, slots=True)
class DocumentRule:
    """A rule of a revision's document; `check` gives a message for each breach."""

    id: str
    sentence: str
    fix: str
    check: DocumentCheck


def check_network(document: RevisionDocument) -> Iterator[str]:
    """Find instances on another network than their tenant's: the host's own, or one where they pass for others."""
    own = [names.tenant_network(document.stack, document.tenant, internal=internal) for internal in (False, True)]
    if document.network not in own:
        yield f"network must be {' or '.join(own)}, got {document.network}"


def check_names(document: RevisionDocument) -> Iterator[str]:
    """Find names of which others are made, of containers and files, that could stand for something else there."""
    containers = (each.name for each in _containers(document))
    volumes = (each.name for each in document.volumes)
    for name in (document.tenant, document.service, document.name, *containers, *volumes):
        if not names.DNS_LABEL.fullmatch(name):
            yield f"names must be DNS labels, got {name!r}"
    chosen = names.revision_identity(document.name, document.digest, chosen=True)
    if document.identity not in (document.name, chosen):
        yield f"identity must be {document.name} or {chosen}, got {document.identity!r}"


def check_labels(document: RevisionDocument) -> Iterator[str]:
    """Find labels by which the platform knows its own."""
    for label in sorted(document.labels):
        if label.startswith(names.LABEL_PREFIX):
            yield f"label {label} must be left out, got it"


def check_paths(document: RevisionDocument) -> Iterator[str]:
    """Find mounts that leave the place that they are in."""
    for container in _containers(document):
        inside = [each.sub_path for each in container.volume_mounts if each.sub_path]
        places = [each.path for each in container.memory_mounts]
        places += [each.path for each in container.file_mounts]
        places += [each.path for each in container.volume_mounts]
        inside += [file.path for mount in container.file_mounts for file in mount.files]
        for path in inside:
            if path.startswith("/") or ".." in path.split("/"):
                yield f"container {container.name}: a path inside a mount must stay there, got {path!r}"
        for place in places:
            if not place.startswith("/") or ".." in place.split("/"):
                yield f"container {container.name}: a mount must be at an absolute path, got {place!r}"


def _containers(document: RevisionDocument) -> tuple[ContainerDocument, ...]:
    return (*document.containers, *document.init_containers)


_FIX = "declare it as the platform does, by components.service"
RULES = (
    DocumentRule("service-on-own-network", "A service's instances are on their tenant's network.", _FIX, check_network),
    DocumentRule("service-names-plain", "A service's names are those that a manifest can have.", _FIX, check_names),
    DocumentRule("service-labels-open", "No label of a service is one of the platform's.", _FIX, check_labels),
    DocumentRule("service-mounts-inside", "A service's mounts stay where they are.", _FIX, check_paths),
)
