from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runyard import names
from runyard.contracts import VolumeDocument
from runyard.scaling.settings import SURPLUS_GRACE_S
from services.orchestrator.instances.decision import BOOST_S, decide, note_failed_start
from services.orchestrator.instances.observation import (
    CreateInstance,
    EndBoost,
    FreezeInstance,
    Memory,
    Observation,
    RemoveInstance,
    Slot,
    StartContainer,
    ThawInstance,
    one_of_each,
)
from services.orchestrator.model.instance import Container, Health, Instance
from services.orchestrator.model.revision import Revision

from ..world import container, document

READY = Health(started=True, ready=True, probed=True)
MEMORY = Memory(sequence=0xA0)


def revision(name: str = "hello-1", containers: tuple[str, ...] = ("app",), **depends: tuple[str, ...]) -> Revision:
    return Revision(document(name, *(container(each, depends_on=depends.get(each, ())) for each in containers)))


def instance(key: str, state: str = "running", name: str = "hello-1", **container: Any) -> Instance:
    box = Container(id=f"c-{key}", name="app", state=state, **container)
    return Instance(key, "default", "hello", name, "10.0.0.9", "n", (box,), identity=name)


def observation(*instances: Instance, wanted: int = 1, ready: bool = True, **fields: Any) -> Observation:
    health = {box.id: READY for each in instances for box in each.containers} if ready else {}
    base = Observation({"default/hello-1": revision()}, instances, {"default/hello-1": wanted}, health)
    return replace(base, **fields)


def test_nothing_to_do_is_no_action_and_no_due_time() -> None:
    decision = decide(observation(instance("1")), MEMORY, 100)
    assert (decision.actions, decision.due) == ((), None)


def test_missing_instances_are_created_with_new_numbers() -> None:
    decision = decide(observation(wanted=2), MEMORY, 100)
    assert decision.actions == (CreateInstance("a1", "default/hello-1"), CreateInstance("a2", "default/hello-1"))
    assert decision.memory.sequence == 0xA2


def test_instances_being_made_are_not_made_twice() -> None:
    making = {"busy": frozenset({"a1"}), "starting": {"a1": "default/hello-1"}}
    assert decide(observation(**making), MEMORY, 100).actions == ()


def test_revision_without_document_makes_nothing() -> None:
    assert decide(observation(revisions={}), MEMORY, 100).actions == ()


def test_dead_instance_is_removed_and_replaced_in_one_decision() -> None:
    decision = decide(observation(instance("1", "ended", exit_code=3)), MEMORY, 100)
    assert decision.actions == (
        RemoveInstance("1", "container app: exited with code 3", drained=False),
        CreateInstance("a1", "default/hello-1"),
    )


def test_instance_killed_for_its_memory_says_so() -> None:
    dead = instance("1", "ended", exit_code=137, oom_killed=True)
    removal = decide(observation(dead), MEMORY, 100).actions[0]
    assert removal == RemoveInstance(
        "1", "container app: killed for using more memory than its limit (OOM)", drained=False
    )


def test_instance_whose_liveness_failed_is_replaced() -> None:
    failing = {"c-1": replace(READY, ready=False, failed="liveness probe http :8080/: answered 500")}
    decision = decide(observation(instance("1"), health=failing), MEMORY, 100)
    assert decision.actions[0] == RemoveInstance(
        "1", "container app: liveness probe http :8080/: answered 500", drained=False
    )


def test_second_crash_waits_and_says_until_when() -> None:
    crashed = observation(instance("1", "ended"))
    decision = decide(crashed, replace(MEMORY, attempts={"1": 1}), 100)
    assert decision.actions == (RemoveInstance("1", "container app: exited with code 0", drained=False),)
    assert decision.due == 101
    gone = observation()
    assert decide(gone, decision.memory, 100.9).actions == ()
    assert decide(gone, decision.memory, 101).actions == (CreateInstance("a1", "default/hello-1"),)


