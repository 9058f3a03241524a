"""Rules of hand-written containers: the rules of manifests that hold for them too, by the same functions.

The platform's own parts are not judged here. Nor is, by the rules about secrets, what Pulumi keeps as one.
"""

from __future__ import annotations

from collections.abc import Iterator

from policies.environment import environment_of
from policies.image import is_latest, is_pinned, names_version
from policies.part import part_of
from policies.property import Properties
from policies.resource import ResourceRule
from policies.secret import SECRET, called_in, forms_in, has_url_password, holds_secret, is_telling
from runyard.reference import is_printed_id


def check_latest(properties: Properties, stack: str) -> Iterator[str]:
    """Find images in production that may change without a word."""
    image = str(properties.get("image") or "")
    if environment_of(stack) == "production" and not part_of(properties, stack) and is_latest(image):
        yield f"image must not be latest, got {image}"


def check_named(properties: Properties, stack: str) -> Iterator[str]:
    """Find images by an engine's id, which says of no registry that it has them."""
    image = str(properties.get("image") or "")
    if is_printed_id(image):
        yield f"image must be named, got the id {image}"


def check_pinned(properties: Properties, stack: str) -> Iterator[str]:
    """Find images without a tag, and in production those without a digest."""
    image = str(properties.get("image") or "")
    if part_of(properties, stack):
        return
    if not names_version(image):
        yield f"image must name a tag or digest, got {image}"
    elif environment_of(stack) == "production" and not is_pinned(image):
        yield f"image must be pinned by digest, got {image}"


def check_environment(properties: Properties, stack: str) -> Iterator[str]:
    """Find secrets in plain environment."""
    if part_of(properties, stack):
        return
    for each in properties.get("envs") or ():
        name, _, value = str(each).partition("=")
        told = [*forms_in(value), *called_in(value), *(["a password in a URL"] if has_url_password(value) else [])]
        if value and (told or is_telling(name)):
            yield f"env {name} must hold no plain secret, got {SECRET}"


def check_command(properties: Properties, stack: str) -> Iterator[str]:
    """Find secrets in commands, which every user of the host can list."""
    if part_of(properties, stack):
        return
    tests = (properties.get("healthcheck") or {}).get("tests")
    for key, words in (*((key, properties.get(key)) for key in ("entrypoints", "command")), ("healthcheck", tests)):
        if holds_secret(" ".join(str(word) for word in words or ())):
            yield f"{key} must hold no secret, got {SECRET}"


_PLAIN_FIX = "make it an Output.secret of the stack's configuration"
RULES = (
    ResourceRule(
        "own-image-named",
        "A hand-written container's image has a name.",
        "name it as its registry does",
        check_named,
    ),
    ResourceRule(
        "own-image-not-latest",
        "In production no hand-written container's image may change under its name.",
        "name a version's tag or, better, its digest",
        check_latest,
    ),
    ResourceRule(
        "own-image-pinned",
        "A hand-written container's image names its version, in production by digest.",
        "append a tag or @sha256:…",
        check_pinned,
        severity="advisory",
    ),
    ResourceRule(
        "own-environment-plain",
        "A hand-written container's environment holds no plain secret.",
        _PLAIN_FIX,
        check_environment,
        plain=True,
    ),
    ResourceRule(
        "own-command-plain",
        "A hand-written container's command holds no plain secret.",
        _PLAIN_FIX,
        check_command,
        plain=True,
    ),
)
