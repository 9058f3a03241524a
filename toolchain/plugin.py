"""Plugin: Pulumi's Docker provider in Pulumi's home; the official release first, else the bridge built here."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from toolchain import cache, download
from toolchain.gobuild import Go
from toolchain.pins import Pins
from toolchain.pulumi import HERE, Pulumi
from toolchain.step import Steps

PROGRAM = "pulumi-resource-docker"


@dataclass
class PluginInstaller:
    """Installs the pinned Docker plugin where this Pulumi looks for it, so that no run warns about PATH."""

    steps: Steps
    store: cache.Cache
    environment: Mapping[str, str]
    pins: Pins
    go: Go
    sources: Path = HERE

    def bring(self, pulumi: Pulumi) -> None:
        """Install the plugin unless this Pulumi's home has it."""
        version = self.pins.docker_plugin.version
        if self.is_installed(pulumi):
            self.steps.found("docker plugin", f"{version} is installed")
            return
        if not self._install_official(pulumi):
            self._install(pulumi, self._build())

    def _home(self, pulumi: Pulumi) -> Path:
        own = self.environment.get("PULUMI_HOME")
        return pulumi.home or Path(own or Path(os.path.expanduser("~"), ".pulumi"))

    def program(self, pulumi: Pulumi) -> Path:
        """Say where the plugin's program is, or would be."""
        return self._home(pulumi) / "plugins" / f"resource-docker-v{self.pins.docker_plugin.version}" / PROGRAM

    def is_installed(self, pulumi: Pulumi) -> bool:
        """Tell whether this Pulumi's home has the plugin, whole."""
        program = self.program(pulumi)
        # Pulumi leaves a `.partial` file beside a plugin while it unpacks it.
        return program.exists() and not program.parent.with_name(program.parent.name + ".partial").exists()

    def _install(self, pulumi: Pulumi, file: Path) -> None:
        with self.steps.step("docker plugin", f"install {self.pins.docker_plugin.version}"):
            self.steps.run(
                "docker plugin",
                [
                    *(pulumi.command, "plugin", "install", "resource", "docker", self.pins.docker_plugin.version),
                    *("--file", file, "--reinstall"),
                ],
                environment=pulumi.environment(self.environment),
            )

    def _install_official(self, pulumi: Pulumi) -> bool:
        release = self.pins.docker_plugin
        with self.store.scratch() as stage:
            archive = stage / f"{PROGRAM}-v{release.version}.tar.gz"
            try:
                with self.steps.step("docker plugin", f"download the official release {release.version}"):
                    source = download.fetch(release, archive)
            except download.Unavailable as error:
                self.steps.say("docker plugin", f"the official release is not to be had here: {error}")
                return False
            self.steps.say("docker plugin", f"verified against {source}")
            self._install(pulumi, archive)
        return True

    def _build(self) -> Path:
        """Build the bridge: its schema program first, which writes what the plugin embeds."""
        bridge = self.sources / "bridge"
        files = [each for each in bridge.rglob("*") if each.is_file()]
        name = f"plugin-docker-{self.pins.docker_plugin.version}-{cache.key(files)}"
        built = self.store.root / name / PROGRAM
        if built.exists():
            return built
        with (
            self.steps.step("docker plugin", "build it from Go modules (3 to 4 minutes on 2 cores)"),
            self.store.staged(name) as stage,
        ):
            # A copy, because the schema lands among the sources, and the checkout stays as it is.
            sources = Path(shutil.copytree(bridge, stage / "bridge"))
            schema = stage / "schema"
            self.go.build(sources, schema, "./cmd/schema")
            plugin = sources / "cmd" / PROGRAM
            self.steps.run(
                "docker plugin",
                [schema, "schema", "--out", plugin, "--skip-docs", "--skip-examples"],
                directory=sources,
                environment=self.go.settings(),
            )
            self.go.build(sources, stage / PROGRAM, f"./cmd/{PROGRAM}", flags=["-ldflags=-s -w"])
            schema.unlink()
            shutil.rmtree(sources)
        return built