def test_replacement_inherits_the_failures_of_its_slot() -> None:
    waiting = replace(MEMORY, slots={"default/hello-1": (Slot(3, 50),)})
    memory = decide(observation(), waiting, 100).memory
    assert (memory.attempts, memory.slots) == ({"a1": 3}, {})


def test_removal_that_is_tried_again_is_not_a_second_failure() -> None:
    crashed = observation(instance("1", "ended"))
    first = decide(crashed, MEMORY, 100)
    again = decide(replace(crashed, starting={"a1": "default/hello-1"}, busy=frozenset({"a1"})), first.memory, 101)
    assert again.actions == (RemoveInstance("1", "container app: exited with code 0", drained=False),)
    assert again.memory.slots == {}


def test_healthy_minute_forgives_earlier_failures() -> None:
    memory = replace(MEMORY, attempts={"1": 5}, ready_since={"1": 30.0})
    decision = decide(observation(instance("1", "ended")), memory, 100)
    assert CreateInstance("a1", "default/hello-1") in decision.actions
    assert decision.memory.attempts["a1"] == 1


def test_revision_that_nobody_wants_is_removed_after_the_grace() -> None:
    idle = observation(instance("1"), wanted=0)
    first = decide(idle, MEMORY, 100)
    assert (first.actions, first.due) == ((), 100 + SURPLUS_GRACE_S)
    assert decide(idle, first.memory, 100 + SURPLUS_GRACE_S).actions == (RemoveInstance("1"),)


def test_revision_wanted_again_within_the_grace_is_kept() -> None:
    first = decide(observation(instance("1"), wanted=0), MEMORY, 100)
    back = decide(observation(instance("1")), first.memory, 101)
    assert (back.actions, back.memory.surplus_since) == ((), {})


def test_instances_whose_document_cannot_be_read_stay_as_long_as_they_are_wanted() -> None:
    # They could not be made again.
    orphans = observation(instance("1"), instance("2"), revisions={})
    first = decide(orphans, MEMORY, 100)
    assert decide(orphans, first.memory, 100 + SURPLUS_GRACE_S).actions == ()
    idle = replace(orphans, wanted={})
    first = decide(idle, MEMORY, 100)
    assert decide(idle, first.memory, 100 + SURPLUS_GRACE_S).actions == (RemoveInstance("1"), RemoveInstance("2"))


def edited(key: str) -> Instance:
    return instance(key, edited="was edited: Memory is 1 and must be 2")


def test_edited_instance_serves_until_another_does_and_is_then_drained() -> None:
    first = decide(observation(edited("1")), MEMORY, 100)
    assert first.actions == (CreateInstance("a1", "default/hello-1"),)
    starting = observation(edited("1"), instance("a1"), health={"c-1": READY})
    assert decide(starting, first.memory, 100).actions == ()
    both = observation(edited("1"), instance("a1"))
    removal = RemoveInstance("1", "container app: was edited: Memory is 1 and must be 2")
    assert decide(both, first.memory, 101).actions == (removal,)
    assert removal.drained


def test_instance_to_be_restarted_serves_until_another_does_and_is_no_failure() -> None:
    asked: dict[str, Any] = {"restarting": frozenset({"1"})}
    first = decide(observation(instance("1"), instance("2"), wanted=2, **asked), MEMORY, 100)
    assert first.actions == (CreateInstance("a1", "default/hello-1"),)
    starting = observation(instance("1"), instance("2"), instance("a1"), wanted=2, **asked)
    cold = replace(starting, health={"c-1": READY, "c-2": READY})
    assert decide(cold, first.memory, 101).actions == ()
    after = decide(starting, first.memory, 102)
    assert after.actions == (RemoveInstance("1"),)
    # Neither a slot that waits nor a counted failure is left of it.
    assert (dict(after.memory.slots), after.memory.counted) == ({}, frozenset())


