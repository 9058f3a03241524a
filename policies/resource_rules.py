"""Every rule of resources, in the order of docs/policies.md."""

from __future__ import annotations

from policies import belonging, confinement, exclusive, handwritten, storage
from policies.resource import SERVICE, ResourceRule

RESOURCE_RULES: tuple[ResourceRule, ...] = (
    *confinement.RULES,
    *storage.RULES,
    *belonging.RULES,
    # Environment and command last: where a preview does not know them yet, the other rules have been asked.
    *handwritten.RULES,
)
# All that any rule looks at.
RESOURCE_TYPES = frozenset({*(each for rule in RESOURCE_RULES for each in rule.types), *exclusive.SINGLE, SERVICE})
