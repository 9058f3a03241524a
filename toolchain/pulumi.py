"""Pulumi: the CLI with its Python host; an installed one first, then the official release, then one built here."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from toolchain import cache, download
from toolchain.gobuild import Go
from toolchain.pins import Pins
from toolchain.step import Steps

HERE = Path(__file__).parent
SDK_MODULE = "github.com/pulumi/pulumi/sdk/v3"
# The executors that lie in the SDK module and belong beside the language host.
EXECUTORS = ("python/cmd/pulumi-language-python-exec", "python/dist/pulumi-resource-pulumi-python")
CLI_PACKAGE = "github.com/pulumi/pulumi/pkg/v3/cmd/pulumi"
# In percent of the heap in use, for Go's GOGC.
GARBAGE_PERCENT = "400"
# Operations that Pulumi has under way at a time, where its default is four a core. A service's lasts until its rollout
# is over, and the orchestrator has the engine make six instances at a time: with eight under way, seven ended together
# and the engine stood still until the next ones came. A rollout's deadline runs while it waits for its turn, so no more
# than keep the engine busy.
OPERATIONS = "16"


@dataclass(frozen=True)
class Pulumi:
    """A Pulumi that can run our program; `home` is its PULUMI_HOME, None where the user's own is kept."""

    command: Path
    home: Path | None

    def environment(self, base: Mapping[str, str]) -> dict[str, str]:
        """Return `base` with this Pulumi first on PATH and its home in force."""
        path = base.get("PATH", "")
        directory = str(self.command.parent)
        found = {**base, "PULUMI_SKIP_UPDATE_CHECK": "true"}
        # Pulumi writes its state whole after each step, and throws away as much memory each time: collecting it at
        # Go's default took a sixth of its time. It costs memory: some 300 MB for a hundred services.
        found.setdefault("GOGC", GARBAGE_PERCENT)
        # One tenant's rollout that fails must not stop those of others; what depends on it waits (provider/service.py).
        found.setdefault("PULUMI_CONTINUE_ON_ERROR", "true")
        found.setdefault("PULUMI_PARALLEL", OPERATIONS)
        found["PATH"] = path if path.split(":")[0] == directory else f"{directory}:{path}"
        if self.home:
            found["PULUMI_HOME"] = str(self.home)
        return found


def parse_version(text: str) -> tuple[int, ...]:
    """Parse `v3.259.0` (or with more after it) to numbers that compare; empty when there is none."""
    found = re.match(r"v?(\d+)\.(\d+)\.(\d+)", text.strip())
    return tuple(map(int, found.groups())) if found else ()


def stop_logs(home: Path) -> None:
    """Keep Pulumi from writing a log of each run (5.6 MB for a hundred services) into a home of ours.

    It has no setting for that; a plain file where it would make the directory stops it, and nothing else.
    """
    place = home / "logs"
    if place.is_file():
        return
    home.mkdir(parents=True, exist_ok=True)
    if place.is_dir():
        shutil.rmtree(place)
    place.touch()


