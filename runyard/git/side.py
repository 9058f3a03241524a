"""Checkouts of manifests to compare: a directory as it is, or a commit of git unpacked beside."""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from runyard.errors import ManifestError, UsageError
from runyard.git.tree import git, load_tree, name_in_tree, write_tree
from runyard.manifest import Loaded, load
from runyard.manifest.model import Manifests, Platform, Tenant
from runyard.manifest.problems import Problem
from runyard.manifest.sources import SUFFIXES
from runyard.names import DEFAULT_TENANT

# Of the repository's root, wherever the command runs.
DEFAULT_PATH = "manifests"


@dataclass(frozen=True, slots=True)
class Side:
    """One side of a comparison: its manifests, and the files and directories that hold them for as long as it is open.

    A commit without any of the paths has no manifests yet, and none that hold them. Warnings name files as the
    repository does.
    """

    manifests: Manifests
    paths: tuple[Path, ...] = ()
    warnings: tuple[Problem, ...] = ()


@dataclass(frozen=True, slots=True)
class Commit:
    """A commit of the repository whose working tree begins at `root`."""

    root: str
    digest: str


def find_commit(name: str) -> Commit:
    """Find the commit that git knows by this name; UsageError if there is none."""
    commit = git("rev-parse", "--verify", "--quiet", "--end-of-options", f"{name}^{{commit}}").decode().strip()
    return Commit(git("rev-parse", "--show-toplevel").decode().strip(), commit)


def find_place(name: str) -> Commit | Path:
    """Find a directory or else a commit of this name."""
    return Path(name).resolve() if Path(name).is_dir() else find_commit(name)


def name_paths(paths: Sequence[str], places: Sequence[Commit | Path]) -> tuple[str, ...]:
    """Give paths as the tree of a repository names them, the default if there is none; UsageError if one is nowhere.

    A path on one side only came or went. One that no side has is a mistake, and would be a review of nothing.
    """
    commits = [place for place in places if isinstance(place, Commit)]
    if not commits:
        if paths:
            raise UsageError(f"--file: must stand beside commits of git, got {paths[0]!r} beside directories")
        return ()
    named = {path: name_in_tree(commits[0].root, path) for path in paths} or {DEFAULT_PATH: DEFAULT_PATH}
    trees = [load_tree(each.root, each.digest) for each in commits]
    for path, name in named.items():
        if not any(tree.holds(name) for tree in trees):
            where = "either commit" if len(trees) == 2 else "the commit"
            raise UsageError(f"--file: must be a file or directory of {where}, got {path!r}")
    return tuple(named.values())


@contextlib.contextmanager
def open_side(place: Commit | Path, paths: Sequence[str]) -> Iterator[Side]:
    """Open the manifests of a directory or, below these paths, of a commit of git, unpacked until this is left.

    ManifestError tells errors, no warnings, with paths inside of it.
    """
    with _checked_out(place, paths) as (directory, present):
        loaded = _load(directory, present) if present else Loaded(no_manifests(), ())
        yield Side(loaded.manifests, tuple(directory / each for each in present), loaded.warnings)


def no_manifests() -> Manifests:
    """Give the manifests of a place that has none."""
    return Manifests(Platform(), (Tenant(DEFAULT_TENANT),), ())


def _load(directory: Path, present: Sequence[str]) -> Loaded:
    try:
        # From inside, so that problems and findings name files as the repository does.
        with contextlib.chdir(directory):
            return load(present)
    except ManifestError as error:
        # Warnings say nothing about why it cannot be compared.
        kept = [each for each in error.problems if getattr(each, "severity", "error") == "error"]
        raise ManifestError(kept) from None


@contextlib.contextmanager
def _checked_out(place: Commit | Path, paths: Sequence[str]) -> Iterator[tuple[Path, list[str]]]:
    """Give a directory and what in it holds manifests."""
    if isinstance(place, Path):
        yield place, sorted(each.name for each in place.iterdir() if _is_source(each)) or ["."]
        return
    tree = load_tree(place.root, place.digest)
    present = [path for path in paths if tree.holds(path)]
    with tempfile.TemporaryDirectory(prefix="runyard-review-") as directory_name:
        write_tree(place.root, tree, present, Path(directory_name))
        yield Path(directory_name), present


def _is_source(path: Path) -> bool:
    return (
        not path.name.startswith(".")
        and path.name != "schema"
        and (path.suffix in SUFFIXES or (path.is_dir() and any(path.rglob("*.y*ml"))))
    )
