"""Documents of a service: those signed, those to be signed, and which secrets' values they take; pure."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import asdict

from runyard import contracts
from runyard.contracts import RevisionDocument, SignedRevision
from runyard.errors import ContractError

Documents = Mapping[str, SignedRevision]


def parse_documents(text: str) -> dict[str, SignedRevision]:
    """Read a resource's `documents`: what was signed, by identity, in the order of the history."""
    signed = [SignedRevision(**each) for each in json.loads(text or "[]")]
    return {_field(each, "identity"): each for each in signed}


def render_documents(documents: Iterable[SignedRevision]) -> str:
    """Write a resource's `documents`, canonically."""
    return json.dumps([asdict(each) for each in documents], sort_keys=True, separators=(",", ":"))


def read(signed: SignedRevision) -> RevisionDocument:
    """Give the document that was signed."""
    return contracts.decode(RevisionDocument, signed.document)


def read_named(documents: Iterable[SignedRevision], revisions: Collection[str]) -> list[RevisionDocument]:
    """Give the documents of revisions with these names."""
    return [read(each) for each in documents if _field(each, "name") in revisions]


def carry_over(history: Sequence[str], known: Documents) -> list[SignedRevision]:
    """Give the documents of a history in its order; ContractError names the one that the state does not have."""
    missing = [each for each in history if each not in known]
    if missing:
        raise ContractError(f"carry revisions over: the state has no document of {', '.join(missing)}")
    return [known[each] for each in history]


def values_for(documents: Iterable[SignedRevision], values: Mapping[str, str]) -> dict[str, str]:
    """Give the values of the secrets that documents name, by digest; ContractError names one without."""
    found = {}
    for signed in documents:
        document = read(signed)
        for secret in document.secrets:
            if secret.digest and secret.digest not in values:
                raise ContractError(f"revision {document.name}: the state has no value of {secret.name}/{secret.key}")
            if secret.digest:
                found[secret.digest] = values[secret.digest]
    return dict(sorted(found.items()))


def _field(signed: SignedRevision, name: str) -> str:
    # Not the whole document as a message: a preview of a hundred services has five hundred of them.
    return str(json.loads(signed.document)[name])