@dataclass
class Installer:
    """Finds or brings Pulumi; everything brought lands in the cache under a key of its version and sources."""

    steps: Steps
    store: cache.Cache
    environment: Mapping[str, str]
    pins: Pins
    go: Go
    sources: Path = HERE

    def find(self) -> Pulumi | None:
        """Return a Pulumi of at least the pinned version, with its Python host, if one is here already."""
        found = self._installed() or self._cached()
        if found and found.home:
            stop_logs(found.home)
        return found

    def bring(self) -> Pulumi:
        """Return a Pulumi of at least the pinned version, with its Python host."""
        found = self.find() or self._official() or self._built()
        if found.home:
            stop_logs(found.home)
        return found

    def _installed(self) -> Pulumi | None:
        command = shutil.which("pulumi", path=self.environment.get("PATH"))
        if not command:
            return None
        path = Path(command)
        if self.store.root in path.parents:
            # Ours, on PATH because this runs inside the toolchain's own environment.
            return None
        quiet = {**self.environment, "PULUMI_SKIP_UPDATE_CHECK": "true"}
        asked = subprocess.run([path, "version"], env=quiet, capture_output=True, text=True, check=False)
        if parse_version(asked.stdout) < parse_version(self.pins.pulumi.version):
            found = asked.stdout.strip() or "of unknown version"
            self.steps.say("pulumi", f"{command} is {found}: too old, {self.pins.pulumi.version} is needed")
            return None
        if not self._has_host(path):
            self.steps.say("pulumi", f"{command} has no pulumi-language-python beside it or on PATH")
            return None
        self.steps.found("pulumi", f"{asked.stdout.strip()} is installed at {command}")
        return Pulumi(path, None)

    def _has_host(self, command: Path) -> bool:
        """Look for the host where the engine does: beside the CLI itself, and on PATH."""
        name = "pulumi-language-python"
        beside = command.resolve().with_name(name)
        return beside.exists() or shutil.which(name, path=self.environment.get("PATH")) is not None

    def _official_name(self) -> str:
        return f"pulumi-{self.pins.pulumi.version}-official"

    def _built_name(self) -> str:
        wrappers = [self.sources / "pulumi" / "go.mod", self.sources / "pulumi" / "go.sum"]
        host = [each for each in (self.sources / "language").iterdir() if each.is_file()]
        return f"pulumi-{self.pins.pulumi.version}-{cache.key(wrappers, cache.key(host))}"

    def _cached(self) -> Pulumi | None:
        for name in (self._official_name(), self._built_name()):
            if (self.store.root / name / "pulumi").exists():
                self.steps.found("pulumi", f"{self.pins.pulumi.version} is in the cache")
                return self._at(name)
        return None

    def _at(self, name: str) -> Pulumi:
        return Pulumi(self.store.root / name / "pulumi", self.store.root / "home")

    def _official(self) -> Pulumi | None:
        release, name = self.pins.pulumi, self._official_name()
        try:
            with (
                self.steps.step("pulumi", f"download the official release {release.version}"),
                self.store.staged(name) as stage,
            ):
                archive = stage / "archive"
                source = download.fetch(release, archive)
                download.unpack(archive, stage)
                archive.unlink()
                # The archive holds one directory, `pulumi`, with the CLI and every host in it.
                content = (stage / "pulumi").rename(stage / "content")
                for each in list(content.iterdir()):
                    each.rename(stage / each.name)
                content.rmdir()
        except download.Unavailable as error:
            self.steps.say("pulumi", f"the official release is not to be had here: {error}")
            return None
        self.steps.say("pulumi", f"verified against {source}")
        return self._at(name)

    def _built(self) -> Pulumi:
        """Build the CLI and the language host from Go modules, and put the SDK's executors beside them."""
        version = self.pins.pulumi.version
        self.go.command()
        with self.store.staged(self._built_name()) as stage:
            # The linker sets what the release process would; without it `pulumi version` is empty.
            stamp = f"-X {SDK_MODULE}/go/common/version.Version=v{version}"
            with self.steps.step("pulumi", f"build {version} from Go modules (3 to 4 minutes on 2 cores)"):
                self.go.build(self.sources / "pulumi", stage / "pulumi", CLI_PACKAGE, flags=[f"-ldflags={stamp} -s -w"])
            with self.steps.step("pulumi", "build the Python language host"):
                self.go.build(self.sources / "language", stage / "pulumi-language-python")
                sdk = self.go.module_directory(self.sources / "language", SDK_MODULE)
                for executor in EXECUTORS:
                    copy = shutil.copyfile(sdk / executor, stage / Path(executor).name)
                    # The module cache is read-only, and modules carry no mode bits.
                    copy.chmod(0o755)
        return self._at(self._built_name())
