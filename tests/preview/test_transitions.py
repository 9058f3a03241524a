"""Generated transitions: every set is valid, equal seeds are equal, and the plan changes what was changed."""

from __future__ import annotations

import itertools
from collections import Counter
from pathlib import Path

import pytest

from runyard.plan import Plan
from tests.preview.test_mutations import changes
from tests.preview.transitions import CHANGES, UNCHANGING, Step, walk
from tests.preview.transitions.planned import by_key, foretell, plan_world, write_world

SEQUENCES, STEPS = 20, 50
# `make check` has a few of the sequences, `make test` all.
QUICK = 4
REST = range(QUICK, SEQUENCES)
# How the plan calls what a manifest's Platform calls so.
PLATFORM = {
    "holdTimeoutSeconds": "hold_timeout_s",
    "connectTimeoutSeconds": "connect_timeout_s",
    "maxBodySize": "max_body_bytes",
    "securityHeaders": "security_headers",
    "compression": "compression",
    "defaultBackend": "default_backend",
}


def steps(seed: str) -> list[Step]:
    return list(itertools.islice(walk(seed), STEPS + 1))


def test_equal_seeds_give_equal_steps_and_others_do_not() -> None:
    one, same, other = steps("1"), steps("1"), steps("2")
    assert one == same
    assert [each.world.files() for each in one] == [each.world.files() for each in same]
    assert one != other


def test_all_kinds_of_change_are_among_a_thousand_steps() -> None:
    count = Counter(kind for number in range(SEQUENCES) for step in steps(f"count {number}") for kind in step.kinds)
    assert {kind for kind in CHANGES if count[kind] < 3} == set()


@pytest.mark.parametrize("number", [*range(QUICK), *(pytest.param(n, marks=pytest.mark.slow) for n in REST)])
def test_every_step_is_valid_and_changes_in_the_plan_what_it_says(number: int, tmp_path: Path) -> None:
    before: Plan | None = None
    for step in steps(f"plan {number}"):
        write_world(tmp_path, step.world)
        after = plan_world(tmp_path, step.world, before)
        if before is not None:
            assert_changes(step, before, after)
        assert_runnable(step, after)
        before = after


def assert_changes(step: Step, before: Plan, after: Plan) -> None:
    old, new = by_key(before), by_key(after)
    assert (new.keys() - old.keys(), old.keys() - new.keys()) == (step.came, step.went), step.kinds
    found = {key: changes(old[key], new[key]) for key in step.words}
    told = {key: words for key, words in step.words.items() if words is not None}
    assert {key: found[key] for key in told} == told, step.kinds
    gateways = before.platform.gateway, after.platform.gateway
    differing = {key for key, name in PLATFORM.items() if len({getattr(each, name) for each in gateways}) == 2}
    assert differing == step.platform - {"revisions"}, step.kinds
    if set(step.kinds) <= UNCHANGING:
        assert (before.networks, foretell(before, after)) == (after.networks, {}), step.kinds


def assert_runnable(step: Step, found: Plan) -> None:
    """Everything that has traffic is there, and everything that can get it back finds its network."""
    networks = {network.name for network in found.networks}
    for each in found.services:
        revisions = (each.revision, *each.kept)
        assert {share.revision for share in each.rollout.traffic} <= {each.name for each in revisions}, step.kinds
        assert {each.document.network for each in revisions} <= networks, step.kinds
