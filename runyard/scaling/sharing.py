"""Sharing: how many instances each revision has of a host that is full, fair between tenants; pure.

Room goes instance by instance to the tenant that has the least of what it was promised (max-min fairness by weights:
Bertsekas and Gallager, Data Networks, 6.5.2), and within a tenant to what is of the highest priority.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Claimant:
    """A revision that has `least` instances in any case, and would have `wanted`, of `size_bytes` of memory each."""

    tenant: str
    priority: int
    size_bytes: int
    least: int
    wanted: int


def share(claimants: Mapping[str, Claimant], promises: Mapping[str, int], room_bytes: int) -> dict[str, int]:
    """Count the instances of each claimant in a room; `promises` are the bytes that tenants' quotas allow them.

    A tenant without a quota has as much promised as the one that has the most. Equal arguments give equal counts.
    """
    counts = {key: each.least for key, each in claimants.items()}
    given = _given(claimants.values())
    left = room_bytes - sum(given.values())
    open_keys = {key for key, each in claimants.items() if each.wanted > each.least}
    largest = max([*promises.values(), 1])
    while open_keys:
        key = min(
            open_keys,
            key=lambda each: (
                given[claimants[each].tenant] / max(1, promises.get(claimants[each].tenant, largest)),
                claimants[each].tenant,
                -claimants[each].priority,
                counts[each],
                each,
            ),
        )
        chosen = claimants[key]
        if chosen.size_bytes > left:
            # A smaller one may still fit.
            open_keys.remove(key)
            continue
        counts[key] += 1
        given[chosen.tenant] += chosen.size_bytes
        left -= chosen.size_bytes
        if counts[key] == chosen.wanted:
            open_keys.remove(key)
    return counts


def _given(claimants: Iterable[Claimant]) -> dict[str, int]:
    found: dict[str, int] = {}
    for each in claimants:
        found[each.tenant] = found.get(each.tenant, 0) + each.least * each.size_bytes
    return found
