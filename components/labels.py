"""Labels of what the platform makes."""

from __future__ import annotations

from components.docker import docker_labels
from runyard import names


def platform_labels(stack: str, role: str, *, tenant: str | None = None) -> list[dict[str, str]]:
    """Write the labels that say whose a container, network or volume is and what for."""
    labels = {names.STACK: stack, names.ROLE: role}
    if tenant is not None:
        labels[names.TENANT] = tenant
    return docker_labels(labels)
