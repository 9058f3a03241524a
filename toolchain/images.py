"""Images: builds those of the catalog that the engine lacks, from their declared inputs and nothing else.

Runs in the checkout's environment (it needs the catalog's reader); the rest of the toolchain does not.
"""

from __future__ import annotations

import shutil
from collections.abc import Collection, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from runyard import images
from runyard.errors import ManifestError
from runyard.manifest import load
from runyard.manifest.model import Platform
from runyard.plan.parts import PARTS, parts_of
from runyard.pulumi.project import split_paths
from toolchain import cache
from toolchain.base import BaseImage, has_image
from toolchain.gobuild import Go
from toolchain.nodebuild import Node
from toolchain.step import Steps
from toolchain.wheels import unpack_command

# Builds wait for the network and the disk more than for a core; four images, so four at once.
PARALLEL_BUILDS = 4


def unasked(manifests: str) -> frozenset[str]:
    """Name the images of the parts that the platform of some manifests, with commas between, does without."""
    try:
        platform = load(split_paths(manifests)).manifests.platform
    except ManifestError:
        # The update says what is wrong.
        platform = Platform()
    return frozenset(each.image for each in PARTS) - {each.image for each in parts_of(platform)}


@dataclass
class ImageBuilder:
    """Builds the catalog of one checkout into the engine at DOCKER_HOST."""

    steps: Steps
    store: cache.Cache
    environment: Mapping[str, str]
    checkout: Path
    python: Path
    go: Go
    node: Node
    base: BaseImage

    def bring(self, unasked: Collection[str] = ()) -> None:
        """Build what is missing, but for the `unasked`, and give every image its further tags."""
        catalog = {name: each for name, each in images.load_catalog(self.checkout).items() if name not in unasked}
        missing = [each for each in catalog.values() if not has_image(self._reference(each), self.environment)]
        if missing:
            self.base.bring()
            with ThreadPoolExecutor(PARALLEL_BUILDS) as pool:
                # list(): an error of any build is raised here, after the others have ended.
                list(pool.map(self._build, missing))
        for recipe in catalog.values():
            self._tag(recipe)
        self.steps.say("images", ", ".join(self._reference(each) for each in catalog.values()))

    def _reference(self, recipe: images.Recipe) -> str:
        return images.recipe_reference(recipe, self.checkout)

    def _build(self, recipe: images.Recipe) -> None:
        reference = self._reference(recipe)
        subject = f"image {recipe.name}"
        arguments = [f"--build-arg={name}={value}" for name, value in sorted(recipe.arguments.items())]
        with self.steps.step(subject, f"build {reference}"), self.store.scratch() as context:
            for file in images.input_files(recipe, self.checkout):
                copy = context / file
                copy.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(self.checkout / file, copy)
            for each in recipe.prepare:
                self._prepare(subject, each, context)
            self.steps.run(
                subject,
                ["docker", "build", "--tag", reference, "--file", context / recipe.dockerfile, *arguments, context],
                environment=self.environment,
            )

    def _prepare(self, subject: str, prepare: images.Preparation, context: Path) -> None:
        target = context / prepare.into
        if prepare.kind == "go-binary":
            # Without symbols and paths: the same sources give the same program on every machine.
            flags = ["-trimpath", "-ldflags=-s -w"]
            self.go.build(self.checkout / prepare.source, target, prepare.package, flags)
        elif prepare.kind == "npm-page":
            self.node.build(self.checkout / prepare.source, target)
        else:
            shutil.copytree(self._wheels(subject, prepare), target)

    def _wheels(self, subject: str, prepare: images.Preparation) -> Path:
        """Unpack the locked wheels into the cache, for the image's Python and not the host's."""
        lock = self.checkout / prepare.source
        name = f"wheels-{prepare.python}-{cache.key([lock])}"
        found = self.store.root / name
        if not found.exists():
            with self.store.staged(name) as stage:
                self.steps.run(
                    subject,
                    unpack_command(self.python, lock, stage, prepare.python),
                    environment={**self.environment, "PIP_DISABLE_PIP_VERSION_CHECK": "1"},
                )
        return found

    def _tag(self, recipe: images.Recipe) -> None:
        for tag in images.tag_references(recipe):
            self.steps.run(
                f"image {recipe.name}", ["docker", "tag", self._reference(recipe), tag], environment=self.environment
            )
