"""Components: what Runyard is made of that others wrote, and OSV is asked about: Python, npm and Debian packages.

A list that cannot be made, or is empty, is no list: Unlisted says why.
"""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from runyard import images
from toolchain.environment import LOCK
from toolchain.requirements import BROWSER_LOCK, FUZZ_LOCK, GO_LOCK, NODE_LOCK

# As OSV names them (https://ossf.github.io/osv-schema/#defined-ecosystems).
PYTHON, NPM = "PyPI", "npm"
PYTHON_LOCKS = (LOCK, GO_LOCK, NODE_LOCK, FUZZ_LOCK, BROWSER_LOCK)
# One line a package: what OSV knows of Debian is by source package.
_ASK_DPKG = ("dpkg-query", "--show", "--showformat", "${source:Package} ${source:Version}\\n")
_ASK_RELEASE = ("cat", "/etc/os-release")


class Unlisted(Exception):
    """What is to be checked could not be listed."""


@dataclass(frozen=True, order=True, slots=True)
class Component:
    """A package of an ecosystem, at a version."""

    ecosystem: str
    name: str
    version: str

    def text(self) -> str:
        """Render as `name version`."""
        return f"{self.name} {self.version}"


def list_python(root: Path) -> list[Component]:
    """List what the lock files pin, under whatever marker."""
    pins = (pin for lock in _locks(root) for pin in _pins(lock))
    return _some((Component(PYTHON, name, version) for name, version in pins), "the lock files pin nothing")


def _locks(root: Path) -> list[Path]:
    return [*(root / each for each in PYTHON_LOCKS), *sorted(root.glob("services/*/requirements.txt"))]


def _pins(lock: Path) -> Iterator[tuple[str, str]]:
    try:
        text = lock.read_text(encoding="utf-8")
    except OSError as error:
        raise Unlisted(f"read {lock}: {error.strerror}") from None
    for line in text.splitlines():
        if line and not line[0].isspace():
            found = re.match(r"([A-Za-z0-9._-]+)==(\S+)", line)
            if not found:
                raise Unlisted(f"read {lock}: must pin with ==, got {line!r}")
            yield found[1], found[2]


def list_npm(root: Path) -> list[Component]:
    """List what the lock files of the images' pages pin, what builds them too."""
    sources = [part.source for each in images.load_catalog(root).values() for part in each.prepare]
    locks = [lock for lock in (root / each / "package-lock.json" for each in sources) if lock.exists()]
    return _some((each for lock in locks for each in _npm_pins(lock)), "no lock file of npm pins anything")


def _npm_pins(lock: Path) -> Iterator[Component]:
    packages = json.loads(lock.read_text(encoding="utf-8"))["packages"]
    for place, package in packages.items():
        # The package itself has no place; others stand in each other's node_modules.
        if place:
            if "version" not in package:
                raise Unlisted(f"read {lock}: {place}: must have a version")
            yield Component(NPM, place.rpartition("node_modules/")[2], package["version"])


def list_debian(root: Path) -> list[Component]:
    """List the Debian packages of the images that are built here, out of the images."""
    catalog = images.load_catalog(root).values()
    based = [
        each for each in catalog if re.search(r"^FROM debian:", (root / each.dockerfile).read_text(), re.MULTILINE)
    ]
    found = [part for each in based for part in _installed(images.recipe_reference(each, root))]
    return _some(found, "no image is made from Debian's")


def _installed(image: str) -> Iterator[Component]:
    release = re.search(r'^VERSION_ID="?(\d+)', _inside(image, _ASK_RELEASE), re.MULTILINE)
    if not release:
        raise Unlisted(f"image {image}: tells no release of Debian")
    for line in _inside(image, _ASK_DPKG).splitlines():
        name, _, version = line.partition(" ")
        yield Component(f"Debian:{release[1]}", name, version)


def _inside(image: str, command: Sequence[str]) -> str:
    run = ["docker", "run", "--rm", "--pull", "never", "--network", "none", "--read-only", "--cap-drop", "ALL"]
    return _output([*run, "--entrypoint", command[0], image, *command[1:]])


def _output(command: Sequence[str]) -> str:
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    except OSError as error:
        raise Unlisted(f"run {command[0]}: {error.strerror}") from None
    if done.returncode != 0:
        raise Unlisted(f"run {' '.join(command[:2])}: {done.stderr.strip() or f'ended with {done.returncode}'}")
    return done.stdout


def _some(found: Iterable[Component], otherwise: str) -> list[Component]:
    listed = sorted(set(found))
    if not listed:
        raise Unlisted(otherwise)
    return listed
