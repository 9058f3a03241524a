"""Trees of git: real repositories, written out as a checkout has them, and nothing from elsewhere."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from runyard.errors import ManifestError, UsageError
from runyard.git.tree import load_tree, write_tree


def git(directory: Path, *arguments: str, given: str | None = None) -> str:
    environment = {**os.environ, "GIT_CONFIG_GLOBAL": "/dev/null", "GIT_CONFIG_SYSTEM": "/dev/null"}
    identity = ["-c", "user.name=a", "-c", "user.email=a@example.com", "-c", "protocol.file.allow=always"]
    return subprocess.run(
        ["git", *identity, *arguments],
        cwd=directory,
        check=True,
        capture_output=True,
        text=True,
        input=given,
        env=environment,
    ).stdout.strip()


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    directory = tmp_path / "repository"
    directory.mkdir()
    git(directory, "init", "-q")
    return directory


def write(repository: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        (repository / name).parent.mkdir(parents=True, exist_ok=True)
        (repository / name).write_text(text)


def link(repository: Path, name: str, target: str) -> None:
    (repository / name).parent.mkdir(parents=True, exist_ok=True)
    (repository / name).symlink_to(target)


def unpack(repository: Path, *paths: str) -> dict[str, str]:
    """Commit all, write the paths elsewhere, and give what can be read there."""
    git(repository, "add", "-A")
    git(repository, "commit", "-q", "--allow-empty", "-m", "x")
    directory = repository.parent / "written"
    write_tree(str(repository), load_tree(str(repository), "HEAD"), paths, directory)
    names = (path for path in sorted(directory.rglob("*")) if path.is_file())
    return {str(path.relative_to(directory)): path.read_text() for path in names}


def test_attributes_of_the_tree_hide_and_change_nothing(repository: Path) -> None:
    files = {
        ".gitattributes": "manifests/evil.yaml export-ignore\n* export-subst\n* eol=crlf\n* ident\n",
        "manifests/.gitattributes": "sub export-ignore\n",
        "manifests/evil.yaml": "a: $Format:%H$\nb: $Id$\n",
        "manifests/sub/more.yml": "c: 1\n",
    }
    write(repository, files)
    wanted = {name: text for name, text in files.items() if name.endswith("ml")}
    assert unpack(repository, "manifests") == wanted


def test_links_are_followed_as_in_a_checkout(repository: Path) -> None:
    write(repository, {"common/hello.yaml": "hello\n", "common/text": "text\n", "manifests/own.yaml": "own\n"})
    link(repository, "manifests/direct.yaml", "../common/hello.yaml")
    link(repository, "manifests/through.yaml", "../alias/./text")
    link(repository, "alias", "elsewhere/../common")
    link(repository, "manifests/again.yaml", "direct.yaml")
    link(repository, "manifests/absent.yaml", "../common/absent.yaml")
    found = unpack(repository, "manifests")
    written = repository.parent / "written"
    assert {name: text for name, text in found.items() if name.startswith("manifests")} == {
        "manifests/again.yaml": "hello\n",
        "manifests/direct.yaml": "hello\n",
        "manifests/own.yaml": "own\n",
        "manifests/through.yaml": "text\n",
    }
    # One file under two names is read once.
    assert (written / "manifests/again.yaml").resolve() == written / "common/hello.yaml"
    assert (written / "manifests/absent.yaml").is_symlink()


def test_path_that_is_a_link_is_followed_too(repository: Path) -> None:
    write(repository, {"common/hello.yaml": "hello\n"})
    link(repository, "current", "common")
    assert unpack(repository, "current") == {"common/hello.yaml": "hello\n"}
    assert (repository.parent / "written" / "current" / "hello.yaml").read_text() == "hello\n"


@pytest.mark.parametrize("target", ["/etc/hostname", "../../out.yaml", "../alias/x.yaml", "round.yaml"])
def test_link_that_leaves_the_repository_is_refused(repository: Path, target: str) -> None:
    link(repository, "manifests/round.yaml", target)
    link(repository, "alias", "../outside")
    with pytest.raises(ManifestError) as caught:
        unpack(repository, "manifests")
    assert str(caught.value) == (
        f"manifests/round.yaml:1:1: must lead to a place in the repository, got a link to '{target}'"
    )


def test_name_with_a_line_of_its_own_forges_no_line_of_the_report(repository: Path) -> None:
    link(repository, "manifests/a\nerror: forged.yaml", "/etc/hostname")
    with pytest.raises(ManifestError) as caught:
        unpack(repository, "manifests")
    assert str(caught.value).startswith(r"manifests/a\nerror: forged.yaml:1:1: must lead")


def test_link_that_nobody_reads_may_lead_anywhere(repository: Path) -> None:
    write(repository, {"manifests/own.yaml": "own\n", "other/x.yaml": "x\n"})
    link(repository, "manifests/logo.png", "/usr/share/logo.png")
    link(repository, "other/out.yaml", "/etc/hostname")
    assert unpack(repository, "manifests") == {"manifests/own.yaml": "own\n"}


def test_submodule_among_the_manifests_is_refused(repository: Path) -> None:
    module = repository.parent / "module"
    module.mkdir()
    git(module, "init", "-q")
    git(module, "commit", "-q", "--allow-empty", "-m", "x")
    git(repository, "submodule", "--quiet", "add", str(module), "manifests/module")
    with pytest.raises(ManifestError) as caught:
        unpack(repository, "manifests")
    assert str(caught.value) == "manifests/module:1:1: must be of this repository, got a submodule"


def test_name_that_leads_out_of_the_directory_is_refused(repository: Path) -> None:
    blob = git(repository, "hash-object", "-w", "--stdin", given="evil\n")
    below = git(repository, "mktree", given=f"100644 blob {blob}\tevil.yaml\n")
    tree = git(repository, "mktree", given=f"040000 tree {below}\t..\n")
    with pytest.raises(UsageError) as caught:
        load_tree(str(repository), tree)
    assert str(caught.value) == f"read {tree}: names must stay inside of the repository, got '../evil.yaml'"


def test_names_need_not_be_text_and_neighbours_are_left_out(repository: Path) -> None:
    write(
        repository, {os.fsdecode(b"manifests/\xff.yaml"): "odd\n", "manifests-old/x.yaml": "x\n", "manifests.yaml": ""}
    )
    assert unpack(repository, "manifests") == {os.fsdecode(b"manifests/\xff.yaml"): "odd\n"}