def test_instance_to_be_restarted_that_is_not_wanted_goes_as_any_surplus() -> None:
    decision = decide(observation(instance("1"), wanted=0, restarting=frozenset({"1"})), MEMORY, 100)
    assert (decision.actions, decision.due) == ((), 100 + SURPLUS_GRACE_S)


def test_instance_to_be_drained_goes_at_once_and_another_is_made_in_its_place() -> None:
    asked: dict[str, Any] = {"draining": frozenset({"1", "2"})}
    first = decide(observation(instance("1"), instance("2"), instance("3"), wanted=3, **asked), MEMORY, 100)
    new = (CreateInstance("a1", "default/hello-1"), CreateInstance("a2", "default/hello-1"))
    assert first.actions == (RemoveInstance("1"), RemoveInstance("2"), *new)
    # Nothing failed, and what is not wanted needs none in its place.
    assert (dict(first.memory.slots), first.memory.counted) == ({}, frozenset())
    assert decide(observation(instance("1"), wanted=0, **asked), MEMORY, 100).actions == (RemoveInstance("1"),)


def test_instances_are_restarted_one_by_one_in_each_revision_the_oldest_first() -> None:
    there = (instance("ff"), instance("100"), instance("1"), instance("a", name="hello-2"))
    assert one_of_each(there, {"100", "ff", "a", "9"}) == {"ff", "a"}
    assert one_of_each(there, ()) == frozenset()


def test_edited_instance_that_does_not_serve_goes_at_once() -> None:
    decision = decide(observation(edited("1"), ready=False), MEMORY, 100)
    assert [type(each) for each in decision.actions] == [RemoveInstance, CreateInstance]


def test_instances_that_are_edited_again_and_again_are_replaced_ever_more_slowly() -> None:
    memory = decide(observation(edited("1")), MEMORY, 100).memory
    second = decide(observation(edited("1"), edited("a1")), memory, 101)
    assert (second.actions, second.due) == ((), 102)


def test_edited_instance_that_nobody_wants_goes_as_any_other() -> None:
    idle = observation(edited("1"), wanted=0)
    first = decide(idle, MEMORY, 100)
    assert first.actions == ()
    assert decide(idle, first.memory, 100 + SURPLUS_GRACE_S).actions == (RemoveInstance("1"),)


def test_deleted_service_is_removed_without_grace() -> None:
    idle = observation(instance("1"), wanted=0, deleted=frozenset({"default/hello"}))
    assert decide(idle, MEMORY, 100).actions == (RemoveInstance("1"),)


def test_of_too_many_instances_the_unready_go_first_then_the_youngest() -> None:
    three = observation(instance("1"), instance("2"), instance("3"), wanted=1)
    unready = replace(three, health={"c-2": READY, "c-3": READY})
    first = decide(unready, MEMORY, 100)
    assert decide(unready, first.memory, 110).actions == (RemoveInstance("1"), RemoveInstance("3"))


def test_busy_instance_gets_no_second_action() -> None:
    busy = observation(instance("1", "ended"), busy=frozenset({"1"}))
    assert decide(busy, MEMORY, 100).actions == (CreateInstance("a1", "default/hello-1"),)


def test_instance_whose_making_was_interrupted_is_removed() -> None:
    two = {"default/hello-1": revision(containers=("app", "proxy"))}
    decision = decide(observation(instance("1"), revisions=two), MEMORY, 100)
    assert decision.actions[0] == RemoveInstance("1", "its making was interrupted", drained=False)


def two_containers(first: str, second: str) -> Instance:
    boxes = (Container("c-app", "app", second), Container("c-proxy", "proxy", first))
    return Instance("1", "default", "hello", "hello-1", "10.0.0.9", "n", boxes, identity="hello-1")


