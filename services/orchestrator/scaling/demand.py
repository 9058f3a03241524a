"""Demand: the instances that rollouts in force and rollouts under way want of each revision. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from runyard.contracts import RolloutRequest
from runyard.names import service_key
from services.orchestrator.model.parts import data_volumes
from services.orchestrator.model.revision import Revision
from services.orchestrator.scaling.capacity import desired_count, matching_count, proving_count
from services.orchestrator.traffic.commitment import Commitment, advance, held_counts, shares_to_serve, traffic_in_force
from services.orchestrator.traffic.shift import percents


@dataclass(frozen=True, slots=True)
class View:
    """What demand depends on: revisions and their ready instances, by `tenant/revision`, and the wall clock.

    `scaled` counts the instances that the load asks for, as the autoscaler decided.
    """

    revisions: Mapping[str, Revision]
    ready: Mapping[str, int]
    now_unix_s: float
    scaled: Mapping[str, int] = field(default_factory=dict)


def wanted(rollouts: Mapping[str, Commitment], candidates: Mapping[str, RolloutRequest], view: View) -> dict[str, int]:
    """Count the instances of every active revision, by `tenant/revision`: the most that any rollout wants of it."""
    counts = [_kept(each, view) for each in rollouts.values()]
    counts += [needed(each, rollouts.get(key), view) for key, each in candidates.items()]
    found: dict[str, int] = {}
    for key, count in (item for each in counts for item in each.items()):
        found[key] = max(count, found.get(key, 0))
    return dict(sorted(found.items()))


def give_way(
    found: Mapping[str, int], candidates: Mapping[str, RolloutRequest], revisions: Mapping[str, Revision]
) -> dict[str, int]:
    """Want nothing of a revision while a rollout under way brings another one that has the same persistent volume.

    A volume has one writer, so the old instance ends before the new one starts. When the rollout fails it is no
    candidate any more, and the old one is wanted again.
    """
    coming: dict[str, str] = {}
    for request in candidates.values():
        for share in request.traffic:
            key = service_key(request.tenant, share.revision)
            coming |= dict.fromkeys(_data_of(revisions, key), key)
    return {
        key: 0 if any(coming.get(volume, key) != key for volume in _data_of(revisions, key)) else count
        for key, count in found.items()
    }


def _data_of(revisions: Mapping[str, Revision], key: str) -> tuple[str, ...]:
    revision = revisions.get(key)
    return data_volumes(revision.spec) if revision else ()


def needed(request: RolloutRequest, current: Commitment | None, view: View) -> dict[str, int]:
    """Count the instances that every revision of a request must have before its traffic moves.

    A service whose shares change is taken over with the capacity that it has now, each revision by its share. One that
    the traffic in force does not name must answer before it gets any; one that it names may sleep on.
    """
    serving = serving_now(request, current, view)
    proved = shares_to_serve(current) if current else {}
    found = {}
    for name, percent in percents(request.traffic).items():
        key = service_key(request.tenant, name)
        revision = view.revisions.get(key)
        if revision is None:
            # It cannot be made; that it is missing shows in its status.
            found[key] = 1
        elif name in proved:
            awake = min(1, view.scaled.get(key, 0))
            found[key] = max(awake, matching_count(revision.spec, request, percent, serving))
        else:
            found[key] = proving_count(revision.spec, request, percent, serving)
    return found


def serving_now(request: RolloutRequest, current: Commitment | None, view: View) -> int:
    """Count the ready instances that carry traffic which the request would move; 0 when it moves none.

    No more of a revision than the rollout in force wants: what is being added for the request is not capacity of now.
    """
    if current is None:
        return 0
    carrying = _shares(percents(traffic_in_force(current, view.now_unix_s)))
    if carrying == _shares(percents(request.traffic)):
        return 0
    kept = _kept(current, view)
    keys = [service_key(request.tenant, name) for name in carrying]
    return sum(min(view.ready.get(key, 0), kept[key]) for key in keys)


def take_over(request: RolloutRequest, current: Commitment | None, view: View) -> dict[str, int]:
    """Give what a rollout that is put in force now must hold above the revisions' minimum, by name of the revision.

    The new side has the capacity that it was brought to, and the old side, as long as it is needed, that which it has.
    """
    if current is None or request.manual_instances is not None or not serving_now(request, current, view):
        return {}
    after, before = needed(request, current, view), shares_to_serve(current)
    held = {}
    for name, percent in {**before, **percents(request.traffic)}.items():
        key = service_key(request.tenant, name)
        count = max(after.get(key, 0), view.ready.get(key, 0) if name in before else 0)
        revision = view.revisions.get(key)
        if revision and count > desired_count(revision.spec, request, percent):
            held[name] = count
    return held


def take_on(commitment: Commitment, view: View) -> Commitment:
    """Give a commitment as it is after this look at its revisions."""
    # Its own alone: every pass looks at each commitment, so all of them would cost with the square of the services.
    names = {name: service_key(commitment.tenant, name) for name in shares_to_serve(commitment)}
    known = {name: key for name, key in names.items() if key in view.revisions}
    ready = {name: view.ready.get(key, 0) for name, key in known.items()}
    return advance(commitment, ready, known, view.now_unix_s)


def _kept(commitment: Commitment, view: View) -> dict[str, int]:
    held, found = held_counts(commitment, view.now_unix_s), {}
    for name, percent in shares_to_serve(commitment).items():
        key = service_key(commitment.tenant, name)
        revision = view.revisions.get(key)
        own = desired_count(revision.spec, commitment, percent) if revision else 1
        found[key] = max(own, held.get(name, 0), view.scaled.get(key, 0))
    return found


def _shares(percent: Mapping[str, int]) -> dict[str, int]:
    return {name: value for name, value in percent.items() if value}


__all__ = ["View", "give_way", "needed", "serving_now", "take_on", "take_over", "wanted"]
