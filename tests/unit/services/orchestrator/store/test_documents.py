from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from runyard import names
from runyard.contracts import RevisionDocument, SecretValue, SignedRevision, Variable, encode
from runyard.errors import ContractError, UsageError
from services.orchestrator.store.documents import DocumentStore, HeldDocument
from services.orchestrator.store.signature import Verifier

from ..world import FOREIGN_KEY, PUBLIC_KEY, STACK, ListJournal, container, document, sign

ONE, TWO = document("hello-1"), document("hello-2")


def store(directory: Path, journal: ListJournal | None = None) -> DocumentStore:
    return DocumentStore(directory, STACK, Verifier(PUBLIC_KEY), journal or ListJournal())


def put(into: DocumentStore, *documents: RevisionDocument) -> None:
    """Put documents, newest first."""
    into.put(map(sign, documents))


def test_documents_survive_a_restart_with_their_signatures(tmp_path: Path) -> None:
    put(store(tmp_path), TWO, ONE)
    again = store(tmp_path)
    assert {key: each.spec for key, each in again.revisions.items()} == {"default/hello-1": ONE, "default/hello-2": TWO}
    assert again.digests() == {"default/hello": {each.identity: names.digest(encode(each)) for each in (ONE, TWO)}}
    assert again.corrupt == {}


def test_what_is_held_already_is_not_written_again(tmp_path: Path) -> None:
    held = store(tmp_path)
    put(held, ONE)
    before = (tmp_path / "documents" / "default.hello-1.json").stat()
    put(held, ONE)
    assert (tmp_path / "documents" / "default.hello-1.json").stat().st_ino == before.st_ino


@pytest.mark.parametrize(
    "broken",
    [
        "{",
        encode(HeldDocument(encode(ONE), sign(ONE, FOREIGN_KEY).signature, 1)),
        encode(HeldDocument(encode(replace(ONE, port=1)), sign(ONE).signature, 1)),
        encode(HeldDocument(encode(document(stack="other")), sign(document(stack="other")).signature, 1)),
        encode(HeldDocument(encode(TWO), sign(TWO).signature, 1)),
    ],
    ids=["torn", "foreign_key", "changed", "other_stack", "other_name"],
)
def test_file_that_is_not_a_document_of_ours_is_said_and_not_used(tmp_path: Path, broken: str) -> None:
    put(store(tmp_path), ONE)
    (tmp_path / "documents" / "default.hello-1.json").write_text(broken)
    journal = ListJournal()
    again = store(tmp_path, journal)
    assert again.revisions == {}
    assert list(again.corrupt) == ["default.hello-1.json"]
    assert journal.events() == ["document not used"]
    put(again, ONE)
    assert (list(again.revisions), again.corrupt) == (["default/hello-1"], {})


@pytest.mark.parametrize("identity", ["", "..", "../../etc", "a/b", "A.b", "a.b/c"])
def test_identity_that_would_leave_the_directory_is_refused(tmp_path: Path, identity: str) -> None:
    with pytest.raises(UsageError, match="identity: must be its name, or its name and a hash"):
        put(store(tmp_path), document(identity=identity))


def test_what_is_signed_and_no_document_is_refused(tmp_path: Path) -> None:
    signed = sign(replace(ONE, version=9))
    with pytest.raises(ContractError, match="version: must be 1, got 9"):
        store(tmp_path).put([signed])
    with pytest.raises(UsageError, match="containers: must be one or more"):
        put(store(tmp_path), replace(ONE, containers=()))
    with pytest.raises(UsageError, match="must be signed"):
        store(tmp_path).put([SignedRevision(encode(ONE), "")])


def test_of_two_documents_of_one_name_the_newer_in_the_last_request_counts(tmp_path: Path) -> None:
    old, new = document(identity="hello-1.aaaa", port=1), document(identity="hello-1.bbbb", port=2)
    held = store(tmp_path)
    put(held, old)
    put(held, new, old)
    assert held.revisions["default/hello-1"].spec == new
    assert [each.spec for each in held.named("default", "hello-1")] == [new, old]
    put(held, old)
    assert held.revisions["default/hello-1"].spec == old
    assert store(tmp_path).revisions["default/hello-1"].spec == old


def test_document_that_leaves_goes_once_nothing_uses_it_and_is_no_holding_meanwhile(tmp_path: Path) -> None:
    held = store(tmp_path)
    put(held, TWO, ONE)
    held.leave("default/hello", {"hello-2"})
    assert not held.forget({("default", "hello-1")})
    again = store(tmp_path)
    assert list(again.revisions) == ["default/hello-1", "default/hello-2"]
    assert list(again.digests()["default/hello"]) == ["hello-2"]
    assert again.forget(set())
    assert list(again.revisions) == list(store(tmp_path).revisions) == ["default/hello-2"]


def test_document_that_leaves_stays_when_it_is_put_again(tmp_path: Path) -> None:
    held = store(tmp_path)
    put(held, ONE)
    held.leave("default/hello", ())
    put(held, ONE)
    assert not held.forget(set())


def test_secrets_are_those_of_every_document(tmp_path: Path) -> None:
    def needing(number: int) -> RevisionDocument:
        secret = SecretValue("db", "latest", f"d{number}")
        return document(f"hello-{number}", container(environment=(Variable("DB", secret=secret),)))

    held = store(tmp_path)
    put(held, needing(1), needing(2))
    assert {each.digest for each in held.secrets} == {"d1", "d2"}
