"""Checkouts: what git's conversions have made of a file is told from what was committed."""

from __future__ import annotations

from pathlib import Path

import pytest

from runyard.errors import ManifestError
from runyard.git.checkout import check_checkout
from tests.unit.runyard.git.test_tree import git

TEXT = "kind: Service # $Id$ +ADw-\n"


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    git(tmp_path, "init", "-q")
    # A filter as an operator may have it, such as that of LFS.
    git(tmp_path, "config", "filter.loud.smudge", "tr a-z A-Z")
    return tmp_path


def check_out(repository: Path, attributes: str, text: str = TEXT) -> Path:
    """Commit a manifest with these attributes, and check it out anew."""
    file = repository / "manifests" / "web.yaml"
    file.parent.mkdir(exist_ok=True)
    file.write_bytes(text.encode())
    git(repository, "add", "-A")
    git(repository, "commit", "-q", "-m", "x")
    (repository / ".gitattributes").write_text(attributes)
    git(repository, "add", "-A")
    git(repository, "commit", "-q", "--allow-empty", "-m", "x")
    file.unlink()
    git(repository, "checkout", "-q", "--", ".")
    return file


@pytest.mark.parametrize(
    ("attributes", "how"),
    [
        ("*.yaml working-tree-encoding=UTF-7", "working-tree-encoding=UTF-7"),
        ("*.yaml eol=crlf", "eol=crlf"),
        ("*.yaml text eol=crlf", "eol=crlf"),
        ("*.yaml ident", "ident"),
        ("*.yaml filter=loud", "filter=loud"),
    ],
)
def test_file_that_a_checkout_converts_is_refused(repository: Path, attributes: str, how: str) -> None:
    file = check_out(repository, attributes)
    assert file.read_text() != TEXT or b"\r\n" in file.read_bytes()
    with pytest.raises(ManifestError) as raised:
        check_checkout([str(file)])
    assert str(raised.value) == (
        f"{file}:1:1: must be as it was committed, got what {how} in .gitattributes makes of it (remove the attribute)"
    )


def test_link_to_a_file_that_a_checkout_converts_is_refused_too(repository: Path) -> None:
    file = check_out(repository, "*.yaml ident")
    link = repository / "link.yaml"
    link.symlink_to(file)
    with pytest.raises(ManifestError, match=r"got what ident in \.gitattributes"):
        check_checkout([str(link)])


@pytest.mark.parametrize("attributes", ["", "* text=auto", "*.yaml eol=lf", "*.yaml -text", "*.yaml diff=yaml"])
def test_file_as_it_was_committed_is_left_alone_edited_or_not(repository: Path, attributes: str) -> None:
    file = check_out(repository, attributes)
    check_checkout([str(file)])
    file.write_text("kind: Service\nmetadata: {}\n")
    check_checkout([str(file)])


def test_attribute_that_changes_no_byte_refuses_nothing(repository: Path) -> None:
    check_checkout([str(check_out(repository, "*.yaml ident", "kind: Service\n"))])


def test_file_that_nobody_committed_is_left_alone(repository: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    check_out(repository, "*.yaml ident")
    new = repository / "manifests" / "new.yaml"
    new.write_text(TEXT)
    elsewhere = tmp_path_factory.mktemp("elsewhere") / "a.yaml"
    elsewhere.write_text(TEXT)
    check_checkout([str(new), str(elsewhere)])


def test_repository_with_longer_ids_is_read_too(tmp_path: Path) -> None:
    git(tmp_path, "init", "-q", "--object-format=sha256")
    file = check_out(tmp_path, "")
    check_checkout([str(file)])
    file = check_out(tmp_path, "*.yaml ident", TEXT + "# more\n")
    with pytest.raises(ManifestError):
        check_checkout([str(file)])
