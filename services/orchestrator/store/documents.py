"""Documents: the signed revision documents that are held, a file each; what is not signed by our key is not used."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType

from runyard import files, names
from runyard.codec import VERSION
from runyard.contracts import RevisionDocument, SecretValue, SignedRevision, decode, encode
from runyard.errors import ContractError, UsageError
from runyard.journal import Journal
from services.orchestrator.model.revision import Revision
from services.orchestrator.store.acceptance import check_document
from services.orchestrator.store.signature import Verifier


@dataclass(frozen=True, slots=True)
class HeldDocument:
    """A document's file: the signed text, when it came (a higher number later), and whether it goes when it can.

    A document goes with its last instance, once its service was deleted or has put it out of its history.
    """

    document: str
    signature: str
    sequence: int
    leaving: bool = False
    version: int = VERSION

    @property
    def signed(self) -> SignedRevision:
        """What was put."""
        return SignedRevision(self.document, self.signature)


@dataclass(frozen=True, slots=True)
class _Entry:
    held: HeldDocument
    revision: Revision


class DocumentStore:
    """Documents by tenant and identity, in memory and on disk."""

    def __init__(self, directory: Path, stack: str, verifier: Verifier, journal: Journal) -> None:
        self._directory = directory / "documents"
        self._stack = stack
        self._verifier = verifier
        self._journal = journal
        self._entries: dict[str, _Entry] = {}
        self._corrupt: dict[str, str] = {}
        self._directory.mkdir(parents=True, exist_ok=True)
        self._load()
        self._revisions = self._name()

    @property
    def corrupt(self) -> Mapping[str, str]:
        """The files that are not used, with what is wrong with each."""
        return MappingProxyType(self._corrupt)

    @property
    def damaged(self) -> frozenset[str]:
        """The revisions whose files are not used, as `tenant/revision`, by the names of the files."""
        parted = (name.removesuffix(".json").partition(".") for name in self._corrupt)
        return frozenset(names.service_key(tenant, names.revision_of(identity)) for tenant, _, identity in parted)

    @property
    def revisions(self) -> Mapping[str, Revision]:
        """The revisions by `tenant/revision`; of two documents of one name, the newer in the last request counts.

        A revision that failed has left the other, and the manifest that mends it may use its name again.
        """
        return self._revisions

    @property
    def secrets(self) -> frozenset[SecretValue]:
        """Every secret value that some document needs."""
        return frozenset(each for entry in self._entries.values() for each in entry.revision.spec.secrets)

    def get(self, tenant: str, identity: str) -> Revision | None:
        """Give a revision by the identity of its document."""
        entry = self._entries.get(f"{tenant}.{identity}")
        return entry.revision if entry else None

    def named(self, tenant: str, name: str) -> tuple[Revision, ...]:
        """Give every revision of this name, the one that counts first."""
        key = names.service_key(tenant, name)
        found = [each for each in self._entries.values() if each.revision.key == key]
        return tuple(each.revision for each in sorted(found, key=lambda each: -each.held.sequence))

    def digests(self) -> Mapping[str, Mapping[str, str]]:
        """Give the digest of each signed document that stays, by identity, by `tenant/service`."""
        found: dict[str, dict[str, str]] = {}
        for _, entry in sorted(self._entries.items()):
            if not entry.held.leaving:
                spec = entry.revision.spec
                found.setdefault(entry.revision.service_key, {})[spec.identity] = names.digest(entry.held.document)
        return found

    def read(self, signed: SignedRevision) -> Revision:
        """Read a signed document; UsageError if it is not ours or asks for too much."""
        if not self._verifier.verify(signed):
            raise UsageError("revision document: must be signed by this stack's key, and its signature does not fit")
        spec = decode(RevisionDocument, signed.document)
        check_document(spec, self._stack)
        return Revision(spec)

    def put(self, signed: Iterable[SignedRevision]) -> None:
        """Keep documents, given newest first; what is held already and counts is left as it is."""
        for each in reversed(tuple(signed)):
            revision = self.read(each)
            path = f"{revision.tenant}.{revision.spec.identity}"
            entry, last = self._entries.get(path), self.named(revision.tenant, revision.name)[:1]
            counts = last == (revision,) or not last
            if entry is None or entry.held.signed != each or entry.held.leaving or not counts:
                sequence = 1 + max((other.held.sequence for other in self._entries.values()), default=0)
                self._save(path, HeldDocument(each.document, each.signature, sequence), revision)
        self._revisions = self._name()

    def leave(self, service: str, staying: Collection[str]) -> None:
        """Let a service's documents go when they have no instances, but for these identities."""
        for path, entry in list(self._entries.items()):
            gone = entry.revision.service_key == service and entry.revision.spec.identity not in staying
            if gone and not entry.held.leaving:
                self._save(path, replace(entry.held, leaving=True), entry.revision)

    def forget(self, used: Collection[tuple[str, str]]) -> bool:
        """Remove what goes and is not among these tenants' identities; tell whether anything went."""
        gone = [
            path
            for path, entry in self._entries.items()
            if entry.held.leaving and (entry.revision.tenant, entry.revision.spec.identity) not in used
        ]
        for path in gone:
            files.remove(self._directory / f"{path}.json")
            entry = self._entries.pop(path)
            self._journal.write("document gone", tenant=entry.revision.tenant, identity=entry.revision.spec.identity)
        if gone:
            self._revisions = self._name()
        return bool(gone)

    def _save(self, path: str, held: HeldDocument, revision: Revision) -> None:
        files.write(self._directory / f"{path}.json", encode(held))
        self._entries[path] = _Entry(held, revision)
        self._corrupt.pop(f"{path}.json", None)

    def _name(self) -> Mapping[str, Revision]:
        ordered = sorted(self._entries.values(), key=lambda each: each.held.sequence)
        return MappingProxyType({each.revision.key: each.revision for each in ordered})

    def _load(self) -> None:
        files.clear(self._directory)
        for path in sorted(self._directory.iterdir()):
            try:
                held = decode(HeldDocument, path.read_bytes())
                revision = self.read(held.signed)
                if path.stem != f"{revision.tenant}.{revision.spec.identity}":
                    raise UsageError(f"holds {revision.tenant}.{revision.spec.identity}")
                self._entries[path.stem] = _Entry(held, revision)
            except (ContractError, UsageError, OSError, ValueError) as error:
                self._corrupt[path.name] = str(error)
                self._journal.write("document not used", level="error", file=path.name, error=str(error))