def test_container_is_started_once_what_it_depends_on_has_started() -> None:
    revisions = {"default/hello-1": revision(containers=("proxy", "app"), app=("proxy",))}
    waiting = observation(two_containers("running", "created"), revisions=revisions, health={})
    assert decide(waiting, MEMORY, 100).actions == ()
    started = replace(waiting, health={"c-proxy": Health(started=True)})
    assert decide(started, MEMORY, 100).actions == (StartContainer("1", "default/hello-1", "c-app"),)


def test_instance_with_one_dead_container_is_replaced_whole() -> None:
    revisions = {"default/hello-1": revision(containers=("proxy", "app"))}
    decision = decide(observation(two_containers("ended", "running"), revisions=revisions), MEMORY, 100)
    assert decision.actions[0] == RemoveInstance("1", "container proxy: exited with code 0", drained=False)


def test_failed_start_leaves_a_slot_with_its_failures() -> None:
    memory = note_failed_start(replace(MEMORY, attempts={"a1": 2}), "default/hello-1", "a1", 100)
    assert memory.slots == {"default/hello-1": (Slot(3, 102),)}
    assert memory.attempts == {}


STATES = st.sampled_from(["running", "created", "ended", "restarting"])


@settings(max_examples=150)
@given(states=st.lists(STATES, max_size=6), wanted=st.integers(0, 4), busy=st.sets(st.integers(0, 5)))
def test_any_observation_converges_and_is_decided_alike_twice(states: list[str], wanted: int, busy: set[int]) -> None:
    instances = tuple(instance(str(index), state) for index, state in enumerate(states))
    seen = observation(*instances, wanted=wanted, busy=frozenset(str(each) for each in busy if each < len(states)))
    decision = decide(seen, MEMORY, 100)
    assert decision == decide(seen, MEMORY, 100)
    touched = [action.instance for action in decision.actions]
    assert len(touched) == len(set(touched))
    assert not seen.busy & set(touched)
    removed = {action.instance for action in decision.actions if isinstance(action, RemoveInstance)}
    living = [each for each in instances if each.id not in removed | seen.busy]
    created = [action for action in decision.actions if isinstance(action, CreateInstance)]
    assert len(living) + len(created) >= wanted or decision.due is not None
    assert len(created) == max(0, wanted - len(living))


def staged(**states: str) -> Instance:
    """Give an instance with an init container, as far as it has come."""
    roles = {names.HOLDER: "holder", "init": "init", "app": "app"}
    boxes = tuple(
        Container(f"c-{name}", name, states[name], role=role) for name, role in roles.items() if name in states
    )
    return Instance("1", "default", "hello", "hello-1", "10.0.0.9", "n", boxes, identity="hello-1")


STAGED = {"default/hello-1": Revision(document("hello-1", init_containers=(container("init"),)))}


@pytest.mark.parametrize(
    ("states", "begins"),
    [
        ({names.HOLDER: "running", "init": "created", "app": "created"}, "c-init"),
        ({names.HOLDER: "running", "init": "running", "app": "created"}, ""),
        ({names.HOLDER: "running", "init": "ended", "app": "created"}, "c-app"),
        ({names.HOLDER: "running", "init": "ended", "app": "running"}, ""),
        # Pruned after its work.
        ({names.HOLDER: "running", "app": "running"}, ""),
    ],
)  # fmt: skip
def test_parts_start_one_after_another(states: dict[str, str], begins: str) -> None:
    seen = observation(staged(**states), revisions=STAGED, ready=states["app"] == "running")
    started = (StartContainer("1", "default/hello-1", begins),) if begins else ()
    assert decide(seen, MEMORY, 100).actions == started


@pytest.mark.parametrize(
    "states",
    [
        {names.HOLDER: "running", "app": "created"},
        {names.HOLDER: "running", "init": "ended"},
        {"init": "ended", "app": "running"},
    ],
)
def test_part_that_is_missing_before_its_work_means_that_the_making_was_interrupted(states: dict[str, str]) -> None:
    decision = decide(observation(staged(**states), revisions=STAGED), MEMORY, 100)
    assert decision.actions[0] == RemoveInstance("1", "its making was interrupted", drained=False)


