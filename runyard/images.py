"""Images that Runyard builds: the catalog, and the reference of each, derived from the content of its inputs."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from runyard.errors import UsageError

ROOT = Path(__file__).resolve().parent.parent
CATALOG = Path("images", "catalog.yaml")
REPOSITORY = "runyard"
# 48 bits: no two builds of one image will ever meet, and the tag stays readable.
TAG_LENGTH = 12
PREPARE_KINDS = ("go-binary", "npm-page", "python-wheels")
# What `go build` calls that of the module's own directory.
OWN_PACKAGE = "."
KEYS = frozenset({"dockerfile", "inputs", "arguments", "tags", "prepare"})
# Left beside the sources by interpreters and editors; never part of an image.
IGNORED_DIRECTORIES = frozenset({"__pycache__", ".mypy_cache", ".ruff_cache", ".pytest_cache"})
IGNORED_SUFFIXES = frozenset({".pyc", ".swp", ".orig"})


@dataclass(frozen=True)
class Preparation:
    """Something made on the host from `source` and laid into the build context at `into`.

    `python` is the version for which wheels are, `package` what is built of a Go module and what it requires.
    """

    kind: str
    source: str
    into: str
    python: str = ""
    package: str = OWN_PACKAGE


@dataclass(frozen=True)
class Recipe:
    """How one image is built; all paths are relative to the repository's root."""

    name: str
    dockerfile: str
    inputs: tuple[str, ...]
    arguments: Mapping[str, str] = field(default_factory=dict)
    tags: tuple[str, ...] = ()
    prepare: tuple[Preparation, ...] = ()


def load_catalog(root: Path = ROOT) -> dict[str, Recipe]:
    """Load the catalog of the checkout at `root`; UsageError names the entry and key that do not fit."""
    path = root / CATALOG
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, yaml.YAMLError) as error:
        raise UsageError(f"image catalog {path}: {error}") from None
    if not isinstance(content, dict):
        raise UsageError(f"image catalog {path}: must be a mapping of names to recipes")
    return {name: _recipe(str(name), entry) for name, entry in content.items()}


def image_reference(name: str, root: Path = ROOT) -> str:
    """Name the image that the present inputs build: `runyard/<name>:<hash>`."""
    catalog = load_catalog(root)
    if name not in catalog:
        raise UsageError(f"image: must be one of {', '.join(sorted(catalog))}, got {name!r}")
    return recipe_reference(catalog[name], root)


def recipe_reference(recipe: Recipe, root: Path = ROOT) -> str:
    """Name the image of a recipe, as `image_reference` does."""
    return f"{REPOSITORY}/{recipe.name}:{_digest(recipe, root)[:TAG_LENGTH]}"


def tag_references(recipe: Recipe) -> list[str]:
    """Name the image by its further tags, such as `runyard/hello:1`."""
    return [f"{REPOSITORY}/{recipe.name}:{tag}" for tag in recipe.tags]


def input_files(recipe: Recipe, root: Path = ROOT) -> list[Path]:
    """List the files of the build context, relative to the root and sorted; UsageError when an input is missing."""
    found: set[Path] = set()
    for pattern in (recipe.dockerfile, *recipe.inputs):
        matches = sorted(root.glob(pattern))
        if not matches:
            raise UsageError(f"image {recipe.name}: input {pattern}: must exist under {root}")
        for match in matches:
            found.update(each for each in ([match] if match.is_file() else match.rglob("*")) if _belongs(each, root))
    return sorted(each.relative_to(root) for each in found)


def _belongs(path: Path, root: Path) -> bool:
    inside = path.relative_to(root)
    return path.is_file() and not IGNORED_DIRECTORIES & set(inside.parts) and path.suffix not in IGNORED_SUFFIXES


def _digest(recipe: Recipe, root: Path) -> str:
    """Hash everything that shapes the image: each file's path, executable bit and content, and the recipe's rest."""
    hasher = hashlib.sha256()
    for file in input_files(recipe, root):
        content = (root / file).read_bytes()
        executable = bool((root / file).stat().st_mode & 0o100)
        # The length ends the name and announces the content, so no two sets of files read the same.
        hasher.update(f"{file.as_posix()} {executable} {len(content)}\n".encode())
        hasher.update(content)
    facts = {
        "arguments": dict(recipe.arguments),
        "dockerfile": recipe.dockerfile,
        "prepare": [_said(each) for each in recipe.prepare],
    }
    hasher.update(json.dumps(facts, sort_keys=True).encode())
    return hasher.hexdigest()


def _said(preparation: Preparation) -> dict[str, str]:
    """Give what shapes the image; a module's own package leaves the hash as it was before there were others."""
    return {key: value for key, value in vars(preparation).items() if (key, value) != ("package", OWN_PACKAGE)}


def _recipe(name: str, entry: Any) -> Recipe:
    where = f"image {name}"
    if not isinstance(entry, dict):
        raise UsageError(f"{where}: must be a mapping, got {entry!r}")
    for key in sorted(entry.keys() - KEYS):
        raise UsageError(f"{where}: {key}: must be one of {', '.join(sorted(KEYS))}")
    for key in ("dockerfile", "inputs"):
        if not entry.get(key):
            raise UsageError(f"{where}: {key}: must be given")
    return Recipe(
        name=name,
        dockerfile=str(entry["dockerfile"]),
        inputs=tuple(map(str, entry["inputs"])),
        arguments={str(key): str(value) for key, value in entry.get("arguments", {}).items()},
        tags=tuple(map(str, entry.get("tags", ()))),
        prepare=_preparations(where, entry.get("prepare", [])),
    )


def _preparations(where: str, entries: Any) -> tuple[Preparation, ...]:
    if not isinstance(entries, list):
        raise UsageError(f"{where}: prepare: must be a list, got {entries!r}")
    found = tuple(_preparation(f"{where}: prepare[{index}]", entry) for index, entry in enumerate(entries))
    places = [each.into for each in found]
    for place in places:
        if places.count(place) > 1:
            raise UsageError(f"{where}: prepare: into: must differ, got {place!r} twice")
    return found


def _preparation(where: str, entry: Any) -> Preparation:
    kind = entry.get("kind") if isinstance(entry, dict) else entry
    if kind not in PREPARE_KINDS:
        raise UsageError(f"{where}.kind: must be one of {', '.join(PREPARE_KINDS)}, got {kind!r}")
    for key in ("source", "into") + (("python",) if kind == "python-wheels" else ()):
        if not entry.get(key):
            raise UsageError(f"{where}.{key}: must be given")
    python, package = str(entry.get("python", "")), str(entry.get("package", OWN_PACKAGE))
    return Preparation(kind, str(entry["source"]), str(entry["into"]), python, package)
