"""Holes of engine and runc that instances could use, by version; a small table, which is only as new as its date.

Each line was compared with the project's own advisory or release notes. A distribution mends holes without a new
version: its changelog, where it names one, is believed.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

Component = Literal["engine", "runc"]

TABLE_DATE = "2026-09"
# A final version comes after its release candidates.
_FINAL = 1 << 16
_VERSION = re.compile(r"v?(\d+)\.(\d+)\.(\d+)(?:[-~]?rc\.?(\d+))?")
# How many numbers name a line of releases that gets fixes of its own.
_LINE: dict[Component, int] = {"engine": 1, "runc": 2}


@dataclass(frozen=True, slots=True)
class Hole:
    """A hole: in what versions of which lines it was mended, and whether it needs an authorization plugin."""

    id: str
    component: Component
    mended: tuple[str, ...]
    what: str
    of_plugins: bool = False


HOLES = (
    # opencontainers/runc: GHSA-xr7r-f8xq-vfvv, GHSA-9493-h29p-rfm2, GHSA-qw9x-cqr3-wc7r, GHSA-cgrx-mc8f-2prm.
    Hole("CVE-2024-21626", "runc", ("1.1.12",), "an image's working directory opens the host's file system"),
    Hole("CVE-2025-31133", "runc", ("1.2.8", "1.3.3", "1.4.0-rc.3"), "masked paths can be written to"),
    Hole("CVE-2025-52565", "runc", ("1.2.8", "1.3.3", "1.4.0-rc.3"), "a console mount opens what is masked"),
    Hole("CVE-2025-52881", "runc", ("1.2.8", "1.3.3", "1.4.0-rc.3"), "writes for the container go to the host's /proc"),
    # moby/moby: GHSA-rc4r-wh2q-q6c4, GHSA-mq39-4gv4-mvpx, GHSA-x86f-5xw2-fm2r, GHSA-vp62-88p7-qqf5.
    Hole("CVE-2022-36109", "engine", ("20.10.18",), "supplementary groups are not what they should be"),
    Hole("CVE-2024-29018", "engine", ("23.0.11", "25.0.5", "26.0.0-rc3"), "internal networks ask outside name servers"),
    Hole("CVE-2026-41567", "engine", ("29.5.1",), "docker cp of an archive runs a program of the container as root"),
    Hole("CVE-2026-41568", "engine", ("29.5.1",), "docker cp lets a container make files on the host"),
    # GHSA-v23v-6jw2-98fq, GHSA-x744-4wpc-v9h2.
    Hole(
        "CVE-2024-41110", "engine", ("23.0.15", "25.0.6", "26.1.5", "27.1.1"), "plugins are passed by", of_plugins=True
    ),
    Hole("CVE-2026-34040", "engine", ("29.3.1",), "plugins are passed by", of_plugins=True),
)


def find_holes(component: Component, version: str, changelog: str = "", *, plugins: bool = False) -> Iterator[Hole]:
    """Find the holes of a version that its package's changelog does not name as mended.

    `plugins` says whether the engine has authorization plugins. ValueError for what is no version.
    """
    for hole in HOLES:
        applies = hole.component == component and (plugins or not hole.of_plugins)
        if applies and not is_mended(hole, version) and hole.id not in changelog:
            yield hole


def is_mended(hole: Hole, version: str) -> bool:
    """Tell whether a version has the fix of its own line, or is as new as the newest fix."""
    mine = parse_version(version)
    fixes = [parse_version(each) for each in hole.mended]
    line = _LINE[hole.component]
    of_line = [each for each in fixes if each[:line] == mine[:line]]
    return mine >= (min(of_line) if of_line else max(fixes))


def parse_version(text: str) -> tuple[int, ...]:
    """Read a version as numbers to compare, whatever a distribution has put behind it; ValueError if it is none."""
    found = _VERSION.match(text)
    if found is None:
        raise ValueError(f"must be a version such as 1.2.8, got {text!r}")
    *numbers, candidate = found.groups()
    return (*map(int, numbers), int(candidate) if candidate else _FINAL)
