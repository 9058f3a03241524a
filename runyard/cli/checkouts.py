"""Checkouts of manifests to compare: a directory as it is, or a git revision unpacked beside."""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from runyard.cli.tree import git, load_tree, write_tree
from runyard.errors import ManifestError
from runyard.manifest import load
from runyard.manifest.model import Manifests, Platform, Tenant
from runyard.names import DEFAULT_TENANT


@dataclass(frozen=True, slots=True)
class Side:
    """One side of a comparison: its manifests, and the files and directories that hold them for as long as it is open.

    A git revision without any of the paths has no manifests yet, and none that hold them.
    """

    manifests: Manifests
    paths: tuple[Path, ...] = ()


@dataclass(frozen=True, slots=True)
class Revision:
    """A commit of the repository whose working tree begins at `root`."""

    root: str
    commit: str


def find_revision(name: str) -> Revision:
    """Find the commit that git knows by this name; UsageError if there is none."""
    commit = git("rev-parse", "--verify", "--quiet", "--end-of-options", f"{name}^{{commit}}").decode().strip()
    return Revision(git("rev-parse", "--show-toplevel").decode().strip(), commit)


def find_place(name: str) -> Revision | Path:
    """Find a directory or else a revision of this name."""
    return Path(name).resolve() if Path(name).is_dir() else find_revision(name)


@contextlib.contextmanager
def open_side(place: Revision | Path, paths: Sequence[str]) -> Iterator[Side]:
    """Open the manifests of a directory or, below these paths, of a git revision, unpacked until this is left.

    ManifestError tells errors, no warnings, with paths inside of it.
    """
    with _checked_out(place, paths) as (directory, present):
        yield Side(
            _load(directory, present) if present else no_manifests(), tuple(directory / each for each in present)
        )


def no_manifests() -> Manifests:
    """Give the manifests of a place that has none."""
    return Manifests(Platform(), (Tenant(DEFAULT_TENANT),), ())


def _load(directory: Path, present: Sequence[str]) -> Manifests:
    try:
        # From inside, so that problems and findings name files as the repository does.
        with contextlib.chdir(directory):
            return load(present).manifests
    except ManifestError as error:
        # Warnings say nothing about why it cannot be compared.
        kept = [each for each in error.problems if getattr(each, "severity", "error") == "error"]
        raise ManifestError(kept) from None


@contextlib.contextmanager
def _checked_out(place: Revision | Path, paths: Sequence[str]) -> Iterator[tuple[Path, list[str]]]:
    """Give a directory and what in it holds manifests."""
    if isinstance(place, Path):
        yield place, sorted(each.name for each in place.iterdir() if _is_source(each)) or ["."]
        return
    tree = load_tree(place.root, place.commit)
    # Names of the whole tree, not below the current directory.
    present = [path for path in paths if tree.holds(path)]
    with tempfile.TemporaryDirectory(prefix="runyard-review-") as directory_name:
        write_tree(place.root, tree, present, Path(directory_name))
        yield Path(directory_name), present


def _is_source(path: Path) -> bool:
    return (
        not path.name.startswith(".")
        and path.name != "schema"
        and (path.suffix in (".yaml", ".yml") or (path.is_dir() and any(path.rglob("*.y*ml"))))
    )
