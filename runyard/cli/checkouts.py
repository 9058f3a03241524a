"""Checkouts of manifests to compare: a directory as it is, or a git revision unpacked beside."""

from __future__ import annotations

import contextlib
import io
import subprocess
import tarfile
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from runyard.errors import ManifestError, UsageError
from runyard.manifest import load
from runyard.manifest.model import Manifests, Platform, Tenant
from runyard.names import DEFAULT_TENANT

# Reading a revision of a large repository from a cold disk; longer means that git waits for something.
_GIT_TIMEOUT_S = 60


@dataclass(frozen=True, slots=True)
class Side:
    """One side of a comparison: its manifests, and the files and directories that hold them for as long as it is open.

    A git revision without any of the paths has no manifests yet, and none that hold them.
    """

    manifests: Manifests
    paths: tuple[Path, ...] = ()


@contextlib.contextmanager
def open_side(name: str, paths: Sequence[str]) -> Iterator[Side]:
    """Open the manifests of a directory or, below these paths, of a git revision, unpacked until this is left.

    ManifestError tells errors, no warnings, with paths inside of it.
    """
    with _checked_out(name, paths) as (directory, present):
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
def _checked_out(name: str, paths: Sequence[str]) -> Iterator[tuple[Path, list[str]]]:
    """Give a directory and what in it holds manifests."""
    if Path(name).is_dir():
        directory = Path(name).resolve()
        yield directory, sorted(each.name for each in directory.iterdir() if _is_source(each)) or ["."]
        return
    commit = _git("rev-parse", "--verify", "--quiet", "--end-of-options", f"{name}^{{commit}}").decode().strip()
    root = _git("rev-parse", "--show-toplevel").decode().strip()
    # Names of the whole tree, not below the current directory.
    present = [path for path in paths if _git("-C", root, "ls-tree", commit, "--", path)]
    with tempfile.TemporaryDirectory(prefix="runyard-review-") as directory_name:
        if present:
            archive = _git("-C", root, "archive", "--format=tar", commit, "--", *present)
            with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
                # The filter refuses links and names that lead out of the directory.
                tar.extractall(directory_name, filter="data")
        yield Path(directory_name), present


def _is_source(path: Path) -> bool:
    return (
        not path.name.startswith(".")
        and path.name != "schema"
        and (path.suffix in (".yaml", ".yml") or (path.is_dir() and any(path.rglob("*.y*ml"))))
    )


def _git(*arguments: str) -> bytes:
    try:
        done = subprocess.run(["git", *arguments], capture_output=True, timeout=_GIT_TIMEOUT_S, check=False)  # noqa: S603, S607
    except (OSError, subprocess.TimeoutExpired) as error:
        raise UsageError(f"git {arguments[0]}: {error}") from error
    if done.returncode:
        reason = done.stderr.decode(errors="replace").strip() or f"no directory and no revision {arguments[-1]!r}"
        raise UsageError(f"git {arguments[0]}: {reason}")
    return done.stdout
