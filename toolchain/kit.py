"""Kit: everything a machine needs, joined: the engine, Pulumi, the environment, the state and the images."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NoReturn, TextIO

from runyard import files
from runyard.errors import ToolchainError, UsageError
from runyard.host.transport import Transport
from runyard.pulumi.backend import data_directory
from runyard.pulumi.marks import PLAN_VARIABLE
from runyard.pulumi.project import link_checkout
from runyard.uptodate.observation import observe_listing
from toolchain import CHECKOUT, cache, pins
from toolchain.base import BaseImage
from toolchain.belonging import Belonging
from toolchain.built import BuiltImages
from toolchain.command import Command
from toolchain.engine import LocalEngine
from toolchain.environment import STAMP, Environment
from toolchain.gobuild import Go
from toolchain.lock import LockKeeper
from toolchain.nodebuild import Node
from toolchain.packages import FOR_BENCHMARKS, FOR_LINT, FOR_TESTS, Packages
from toolchain.plugin import PluginInstaller
from toolchain.pulumi import Installer, Pulumi
from toolchain.state import Backend
from toolchain.step import Steps
from toolchain.update import Update
from toolchain.uptodate import UpToDate

# What a shell needs to run plain `pulumi` as `make up` does.
EXPORTED = (
    "PATH",
    "DOCKER_HOST",
    "PULUMI_HOME",
    "PULUMI_BACKEND_URL",
    "PULUMI_CONFIG_PASSPHRASE_FILE",
    "PULUMI_SKIP_UPDATE_CHECK",
    "PULUMI_PARALLEL",
    "GOGC",
    "PULUMI_CONTINUE_ON_ERROR",
)


@dataclass(frozen=True)
class Tools:
    """What `Kit.bring` found or brought; `environment` makes any command use exactly that."""

    pulumi: Pulumi
    environment: Mapping[str, str]
    # The program of Pulumi's Docker provider.
    plugin: str


class Kit:
    """The toolchain of one checkout on one machine; `project` has the Pulumi.yaml that is in force."""

    def __init__(
        self,
        variables: Mapping[str, str],
        checkout: Path = Path(CHECKOUT),
        out: TextIO | None = None,
        project: Path | None = None,
        *,
        calm: bool = False,
    ) -> None:
        self.checkout = checkout
        self.project = project or checkout
        self.variables = variables
        self.pins = pins.load()
        self.store = cache.Cache(cache.locate(variables))
        self.steps = Steps(self.store.logs, out, calm=calm)
        self.environment = Environment(self.steps, checkout, variables)
        self.go = Go(
            self.steps,
            self.store,
            variables,
            self.pins.go_minimum,
            self.pins.go_version,
            self.environment.python,
        )

    def bring_environment(self) -> None:
        """Bring the virtual environment alone: all that `make check` needs."""
        with self.store.held_if_needed(self._say_waiting) as hold:
            if not self.environment.is_whole():
                hold()
            self.environment.bring()

    def bring(self, manifests: str = "") -> Tools:
        """Bring everything; what is there already costs a look, and waits for no other run.

        Of the images, those that the platform of `manifests` needs are enough if they are given.
        """
        with self.store.held_if_needed(self._say_waiting) as hold:
            if not self.environment.is_whole():
                hold()
            self.environment.bring()
            engine = self._engine().find()
            if not engine:
                hold()
                engine = self._engine().bring()
            installer = Installer(self.steps, self.store, self.variables, self.pins, self.go)
            pulumi = installer.find()
            if pulumi is None:
                hold()
                pulumi = installer.bring()
            plugin = PluginInstaller(self.steps, self.store, self.variables, self.pins, self.go)
            if not plugin.is_installed(pulumi):
                hold()
            plugin.bring(pulumi)
            variables = {**pulumi.environment(self.variables), "DOCKER_HOST": engine}
            variables |= self._backend().bring()
            variables["PATH"] = f"{self.environment.directory / 'bin'}:{variables['PATH']}"
            built = BuiltImages(self.checkout, self.store, engine, manifests)
            if not built.are_there():
                hold()
                # In the environment just made: reading the catalog takes its YAML library.
                self._build_images(variables, manifests)
                built.note()
        self._write_exports(variables)
        return Tools(pulumi, variables, str(plugin.program(pulumi)))

    def restart_engine(self, *, dry_run: bool) -> None:
        """Restart the dockerd that the toolchain started on this machine, or only see whether it could be."""
        self._engine().restart(dry_run=dry_run)

    def _stands(self, tools: Tools, stack: str) -> bool:
        with closing(Transport(tools.environment["DOCKER_HOST"])) as transport:
            return bool(observe_listing(transport, stack).containers)

    def _backend(self) -> Backend:
        return Backend(self.steps, self.project, self.variables)

    def _engine(self) -> LocalEngine:
        return LocalEngine(self.steps, self.variables, self.store.root / "engine")

    def bring_images(self, manifests: str = "") -> None:
        """Build the images that the engine lacks, for the platform of `manifests` alone if they are given.

        It runs inside the environment, with the cache already held.
        """
        # Here, because it needs the environment and the rest must not.
        from toolchain.images import ImageBuilder, unasked

        base = BaseImage(self.steps, self.store, self.variables, self.pins)
        python = self.environment.python
        node = Node(self.steps, self.store, self.variables, self.pins.node_minimum, self.pins.node_version, python)
        ImageBuilder(self.steps, self.store, self.variables, self.checkout, python, self.go, node, base).bring(
            unasked(manifests) if manifests else ()
        )

    def run(self, command: Sequence[str]) -> NoReturn:
        """Bring everything and become a command with it."""
        _check_command("run", command)
        _become("run", command, self.bring().environment)

    def tests(self, command: Sequence[str]) -> NoReturn:
        """Bring what tests without an engine start, and become a command with it, whose PATH begins with Go."""
        _check_command("tests", command)
        self.bring_environment()
        _become("tests", command, self._with_programs(FOR_TESTS, self.variables))

    def lint(self, command: Sequence[str]) -> NoReturn:
        """Bring what linters of other languages need, and become a command with it, whose PATH begins with Go."""
        _check_command("lint", command)
        self.bring_environment()
        _become("lint", command, self._with_programs(FOR_LINT, self.variables))

    def benchmarks(self, command: Sequence[str]) -> NoReturn:
        """Bring everything and what benchmarks start beside it, and become a command with it."""
        _check_command("benchmarks", command)
        _become("benchmarks", command, self._with_programs(FOR_BENCHMARKS, self.bring().environment))

    def _with_programs(self, packages: Sequence[str], variables: Mapping[str, str]) -> Mapping[str, str]:
        programs = Packages(self.steps, self.variables)
        with self.store.held_if_needed(self._say_waiting) as hold:
            if programs.missing(packages) or self.go.find() is None:
                hold()
            programs.bring(packages)
            go = self.go.command()
        return {**variables, "PATH": f"{go.parent}:{variables['PATH']}"}

    @contextmanager
    def foreseen(self, tools: Tools, stack: str) -> Iterator[Tools]:
        """Yield tools that find the stack: these, or for one that is not there, some that have it empty meanwhile."""
        backend = self._backend()
        if stack in backend.stacks(tools.pulumi.command, tools.environment):
            yield tools
            return
        self.steps.say("preview", f"stack {stack} is not there yet: `up` would make it, and all that follows")
        link_checkout(str(self.project), str(self.checkout))
        with backend.pretended(tools.pulumi.command, stack, tools.environment) as environment:
            yield replace(tools, environment=environment)

    def update(self, tools: Tools, stack: str, verb: str = "up", plan: str = "") -> Update:
        """Return Pulumi's verbs on a stack that no dead update holds, held to a saved plan if given.

        For `up` it is made where it is not there; NotFound lists those that are otherwise.
        """
        belonging = Belonging(self.variables, self.project, stack)
        belonging.check()
        backend = self._backend()
        link_checkout(str(self.project), str(self.checkout))
        if verb == "up":
            backend.select(tools.pulumi.command, stack, tools.environment)
            Command(self.steps, self.environment.directory / "bin" / "runyard", self.variables).offer()
        elif verb == "down" and self._stands(tools, stack):
            # Its state may be lost, which `down` itself tells of.
            backend.select(tools.pulumi.command, stack, tools.environment)
        else:
            backend.check_there(tools.pulumi.command, stack, tools.environment)
        LockKeeper(self.steps).release_stale(tools.environment["PULUMI_BACKEND_URL"], stack)
        environment = {**tools.environment, **({PLAN_VARIABLE: str(Path(plan).absolute())} if plan else {})}
        needed = [str(tools.pulumi.command), tools.plugin, str(self.environment.directory / STAMP)]
        uptodate = UpToDate(str(self.checkout), str(self.project), self.variables, stack)
        return Update(self.steps, self.project, tools.pulumi, stack, environment, uptodate, belonging, needed)

    def _build_images(self, variables: Mapping[str, str], manifests: str) -> None:
        command: list[str | Path] = [self.environment.python, "-m", "toolchain", "images"]
        command += ["--manifests", manifests] if manifests else []
        ended = subprocess.run(command, cwd=self.checkout, env=dict(variables), check=False).returncode
        if ended != 0:
            raise ToolchainError("images: not all could be built; the reason is above")

    def _write_exports(self, variables: Mapping[str, str]) -> None:
        lines = [f"export {name}={shlex.quote(variables[name])}" for name in EXPORTED if name in variables]
        file = Path(data_directory(self.variables), "env")
        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        text = "# Source this to run plain `pulumi` on what `make up` made.\n" + "\n".join(lines) + "\n"
        files.write(file, text)

    def _say_waiting(self) -> None:
        self.steps.say("toolchain", f"another run is busy with {self.store.root}: waiting for it")


def _check_command(verb: str, command: Sequence[str]) -> None:
    """Before anything is brought: that may take minutes."""
    if not command:
        raise UsageError(f"{verb}: must be followed by a command: toolchain/bootstrap {verb} -- COMMAND")


def _become(verb: str, command: Sequence[str], variables: Mapping[str, str]) -> NoReturn:
    sys.stdout.flush()
    try:
        os.execvpe(command[0], list(command), dict(variables))  # noqa: S606  a fixed list, no shell
    except OSError as error:
        raise UsageError(f"{verb} {command[0]}: {error.strerror}") from None
