"""Trees of commits: the manifests below some paths, written out byte for byte as they were committed.

Blobs are read one by one, because `git archive` leaves out or rewrites what a .gitattributes of the same tree names,
and so a change could hide from its own review.
"""

from __future__ import annotations

import os
import posixpath
import subprocess
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

from runyard.errors import ManifestError, UsageError
from runyard.location import Location, escape_name
from runyard.manifest.problems import Problem
from runyard.manifest.sources import SUFFIXES

# Reading a commit of a large repository from a cold disk; longer means that git waits for something.
_GIT_TIMEOUT_S = 60
# As Linux follows at most.
_LINKS_FOLLOWED = 40


@dataclass(frozen=True, slots=True)
class Tree:
    """All names of a commit, sorted; object ids of files, the texts of links, and which names are submodules."""

    names: tuple[str, ...]
    files: Mapping[str, str]
    links: Mapping[str, str]
    submodules: frozenset[str]

    def holds(self, path: str) -> bool:
        """Tell whether a file, a link, a submodule or a directory has this name."""
        return path in self.files or path in self.links or bool(self.below(path))

    def below(self, path: str) -> Sequence[str]:
        """List what stands below a directory, `.` being the whole tree, and a submodule as itself."""
        if path == "." or path in self.submodules:
            return self.names if path == "." else [path]
        # The sign after the slash ends the names that begin with the path and a slash.
        start, end = (bisect_left(self.names, path + sign) for sign in "/0")
        return self.names[start:end]


def name_in_tree(root: str, path: str) -> str:
    """Name a path, relative to the current directory as in git, as trees name it; `.` is the root."""
    name = os.path.relpath(os.path.abspath(path), root)
    if name.partition("/")[0] == "..":
        raise UsageError(f"--file: must be in the repository {root}, got {path!r}")
    return name


# Both to find the paths of a side and to write them.
@lru_cache(maxsize=2)
def load_tree(root: str, commit: str) -> Tree:
    """Read the names of a commit, and where its links lead."""
    files: dict[str, str] = {}
    links: dict[str, str] = {}
    submodules: set[str] = set()
    for line in git("-C", root, "ls-tree", "-r", "-z", "--full-tree", commit).split(b"\0")[:-1]:
        about, _, raw = line.partition(b"\t")
        mode, kind, object_id = about.decode().split()
        name = os.fsdecode(raw)
        if {".", "..", ""} & set(name.split("/")):
            # Git makes no such tree; whoever does wants to write elsewhere.
            raise UsageError(f"read {commit}: names must stay inside of the repository, got {name!r}")
        if kind == "commit":
            submodules.add(name)
        elif mode == "120000":
            links[name] = object_id
        else:
            files[name] = object_id
    texts = _read_blobs(root, links.values())
    led = {name: os.fsdecode(texts[object_id]) for name, object_id in links.items()}
    return Tree(tuple(sorted({*files, *links, *submodules})), files, led, frozenset(submodules))


def write_tree(root: str, tree: Tree, paths: Iterable[str], directory: Path) -> None:
    """Write the manifests at and below these paths, and what links among them lead to, as a checkout has them.

    ManifestError where a link leaves the repository, or where a submodule stands: what they hold is not reviewed.
    """
    found = _Selection()
    for path in paths:
        found.add(tree, path)
    if found.problems:
        raise ManifestError(found.problems)
    contents = _read_blobs(root, (tree.files[name] for name in found.files))
    try:
        for name in found.folders:
            (directory / name).mkdir(parents=True, exist_ok=True)
        for name in found.files:
            (directory / name).parent.mkdir(parents=True, exist_ok=True)
            (directory / name).write_bytes(contents[tree.files[name]])
        # Last, so that nothing is written through a link.
        for name, target in found.links.items():
            (directory / name).parent.mkdir(parents=True, exist_ok=True)
            (directory / name).symlink_to(posixpath.relpath(target, posixpath.dirname(name) or "."))
    except (OSError, ValueError) as error:
        raise UsageError(f"write files of git: {error}") from error


@dataclass(slots=True)
class _Selection:
    """What is to be written: files, directories, and links with the place in the tree where each leads in the end."""

    files: dict[str, None] = field(default_factory=dict)
    folders: dict[str, None] = field(default_factory=dict)
    links: dict[str, str] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)

    def add(self, tree: Tree, path: str) -> None:
        """Add what a path names, and all manifests below it."""
        if path in tree.files:
            self.files[path] = None
        elif path in tree.links:
            self._add_link(tree, path)
        elif path not in self.folders and (names := tree.below(path)):
            self.folders[path] = None
            for name in names:
                if name in tree.submodules:
                    self._refuse(name, "must be of this repository, got a submodule")
                elif name.endswith(SUFFIXES):
                    self.add(tree, name)

    def _add_link(self, tree: Tree, path: str) -> None:
        if path in self.links:
            return
        target = _follow(tree.links, path)
        if target is None:
            self._refuse(path, f"must lead to a place in the repository, got a link to {tree.links[path]!r}")
            return
        self.links[path] = target
        self.add(tree, target)

    def _refuse(self, path: str, message: str) -> None:
        # A name may hold what would look like another line of the report.
        self.problems.append(Problem(Location(escape_name(path), 1, 1), "", message, "file.link"))


def _follow(links: Mapping[str, str], path: str) -> str | None:
    """Tell where a link leads in the end, over other links too; None where that is not in the tree."""
    at: list[str] = []
    rest = path.split("/")
    followed = 0
    while rest:
        part = rest.pop(0)
        if part == "..":
            if not at:
                return None
            at.pop()
        elif part not in ("", "."):
            at.append(part)
        text = links.get("/".join(at))
        if text is not None:
            followed += 1
            if text.startswith("/") or followed > _LINKS_FOLLOWED:
                return None
            at.pop()
            rest = text.split("/") + rest
    return "/".join(at) or "."


def _read_blobs(root: str, object_ids: Iterable[str]) -> dict[str, bytes]:
    wanted = list(dict.fromkeys(object_ids))
    if not wanted:
        return {}
    said = git("-C", root, "cat-file", "--batch", given="".join(f"{each}\n" for each in wanted).encode())
    return dict(_parse_batch(said))


def _parse_batch(said: bytes) -> Iterator[tuple[str, bytes]]:
    at = 0
    while at < len(said):
        end = said.index(b"\n", at)
        object_id, kind, *size = said[at:end].decode().split()
        if kind != "blob":
            raise UsageError(f"git cat-file: must have the file {object_id}, got {kind}")
        start = end + 1
        at = start + int(size[0]) + 1
        yield object_id, said[start : at - 1]


def git(*arguments: str, given: bytes | None = None) -> bytes:
    """Run git and give what it writes; UsageError tells what it says against it."""
    try:
        done = subprocess.run(  # noqa: S603 - a fixed program
            ["git", *arguments],  # noqa: S607
            input=given,
            capture_output=True,
            timeout=_GIT_TIMEOUT_S,
            check=False,
        )
    except (OSError, ValueError, subprocess.TimeoutExpired) as error:
        raise UsageError(f"git {arguments[0]}: {error}") from error
    if done.returncode:
        reason = done.stderr.decode(errors="replace").strip() or f"no directory and no commit {arguments[-1]!r}"
        raise UsageError(f"git {arguments[0]}: {reason}")
    return done.stdout
