"""Labels of what the platform makes, as pairs in a stable order."""

from __future__ import annotations

from runyard import names


def container_labels(stack: str, role: str, *, tenant: str | None = None) -> list[tuple[str, str]]:
    """List the labels that say whose a container, network or volume is and what for."""
    labels = {names.STACK: stack, names.ROLE: role}
    if tenant is not None:
        labels[names.TENANT] = tenant
    return sorted(labels.items())
