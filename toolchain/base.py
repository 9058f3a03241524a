"""Base image: the one that every Dockerfile here starts from, pulled, or made from Debian packages."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from runyard.errors import ToolchainError
from toolchain.cache import Cache
from toolchain.engine import install_packages
from toolchain.pins import Pins
from toolchain.step import Steps

KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
# What packages left in the root file system that no image needs.
LEFTOVERS = ("var/cache/apt/archives/*.deb", "var/lib/apt/lists/*_*", "var/log/*.log")


@dataclass
class BaseImage:
    """The base image in the engine at DOCKER_HOST."""

    steps: Steps
    store: Cache
    environment: Mapping[str, str]
    pins: Pins
    keyring: Path = KEYRING

    def bring(self) -> None:
        """Pull the image where a registry answers, else make it; nothing happens when the engine has it."""
        image = self.pins.base_image
        if has_image(image, self.environment):
            self.steps.found("base image", f"{image} is there")
            return
        try:
            with self.steps.step("base image", f"pull {image}"):
                self.steps.run("base image", ["docker", "pull", image], environment=self.environment)
        except ToolchainError:
            self.steps.say("base image", "no image registry answers: made from Debian packages instead")
            self._make()

    def _make(self) -> None:
        if os.geteuid() != 0:
            raise ToolchainError(
                f"base image: {self.pins.base_image}: cannot be pulled, and only root can make it with debootstrap\n"
                f"  run `make up` once as root, or load the image from elsewhere: docker save | docker load"
            )
        if not (shutil.which("debootstrap", path=self.environment.get("PATH")) and self.keyring.exists()):
            with self.steps.step("base image", "install debootstrap and Debian's keyring"):
                install_packages(self.steps, "base image", ["debootstrap", "debian-archive-keyring"], self.environment)
        with (
            self.steps.step("base image", f"make {self.pins.base_image} with debootstrap"),
            self.store.scratch() as directory,
        ):
            self._bootstrap(directory)
            self._import(directory)

    def _bootstrap(self, directory: Path) -> None:
        command = [
            *("debootstrap", "--variant=minbase", "--include=ca-certificates", f"--keyring={self.keyring}"),
            *(self.pins.base_suite, str(directory), *self._mirror()),
        ]
        self.steps.run("base image", command, environment=self.environment)
        for pattern in LEFTOVERS:
            for each in directory.glob(pattern):
                each.unlink()

    def _mirror(self) -> list[str]:
        """Find the mirror that this machine's apt uses for the suite; without one debootstrap knows its own."""
        listed = subprocess.run(
            ["apt-get", "indextargets", "--format", "$(CODENAME) $(COMPONENT) $(REPO_URI)", "Created-By: Packages"],
            env=dict(self.environment),
            capture_output=True,
            text=True,
            check=False,
        )
        for line in listed.stdout.splitlines():
            codename, component, address = line.split(" ", 2)
            if (codename, component) == (self.pins.base_suite, "main"):
                return [address]
        return []

    def _import(self, directory: Path) -> None:
        """Import the directory as an image: `tar | docker import`, without a shell between."""
        archive = subprocess.Popen(
            ["tar", "--numeric-owner", "-C", directory, "-c", "."], stdout=subprocess.PIPE, stdin=subprocess.DEVNULL
        )
        taken = subprocess.run(
            ["docker", "import", "--change", 'CMD ["bash"]', "-", self.pins.base_image],
            stdin=archive.stdout,
            env=dict(self.environment),
            capture_output=True,
            text=True,
            check=False,
        )
        if archive.stdout:
            archive.stdout.close()
        if archive.wait() != 0 or taken.returncode != 0:
            raise ToolchainError(f"base image: docker import: {taken.stderr.strip() or 'tar failed'}")


def has_image(reference: str, environment: Mapping[str, str]) -> bool:
    """Tell whether the engine has an image; ToolchainError when there is no docker command to ask with."""
    try:
        asked = subprocess.run(
            ["docker", "image", "inspect", "--format", "{{.Id}}", reference],
            env=dict(environment),
            capture_output=True,
            check=False,
        )
    except FileNotFoundError:
        raise ToolchainError(
            "images: the docker command is needed to build them and is not installed\n"
            "  as root: apt-get install docker.io"
        ) from None
    return asked.returncode == 0
