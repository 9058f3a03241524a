"""Observation of claims: who is believed, what counts of those that are silent, and what forged labels can do."""

from __future__ import annotations

import pytest

from runyard import contracts, names
from runyard.errors import HostError, HostUnreachable
from runyard.host.observation import Claims, observe_claims
from tests.unit.runyard.host.claim_world import SILENCE, World, claim, labels


def observe(world: World, *unasked: str) -> Claims:
    return observe_claims(world, world.keepers, unasked)


def cpu_of(world: World, stack: str = "b") -> int:
    return sum(use.worst["cpu"] or 0 for use in observe(world).elsewhere(stack))


def test_claim_is_what_the_orchestrator_keeps_and_its_instances_do_not_count_beside_it() -> None:
    world = World()
    world.start("a", claim("a"))
    world.instance("a")
    seen = observe(world)
    assert (seen.kept, seen.standing, seen.silent) == ((claim("a"),), (), {})
    assert cpu_of(world) == 600
    assert cpu_of(world, "a") == 0


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"runs": False}, "its orchestrator does not run"),
        ({"kept": None}, "its orchestrator keeps none"),
        ({"fails": SILENCE}, "its orchestrator tells none: reach the orchestrator: no answer"),
        ({"kept": contracts.encode(claim("z"))}, "its orchestrator tells none: decode Claim: stack: must be a, got z"),
        ({"kept": "x" * 3}, None),
    ],
    ids=["stopped", "without", "silent", "of another", "unreadable"],
)
def test_stack_whose_orchestrator_tells_no_claim_counts_by_its_instances(change: dict[str, object], why: str) -> None:
    world = World()
    orchestrator = world.start("a", claim("a", 9000))
    for key, value in change.items():
        setattr(orchestrator, key, value)
    world.instance("a", "a1")
    world.instance("a", "a2")
    seen = observe(world)
    assert seen.kept == ()
    assert list(seen.silent) == ["a"]
    assert why is None or seen.silent["a"] == why
    (use,) = seen.elsewhere("b")
    assert (use.worst["cpu"], use.worst["memory"], use.worst["instances"]) == (2000, 256, 2)


def test_stack_that_has_lost_its_orchestrator_counts_by_its_instances() -> None:
    world = World()
    world.instance("a")
    assert observe(world).silent == {"a": "it has no orchestrator"}
    assert cpu_of(world) == 1000


def test_stack_that_is_passed_over_is_not_asked() -> None:
    world = World()
    orchestrator = world.start("a", claim("a"))
    seen = observe(world, "a")
    assert (orchestrator.asked, seen.kept, seen.slow) == (0, (), {"a"})


def test_only_those_that_were_waited_for_are_slow() -> None:
    world = World()
    world.start("a").fails = SILENCE
    world.start("b")
    world.start("c").runs = False
    world.instance("d")
    assert observe(world).slow == {"a"}


def test_engine_that_does_not_answer_refuses() -> None:
    world = World()
    world.start("a").fails = HostUnreachable("connect: no engine")
    with pytest.raises(HostUnreachable):
        observe(world)


def test_claim_that_is_not_handed_over_counts_with_the_one_that_is_kept() -> None:
    world = World()
    world.start("a", claim("a", 600))
    world.create(names.claim_container("a"), "image", labels("a", claim=claim("a", 900)))
    assert observe(world).of("a") == (claim("a", 600), claim("a", 900))
    assert observe(world).of("b") == (None, None)
    assert cpu_of(world) == 900


def test_claim_not_handed_over_that_cannot_be_read_refuses_and_says_how_to_remove_it() -> None:
    world = World()
    world.create(names.claim_container("a"), "image", labels("a") | {names.CLAIM: '{"stack": "a", "x": 1}'})
    with pytest.raises(HostError) as caught:
        observe(world)
    assert str(caught.value) == (
        "read the claim runyard.a.claim of stack a: decode Claim: unknown field 'x' "
        "(runyard release --stack a removes it)"
    )


@pytest.mark.parametrize("cpu", [0, 10**9], ids=["to take room", "to block"])
def test_claim_under_another_name_is_reported_and_not_believed(cpu: int) -> None:
    world = World()
    world.start("a", claim("a"))
    # An image brings its labels into every container of it, and none brings a name.
    world.create("app-1", "image", labels("a", claim=claim("a", cpu)))
    world.create("app-2", "image", labels("nobody", claim=claim("nobody", cpu)))
    world.create("app-3", "image", labels("a") | {names.CLAIM: "broken"})
    # The name of one stack and the label of another.
    world.create(names.claim_container("c"), "image", labels("a", claim=claim("a", cpu)))
    assert cpu_of(world) == 600
    assert observe(world).strangers == ("app-1", "app-2", "app-3", "runyard.c.claim")


def test_claim_on_a_container_of_another_role_is_nothing_at_all() -> None:
    world = World()
    world.start("a", claim("a"))
    forged = {names.CLAIM: contracts.encode(claim("a", 0))}
    world.instance("a", **forged)
    world.create("plain", "image", forged)
    assert cpu_of(world) == 600
    assert observe(world).strangers == ()


def test_orchestrator_under_another_name_is_reported_and_not_asked() -> None:
    world = World()
    world.create("copy", "image", labels("a", names.ROLE_ORCHESTRATOR))
    # One stack's name and another's label: nobody is asked in the name of either.
    world.create(names.platform_container("b", "orchestrator"), "image", labels("a", names.ROLE_ORCHESTRATOR))
    seen = observe(world)
    assert (seen.kept, seen.silent) == ((), {})
    assert seen.strangers == ("copy", "runyard.b.orchestrator")


def test_instance_under_another_name_does_not_count() -> None:
    world = World()
    world.instance("a", name="forged")
    world.instance("a", name="runyard.a.shop.web-1.web.a2")
    assert cpu_of(world) == 0


def test_instance_that_went_while_it_was_looked_at_does_not_count() -> None:
    world = World()
    world.instance("a")
    listed = world.labelled
    world.labelled = lambda label: (listed(label), world.containers.clear())[0]  # type: ignore[method-assign]
    assert observe(world).standing == ()


def test_turn_is_told_by_its_stack_and_is_no_claim() -> None:
    world = World()
    world.create(names.CLAIM_TURN, "image", labels("a", claim=claim("a")))
    seen = observe(world)
    assert (seen.turn, seen.pending, cpu_of(world)) == ("a", (), 0)
