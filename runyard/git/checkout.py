"""Checkout: files of a working tree that git's conversions have made something else of than was committed.

A review reads what was committed; `.gitattributes`, which a change may bring along, says what a checkout makes of it:
another encoding, other line ends, the output of a filter. What is then applied would be what nobody reviewed.
"""

from __future__ import annotations

import hashlib
import os
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from runyard.errors import ManifestError
from runyard.git.tree import git
from runyard.location import Location, escape_name
from runyard.manifest.problems import Problem

# The attributes by which git writes other bytes than it has (gitattributes(5)); of `eol`, one value alone does.
_CONVERSIONS = ("working-tree-encoding", "filter", "ident", "eol")
_NO_CONVERSION = {"unspecified", "unset", "lf"}
# Git refuses repositories of other users, as their configuration can name programs to run: here none is run.
_QUIET = ("-c", "safe.directory=*", "-c", "core.fsmonitor=false")


def check_checkout(files: Iterable[str]) -> None:
    """Refuse files that are not byte for byte as committed and that git converts; ManifestError names each.

    Files that nobody has committed are what they are, and so are those that somebody edits without such an attribute.
    """
    by_root: dict[str, dict[str, str]] = defaultdict(dict)
    for file in files:
        real = os.path.realpath(file)
        root = _root_of(Path(real))
        if root is not None:
            by_root[str(root)][os.path.relpath(real, root)] = file
    problems = [problem for root, named in by_root.items() for problem in _check(root, named)]
    if problems:
        raise ManifestError(problems)


def _root_of(file: Path) -> Path | None:
    # A file of this name is a worktree's or a submodule's.
    return next((each for each in file.parents if (each / ".git").exists()), None)


def _check(root: str, named: Mapping[str, str]) -> Iterator[Problem]:
    committed = _committed(root)
    differing = [name for name in named if name in committed and not _is(Path(root, name), committed[name])]
    if not differing:
        return
    for name, how in _conversions(root, differing).items():
        message = f"must be as it was committed, got what {how} in .gitattributes makes of it"
        yield Problem(Location(escape_name(named[name]), 1, 1), "", message, "file.converted", "remove the attribute")


def _committed(root: str) -> dict[str, str]:
    """Map the names of all files in the index to their blobs."""
    found = {}
    for line in git("-C", root, *_QUIET, "ls-files", "-s", "-z").split(b"\0")[:-1]:
        about, _, name = line.partition(b"\t")
        found[os.fsdecode(name)] = about.decode().split()[1]
    return found


def _is(file: Path, blob: str) -> bool:
    content = file.read_bytes()
    # Repositories are of one of two kinds, which the length of their ids tells apart; neither protects anything here.
    kind = "sha256" if len(blob) > hashlib.sha1(usedforsecurity=False).digest_size * 2 else "sha1"
    hashed = hashlib.new(kind, f"blob {len(content)}\0".encode(), usedforsecurity=False)
    hashed.update(content)
    return hashed.hexdigest() == blob


def _conversions(root: str, files: Iterable[str]) -> dict[str, str]:
    """Map the files that git converts to the attribute, with its value, that says so; the last one of several."""
    given = b"".join(os.fsencode(each) + b"\0" for each in files)
    said = git("-C", root, *_QUIET, "check-attr", "-z", "--stdin", *_CONVERSIONS, given=given).split(b"\0")[:-1]
    rows = zip(said[::3], said[1::3], said[2::3], strict=True)
    return {
        os.fsdecode(name): attribute.decode() if value == b"set" else f"{attribute.decode()}={os.fsdecode(value)}"
        for name, attribute, value in rows
        if os.fsdecode(value) not in _NO_CONVERSION
    }
