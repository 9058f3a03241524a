"""Hand-written containers: the rules of manifests that hold for them too, by the same functions.

What a manifest made was judged before Pulumi registered it, its waivers counted, and is not judged again. Nor is what
Pulumi keeps as a secret: the pack's server takes that away first.
"""

from __future__ import annotations

from collections.abc import Iterator

from policies.environment import environment_of
from policies.image import is_latest, is_pinned, names_version
from policies.mount import Properties
from policies.resource import ResourceRule, part_of, role_of
from policies.secret import SECRET, called_in, forms_in, has_url_password, holds_secret, is_telling
from runyard import names

# What may hold a secret and is plain to see.
PLAIN = ("envs", "command", "entrypoints", "healthcheck")


def is_judged(properties: Properties, stack: str) -> bool:
    """Tell whether a container is a part of the platform or a template of a manifest.

    Labels can be forged. But what bears a template's and starts is none, and what never starts runs only as a revision
    that a rollout names, which a manifest makes.
    """
    template = role_of(properties, stack) == names.ROLE_TEMPLATE and properties.get("start") is False
    return template or bool(part_of(properties, stack))


def check_latest(properties: Properties, stack: str) -> Iterator[str]:
    """Find images in production that may change without a word."""
    image = str(properties.get("image") or "")
    if environment_of(stack) == "production" and not is_judged(properties, stack) and is_latest(image):
        yield f"image must not be latest, got {image}"


def check_pinned(properties: Properties, stack: str) -> Iterator[str]:
    """Find images without a tag, and in production those without a digest."""
    image = str(properties.get("image") or "")
    if is_judged(properties, stack):
        return
    if not names_version(image):
        yield f"image must name a tag or digest, got {image}"
    elif environment_of(stack) == "production" and not is_pinned(image):
        yield f"image must be pinned by digest, got {image}"


def check_environment(properties: Properties, stack: str) -> Iterator[str]:
    """Find secrets in plain environment."""
    if is_judged(properties, stack):
        return
    for each in properties.get("envs") or ():
        name, _, value = str(each).partition("=")
        told = [*forms_in(value), *called_in(value), *(["a password in a URL"] if has_url_password(value) else [])]
        if value and (told or is_telling(name)):
            yield f"env {name} must hold no plain secret, got {SECRET}"


def check_command(properties: Properties, stack: str) -> Iterator[str]:
    """Find secrets in commands, which every user of the host can list."""
    if is_judged(properties, stack):
        return
    tests = (properties.get("healthcheck") or {}).get("tests")
    for key, words in (*((key, properties.get(key)) for key in ("entrypoints", "command")), ("healthcheck", tests)):
        if holds_secret(" ".join(str(word) for word in words or ())):
            yield f"{key} must hold no secret, got {SECRET}"


_PLAIN_FIX = "make it an Output.secret of the stack's configuration"
HANDWRITTEN_RULES = (
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
    ),
    ResourceRule(
        "own-command-plain", "A hand-written container's command holds no plain secret.", _PLAIN_FIX, check_command
    ),
)