WRITERS = {
    f"default/hello-{number}": Revision(document(f"hello-{number}", volumes=(VolumeDocument("d", "persistent", 1),)))
    for number in (1, 2)
}
VOLUME = "runyard.test.volume.default.d"


def writing(key: str, name: str = "hello-1", state: str = "running") -> Instance:
    return replace(instance(key, state, name), data=(VOLUME,))


def test_writer_that_is_not_wanted_goes_without_a_grace_and_the_next_waits_for_its_end() -> None:
    wanted = {"default/hello-1": 0, "default/hello-2": 1}
    seen = replace(observation(writing("1"), revisions=WRITERS, written=frozenset({VOLUME})), wanted=wanted)
    decision = decide(seen, MEMORY, 100)
    assert (decision.actions, decision.due) == ((RemoveInstance("1"),), None)
    going = replace(seen, busy=frozenset({"1"}))
    assert decide(going, MEMORY, 100).actions == ()
    # Nobody sees it any more, and the book still has it.
    assert decide(replace(going, instances=()), MEMORY, 100).actions == ()
    gone = replace(seen, instances=(), written=frozenset())
    assert decide(gone, MEMORY, 100).actions == (CreateInstance("a1", "default/hello-2"),)


def test_writer_that_is_about_to_be_made_keeps_others_from_it() -> None:
    seen = observation(revisions=WRITERS, busy=frozenset({"7"}), starting={"7": "default/hello-1"})
    assert decide(replace(seen, wanted={"default/hello-2": 1}), MEMORY, 100).actions == ()


def test_of_two_that_want_one_volume_and_of_many_instances_one_is_made() -> None:
    seen = replace(observation(revisions=WRITERS), wanted={"default/hello-1": 3, "default/hello-2": 1})
    assert decide(seen, MEMORY, 100).actions == (CreateInstance("a1", "default/hello-1"),)


def test_dead_writer_waits_its_turn_as_any_other() -> None:
    dead = observation(writing("1", state="ended"), revisions=WRITERS, written=frozenset({VOLUME}))
    first = decide(dead, replace(MEMORY, attempts={"1": 1}), 100)
    assert [type(each) for each in first.actions] == [RemoveInstance]
    gone = observation(revisions=WRITERS)
    assert decide(gone, first.memory, 100.9).actions == ()
    assert decide(gone, first.memory, 101).actions == (CreateInstance("a1", "default/hello-1"),)


@given(
    wanted=st.dictionaries(st.sampled_from(sorted(WRITERS)), st.integers(0, 3)),
    there=st.lists(st.sampled_from(["hello-1", "hello-2"]), max_size=1),
    state=st.sampled_from(["created", "running", "ended", "paused"]),
    busy=st.booleans(),
)
def test_there_are_never_two_writers(wanted: dict[str, int], there: list[str], state: str, busy: bool) -> None:
    instances = tuple(writing("1", name, state) for name in there)
    seen = Observation(
        WRITERS,
        instances,
        wanted,
        busy=frozenset({"1"}) if busy else frozenset(),
        written=frozenset(name for each in instances for name in each.data),
    )
    made = [each for each in decide(seen, MEMORY, 100).actions if isinstance(each, CreateInstance)]
    assert len(made) + len(instances) <= 1


FREEZING = frozenset({"default/hello-1"})


def test_of_what_nobody_wants_the_oldest_that_serves_is_frozen_and_the_others_go() -> None:
    seen = observation(instance("1"), instance("2"), wanted=0, freezing=FREEZING)
    decision = decide(seen, MEMORY, 100)
    assert decision.actions == (FreezeInstance("1"),)
    assert decide(seen, decision.memory, 100 + SURPLUS_GRACE_S).actions == (RemoveInstance("2"), FreezeInstance("1"))


