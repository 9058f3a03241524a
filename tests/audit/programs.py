"""Programs of Go: which advisories the code in them has, by govulncheck and the Go vulnerability database.

The programs are looked at, and not the lists of modules: most of what a list names is in no program.
"""

from __future__ import annotations

import datetime
import json
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from runyard import images
from runyard.errors import ToolchainError
from tests.audit.waivers import Finding
from tests.harness.programs import go_program
from toolchain.kit import Kit
from toolchain.plugin import PluginInstaller
from toolchain.pulumi import Installer

GO_PROGRAMS = "Go programs"
HERE = Path(__file__).resolve().parent
DATABASE = "golang.org/x/vulndb"
# Advisories come every week; what has not been looked at for so long has not been looked at.
OLDEST = datetime.timedelta(days=120)
# What everything that was ever asked must have: an endless loop in golang.org/x/text 0.3.0.
_KNOWN, _KNOWN_IN = "GO-2020-0015", "golang.org/x/text@v0.3.0"


class Unscanned(Exception):
    """A program could not be looked at, or there is nothing to look it up in."""


@dataclass(frozen=True, slots=True)
class Database:
    """A directory of advisories, and the day of the newest."""

    directory: Path
    day: datetime.date


def find_database(go: str, *, newest: bool = False, module: Path = HERE / "vulndb") -> Database:
    """Bring the database: that of go.mod and go.sum, or the newest that there is. Unscanned where neither comes."""
    wanted = f"{DATABASE}@latest" if newest else DATABASE
    # Not in the module's own directory where it must not be changed; the checksum database holds the newest.
    command = [go, "mod", "download", "-json", wanted]
    with tempfile.TemporaryDirectory() as elsewhere:
        done = subprocess.run(
            command, cwd=elsewhere if newest else module, capture_output=True, text=True, check=False, env=_settings()
        )
    told = _json(done.stdout)
    if done.returncode != 0 or "Dir" not in told:
        raise Unscanned(f"bring {wanted}: {told.get('Error') or done.stderr.strip() or 'go tells no directory'}")
    # A pseudo-version has the moment of its commit.
    moment = re.search(r"-(\d{8})\d{6}-[0-9a-f]{12}$", told["Version"])
    if not moment:
        raise Unscanned(f"{wanted}: must be of a commit with its time, got {told['Version']}")
    return Database(Path(told["Dir"], "data", "osv"), datetime.datetime.strptime(moment[1], "%Y%m%d").date())


def _settings() -> dict[str, str]:
    return {**os.environ, "GOFLAGS": "-mod=readonly", "GOTOOLCHAIN": "local", "GOWORK": "off"}


def _json(text: str) -> dict[str, Any]:
    try:
        told = json.loads(text)
    except ValueError:
        return {}
    return told if isinstance(told, dict) else {}


@dataclass(frozen=True)
class Scanner:
    """Govulncheck with a database."""

    program: Path
    database: Database

    def check(self, today: datetime.date) -> None:
        """Find what is known to be found; Unscanned where it is not, or where the database is old."""
        if today - self.database.day > OLDEST:
            raise Unscanned(f"the Go vulnerability database is of {self.database.day}: older than {OLDEST.days} days")
        told = self._run("-mode", "query", _KNOWN_IN)
        if _KNOWN not in {each["osv"]["id"] for each in told if "osv" in each}:
            raise Unscanned(f"govulncheck: must find {_KNOWN} in {_KNOWN_IN}, and did not")

    def scan(self, name: str, program: Path) -> list[Finding]:
        """Find the advisories of the code in a program."""
        told = self._run("-mode", "binary", "-scan", "symbol", str(program))
        if not any(each["SBOM"].get("modules") for each in told if "SBOM" in each):
            raise Unscanned(f"govulncheck: {program}: names no module of it")
        summaries = {each["osv"]["id"]: each["osv"] for each in told if "osv" in each}
        # What names no function is in a module and not in the program.
        found = [each["finding"] for each in told if "finding" in each and "function" in each["finding"]["trace"][0]]
        unique = {each["osv"]: each for each in found}
        return [_finding(name, each, summaries[rule]) for rule, each in sorted(unique.items())]

    def _run(self, *arguments: str) -> list[Any]:
        command = [str(self.program), "-db", self.database.directory.as_uri(), "-format", "json", *arguments]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        # With -format json, what is found is no failure.
        if done.returncode != 0:
            raise Unscanned(f"govulncheck: ended with {done.returncode}: {done.stderr.strip()[-300:]}")
        return list(_messages(done.stdout))


def _messages(text: str) -> Iterator[Any]:
    decoder, at = json.JSONDecoder(), 0
    blank = re.compile(r"\s*")
    while (at := _end(blank, text, at)) < len(text):
        message, at = decoder.raw_decode(text, at)
        yield message


def _end(pattern: re.Pattern[str], text: str, at: int) -> int:
    found = pattern.match(text, at)
    return found.end() if found else at


def _finding(name: str, found: Any, advisory: Any) -> Finding:
    frame = found["trace"][0]
    where = f"{frame['module']} {frame.get('version', '')}"
    fixed = f"fixed in {found['fixed_version']}" if found.get("fixed_version") else "not fixed yet"
    text = f"{name}: {found['osv']}: {where}, {fixed}: {advisory.get('summary', '')}"
    return Finding(GO_PROGRAMS, found["osv"], name, text)


def check_programs(root: Path, today: datetime.date, *, newest: bool) -> tuple[str, list[Finding]]:
    """Look at every program of Go that is built or brought; tells what was looked at, and what was found."""
    kit = Kit(os.environ, root, sys.stderr)
    try:
        go = str(kit.go.command())
        program = go_program("audit/govulncheck", HERE / "govulncheck", "golang.org/x/vuln/cmd/govulncheck")
    except ToolchainError as error:
        raise Unscanned(str(error)) from None
    scanner = Scanner(program, find_database(go, newest=newest))
    scanner.check(today)
    with tempfile.TemporaryDirectory() as directory:
        programs = {**_brought(kit), **_built(kit, root, Path(directory))}
        found = [each for name, path in sorted(programs.items()) for each in scanner.scan(name, path)]
    return f"{len(programs)} programs, by the database of {scanner.database.day}", found


def _brought(kit: Kit) -> dict[str, Path]:
    pulumi = Installer(kit.steps, kit.store, kit.variables, kit.pins, kit.go).find()
    if pulumi is None:
        raise Unscanned("there is no pulumi to look at; `toolchain/bootstrap bring` brings it")
    plugin = PluginInstaller(kit.steps, kit.store, kit.variables, kit.pins, kit.go).program(pulumi)
    host = Path(pulumi.command).with_name("pulumi-language-python")
    return {"pulumi": Path(pulumi.command), host.name: host, Path(plugin).name: Path(plugin)}


def _built(kit: Kit, root: Path, directory: Path) -> dict[str, Path]:
    built = {}
    for recipe in images.load_catalog(root).values():
        for each in recipe.prepare:
            if each.kind == "go-binary":
                built[each.into] = directory / each.into
                kit.go.build(root / each.source, built[each.into], each.package, flags=["-trimpath"])
    return built
