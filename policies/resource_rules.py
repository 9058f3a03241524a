"""Every rule of resources, in the order of docs/policies.md."""

from __future__ import annotations

from policies import belonging, confinement, handwritten, storage
from policies.resource import ResourceRule

RESOURCE_RULES: tuple[ResourceRule, ...] = (
    *confinement.RULES,
    *storage.RULES,
    *belonging.RULES,
    # Environment and command last: where a preview does not know them yet, the other rules have been asked.
    *handwritten.RULES,
)
