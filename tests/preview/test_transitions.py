"""Generated transitions: every set is valid, equal seeds are equal, and the plan changes what was changed."""

from __future__ import annotations

import itertools
from collections import Counter
from pathlib import Path

import pytest

from runyard.plan import Plan
from tests.preview.test_mutations import changes
from tests.preview.transitions import CHANGES, LANES, UNCHANGING, Step, Stride, walk
from tests.preview.transitions.planned import by_key, foretell, plan_world, write_world
from tests.preview.transitions.sets import PLATFORM
from tests.preview.transitions.world import World

# A thousand transitions, as `make fidelity` has.
SEQUENCES, STRIDES = 5, 25
# `make check` has a few of the sequences, `make test` all.
QUICK = 1
REST = range(QUICK, SEQUENCES)
# How the plan calls what a manifest's Platform calls so.
FIELDS = {
    "holdTimeoutSeconds": "hold_timeout_s",
    "connectTimeoutSeconds": "connect_timeout_s",
    "maxBodySize": "max_body_bytes",
    "securityHeaders": "security_headers",
    "compression": "compression",
    "defaultBackend": "default_backend",
}


def strides(seed: str, lanes: int = LANES) -> list[Stride]:
    return list(itertools.islice(walk(seed, lanes), STRIDES + 1))


def test_equal_seeds_give_equal_steps_and_others_do_not() -> None:
    one, same, other = strides("1"), strides("1"), strides("2")
    assert one == same
    assert [each.world.files() for each in one] == [each.world.files() for each in same]
    assert one != other


def test_all_kinds_of_change_are_among_a_thousand_steps() -> None:
    made = [step for n in range(SEQUENCES) for stride in strides(f"count {n}")[1:] for step in stride.steps]
    count = Counter(kind for step in made for kind in step.kinds)
    assert len(made) == SEQUENCES * STRIDES * LANES == 1000
    assert {kind for kind in CHANGES if count[kind] < 3} == set()


def test_lanes_have_nothing_in_common() -> None:
    for stride in strides("apart"):
        worlds = [step.world for step in stride.steps]
        assert len({key for each in worlds for key in each.services}) == sum(len(each.services) for each in worlds)
        for step in stride.steps:
            assert {key for key in stride.world.services if step.has(key)} == set(step.world.services)
        named = [
            {*routes_of(each), *(entry.revision for entry in each.services.values() if entry.revision)}
            for each in worlds
        ]
        assert len(set().union(*named)) == sum(map(len, named))
        assert all(not set(step.kinds) & {*PLATFORM} - {"kept"} for step in stride.steps[1:])


def routes_of(world: World) -> set[str]:
    return {route.split()[0] for entry in world.services.values() for route in entry.routes}


@pytest.mark.parametrize("number", [*range(QUICK), *(pytest.param(n, marks=pytest.mark.slow) for n in REST)])
def test_every_step_is_valid_and_changes_in_the_plan_what_it_says(number: int, tmp_path: Path) -> None:
    before: Plan | None = None
    for stride in strides(f"plan {number}"):
        write_world(tmp_path, stride.world)
        after = plan_world(tmp_path, stride.world, before)
        if before is not None:
            for step in stride.steps:
                assert_changes(step, before, after)
            assert_platform(stride, before, after)
        assert_runnable(stride, after)
        before = after


def assert_changes(step: Step, before: Plan, after: Plan) -> None:
    old, new = ({key: each for key, each in by_key(one).items() if step.has(key)} for one in (before, after))
    assert (new.keys() - old.keys(), old.keys() - new.keys()) == (step.came, step.went), step.kinds
    found = {key: changes(old[key], new[key]) for key in step.words}
    told = {key: words for key, words in step.words.items() if words is not None}
    assert {key: found[key] for key in told} == told, step.kinds
    if set(step.kinds) <= UNCHANGING:
        assert {key: each for key, each in foretell(before, after).items() if step.has(key)} == {}, step.kinds


def assert_platform(stride: Stride, before: Plan, after: Plan) -> None:
    gateways = before.platform.gateway, after.platform.gateway
    differing = {key for key, name in FIELDS.items() if len({getattr(each, name) for each in gateways}) == 2}
    assert differing == stride.steps[0].platform - {"revisions"}, stride.steps[0].kinds
    kinds = {kind for step in stride.steps for kind in step.kinds}
    if kinds <= UNCHANGING:
        assert before.networks == after.networks, kinds


def assert_runnable(stride: Stride, found: Plan) -> None:
    """Everything that has traffic is there, and everything that can get it back finds its network."""
    networks = {network.name for network in found.networks}
    for each in found.services:
        revisions = (each.revision, *each.kept)
        assert {share.revision for share in each.rollout.traffic} <= {each.name for each in revisions}, stride.number
        assert {each.document.network for each in revisions} <= networks, stride.number
