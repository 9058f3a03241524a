"""Uses: what a stack's containers may use, by service, read from the resources that Pulumi would have in it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from policies.mount import Properties
from runyard import names
from runyard.contracts import part_of
from runyard.plan.claim import Standing, uses_of
from runyard.plan.quota import Use


def uses_in(standing: Sequence[Standing], rollouts: Sequence[Properties]) -> tuple[Use, ...]:
    """Give what each service uses at the least and at the most, and what no rollout accounts for.

    `rollouts` are the inputs of the stack's rollouts (`runyard.contracts.RolloutRequest`). A revision in traffic counts
    at the scale that its template says and its service parts among them, as in `runyard.manifest.model.Service.scale`;
    one that is kept to be returned to has no instances; any other container counts as what it is.
    """
    found, accounted = [], set()
    for rollout in rollouts:
        own = [each for each in standing if (each.tenant, each.service) == (rollout["tenant"], rollout["service"])]
        shares = _shares(rollout)
        known = {*shares, *(names.revision_of(str(identity)) for identity in rollout.get("history") or ())}
        accounted |= {each.container for each in own if each.revision in known}
        if own:
            found.append(_use(own, rollout, shares))
    strays = [each for each in standing if each.container not in accounted]
    return (*found, *uses_of((), strays))


def _shares(rollout: Properties) -> dict[str, int]:
    shares: dict[str, int] = {}
    for target in rollout["traffic"]:
        revision = str(target["revision"])
        shares[revision] = shares.get(revision, 0) + int(target["percent"])
    return shares


def _use(own: Sequence[Standing], rollout: Properties, shares: Mapping[str, int]) -> Use:
    best = {"cpu": 0, "memory": 0, "instances": 0}
    worst, largest = dict(best), dict(best)
    for revision, share in shares.items():
        containers = [each for each in own if each.revision == revision]
        each_has = {
            "cpu": sum(each.cpu_millis for each in containers),
            "memory": sum(each.memory_bytes for each in containers),
            "instances": 1,
        }
        asked, least, most = _scale(containers, rollout, share)
        for resource, amount in each_has.items():
            best[resource] += amount * (asked if resource == "cpu" else least)
            worst[resource] += amount * most
            largest[resource] = max(largest[resource], amount)
    bound = int(rollout.get("max_instances") or 0)
    if bound and rollout.get("manual_instances") is None:
        # The service's own maximum is for all of its revisions together.
        worst = {each: max(best[each], min(worst[each], max(bound, len(shares)) * largest[each])) for each in worst}
    first = own[0]
    return Use(first.stack, first.tenant, first.service, best, worst)


def _scale(containers: Sequence[Standing], rollout: Properties, share: int) -> tuple[int, int, int]:
    """Give how many instances are asked for, how many run at the least, and how many at the most."""
    manual = rollout.get("manual_instances")
    if manual is not None:
        count = max(1, part_of(int(manual), share)) if manual else 0
        return count, count, count
    # A revision whose template is yet to come, or has lost its ingress container, has an instance at least.
    own = next((each.scale for each in containers if each.scale is not None), (1, 1))
    asked = max(own[0], part_of(int(rollout.get("min_instances") or 0), share))
    # Nothing scales to zero yet: a revision in traffic keeps an instance whatever its minScale is.
    least = max(1, asked)
    return asked, least, max(least, own[1])