def test_what_is_frozen_stays_so_and_goes_on_when_it_is_wanted() -> None:
    paused = instance("1", "paused")
    assert decide(observation(paused, wanted=0, freezing=FREEZING), MEMORY, 100).actions == ()
    assert decide(observation(paused, freezing=FREEZING), MEMORY, 100).actions == (
        ThawInstance("1", "default/hello-1"),
    )
    assert decide(observation(paused, wanted=2, freezing=FREEZING), MEMORY, 100).actions == (
        ThawInstance("1", "default/hello-1"),
        CreateInstance("a1", "default/hello-1"),
    )


def test_what_is_not_ready_is_not_worth_freezing() -> None:
    starting = observation(instance("1"), wanted=0, ready=False, freezing=FREEZING)
    decision = decide(starting, MEMORY, 100)
    assert decision.actions == ()
    assert decide(starting, decision.memory, 100 + SURPLUS_GRACE_S).actions == (RemoveInstance("1"),)


def test_what_is_frozen_and_may_not_be_any_more_is_removed() -> None:
    paused = observation(instance("1", "paused"), wanted=0)
    decision = decide(paused, MEMORY, 100)
    assert decide(paused, decision.memory, 100 + SURPLUS_GRACE_S).actions == (RemoveInstance("1"),)


@pytest.mark.parametrize(
    ("in_flight", "victim"),
    [({}, "3"), ({"1": 0, "2": 2, "3": 1}, "1"), ({"1": 4, "2": 0, "3": 0}, "3"), ({"1": 1, "2": 1, "3": 1}, "3")],
    ids=["unknown", "least_busy", "newest_of_the_least_busy", "newest_of_equals"],
)
def test_of_too_many_the_newest_with_the_least_in_flight_goes(in_flight: dict[str, int], victim: str) -> None:
    seen = observation(instance("1"), instance("2"), instance("3"), wanted=2, in_flight=in_flight)
    decision = decide(seen, MEMORY, 100)
    assert set(decision.memory.surplus_since) == {victim}
    # It stays chosen, whatever comes and goes in the meantime.
    turned = replace(seen, in_flight={victim: 9})
    assert decide(turned, decision.memory, 100 + SURPLUS_GRACE_S).actions == (RemoveInstance(victim),)


def test_instance_that_turns_to_sleep_and_is_wanted_again_needs_no_other_in_its_place() -> None:
    turning = observation(instance("1"), busy=frozenset({"1"}), turning={"1": "default/hello-1"}, freezing=FREEZING)
    assert decide(turning, MEMORY, 100).actions == ()


def test_boost_is_over_a_while_after_the_instance_was_ready() -> None:
    boosted = observation(instance("1", boosted=True))
    first = decide(boosted, MEMORY, 100)
    assert (first.actions, first.due) == ((), 100 + BOOST_S)
    over = decide(boosted, first.memory, 100 + BOOST_S)
    assert (over.actions, over.due) == ((EndBoost("1", "default/hello-1"),), None)


def test_instance_whose_boost_is_being_ended_is_ready_all_the_while() -> None:
    memory = decide(observation(instance("1", boosted=True)), MEMORY, 100).memory
    ending = {"busy": frozenset({"1"}), "starting": {"1": "default/hello-1"}}
    memory = decide(observation(instance("1", boosted=True), **ending), memory, 110).memory
    assert decide(observation(instance("1")), memory, 111).memory.ready_since == {"1": 100}


def test_boost_goes_on_while_the_instance_is_not_ready_and_with_what_is_removed() -> None:
    unready = observation(instance("1", boosted=True), ready=False)
    memory = decide(unready, MEMORY, 100).memory
    assert decide(unready, memory, 500).actions == ()
    surplus = observation(instance("1", boosted=True), wanted=0)
    memory = decide(surplus, MEMORY, 100).memory
    assert decide(surplus, memory, 500).actions == (RemoveInstance("1"),)
