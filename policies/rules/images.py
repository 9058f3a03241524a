"""Rules of images: which version, and from where."""

from __future__ import annotations

from collections.abc import Iterator

from policies.image import full_name, is_latest, is_pinned, names_version
from policies.rule import Context, Rule, Violation, of_service
from runyard.manifest.model import Container, Service


def is_from(name: str, beginning: str) -> bool:
    """Tell whether a full name begins with a registry, a path in one, or an image, and not just with its letters."""
    rest = name.removeprefix(beginning)
    if rest == name:
        return False
    # After a bare registry a colon begins its port, which makes it another one.
    return rest[:1] in ("", "/", "@") or (rest[0] == ":" and "/" in beginning)


def check_tag(context: Context) -> Iterator[Violation]:
    """Find images with neither tag nor digest."""
    for service, container in _containers(context):
        if not names_version(container.image):
            message = f"container {container.name}: image must name a tag or digest, got {container.image}"
            yield of_service(service, message)


def check_latest(context: Context) -> Iterator[Violation]:
    """Find images that may change without a word."""
    for service, container in _containers(context):
        if is_latest(container.image):
            message = f"container {container.name}: image must not be latest, got {container.image}"
            yield of_service(service, message)


def check_digest(context: Context) -> Iterator[Violation]:
    """Find images without a digest."""
    for service, container in _containers(context):
        if not is_pinned(container.image):
            message = f"container {container.name}: image must be pinned by digest, got {container.image}"
            yield of_service(service, message)


def check_registry(context: Context) -> Iterator[Violation]:
    """Find images from elsewhere than the tenant's registries."""
    allowed = {tenant.name: tenant.allowed_registries for tenant in context.manifests.tenants}
    for service, container in _containers(context):
        registries = allowed.get(service.tenant, ())
        name = full_name(container.image)
        if registries and not any(is_from(name, registry) for registry in registries):
            message = (
                f"container {container.name}: image must be from {' or '.join(registries)} "
                f"(tenant {service.tenant}), got {name}"
            )
            yield of_service(service, message)


def _containers(context: Context) -> Iterator[tuple[Service, Container]]:
    for service in context.manifests.services:
        for container in service.template.all_containers:
            yield service, container


REGISTRY_RULE = Rule(
    "registry-allowed",
    "An image is from a registry that the tenant allows.",
    "mandatory",
    "use an image of an allowed registry, or add the registry to the Tenant's allowedRegistries",
    check_registry,
    waivable=False,
)
RULES = (
    Rule("image-tagged", "An image names its version.", "advisory", "add a tag or a digest", check_tag),
    Rule(
        "image-not-latest",
        "Production runs no image that may change under its name.",
        "mandatory",
        "name a version's tag or, better, its digest",
        check_latest,
        production_only=True,
    ),
    Rule(
        "image-pinned",
        "Production pins images by digest.",
        "advisory",
        "append @sha256:… as `docker inspect` gives it",
        check_digest,
        production_only=True,
    ),
    REGISTRY_RULE,
)
