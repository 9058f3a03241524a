"""Claims on a host: one turn at a time, what a killed or sleeping update leaves, and two real processes at once."""

from __future__ import annotations

import multiprocessing
import multiprocessing.synchronize
import subprocess
from collections.abc import Iterator

import pytest

from runyard import contracts, names
from runyard.errors import Conflict, ContractError, HostError, HostUnreachable, NotFound, PolicyError
from runyard.host import Engine
from runyard.host.claims import TURN_LIMIT_S, Desk, hand_over, observe_claims, release, reserve
from runyard.plan.claim import Claim, join
from runyard.plan.quota import Use
from tests.unit.runyard.host.claim_world import SILENCE, World, claim, labels, within


def kept(world: World, stack: str) -> Claim | None:
    return observe_claims(world, world.keepers).of(stack)[0]


def test_first_claim_that_fits_stands_until_there_is_an_orchestrator_and_the_turn_is_free() -> None:
    world = World()
    reserve(world.desk, claim("a"), within(1000, 600))
    assert world.claims() == ["runyard.a.claim"]
    assert observe_claims(world, world.keepers).pending == (claim("a"),)


def test_claim_is_handed_to_an_orchestrator_and_no_container_of_it_is_left() -> None:
    world = World()
    reserve(world.desk, claim("a"), within(1000, 600))
    hand_over(world, world.start("a"), "a", contracts.encode(claim("a")))
    assert (world.claims(), kept(world, "a")) == ([], claim("a"))


def test_claim_that_is_none_or_speaks_for_another_is_not_handed_over() -> None:
    world = World()
    reserve(world.desk, claim("a"), within(1000, 600))
    for text in ("{}", contracts.encode(claim("b"))):
        with pytest.raises(ContractError):
            hand_over(world, world.start("x"), "a", text)
        world.discard("runyard.x.orchestrator")
    assert world.claims() == ["runyard.a.claim"]


def test_claim_that_the_orchestrator_does_not_take_still_stands() -> None:
    world = World()
    reserve(world.desk, claim("a"), within(1000, 600))
    orchestrator = world.start("a")
    orchestrator.fails = SILENCE
    with pytest.raises(HostError):
        hand_over(world, orchestrator, "a", contracts.encode(claim("a")))
    assert world.claims() == ["runyard.a.claim"]


def test_second_stack_is_refused_and_leaves_nothing() -> None:
    world = World()
    reserve(world.desk, claim("a"), within(1000, 600))
    with pytest.raises(PolicyError):
        reserve(world.desk, claim("b"), within(1000, 600))
    assert world.claims() == ["runyard.a.claim"]


def test_larger_claim_is_kept_at_once_beside_what_still_runs() -> None:
    world = World()
    old = claim("a", 300)
    world.start("a", old)
    service = Use("a", "shop", "new", {"cpu": 5}, {"cpu": 5})
    reserve(world.desk, Claim("a", (service,)), within(1000, 305))
    assert world.claims() == []
    assert kept(world, "a") == join(old, Claim("a", (service,)))


@pytest.mark.parametrize("cpu", [600, 500], ids=["equal", "smaller"])
def test_claim_that_takes_no_more_is_decided_without_a_turn(cpu: int) -> None:
    world = World()
    world.start("a", claim("a", 600))
    world.create(names.CLAIM_TURN, "image", {})
    reserve(world.desk, claim("a", cpu), within(1000, cpu))
    assert (world.waits, kept(world, "a")) == (0, claim("a", 600))
    # Another stack may have come, or the quota gone down.
    with pytest.raises(PolicyError):
        reserve(world.desk, claim("a", cpu), within(0, cpu))


def test_orchestrator_that_keeps_none_yet_gets_the_claim() -> None:
    world = World()
    world.start("a")
    reserve(world.desk, claim("a"), within(1000, 600))
    assert (world.claims(), kept(world, "a")) == ([], claim("a"))


def test_orchestrator_that_does_not_answer_leaves_the_container_to_stand_for_the_claim() -> None:
    world = World()
    orchestrator = world.start("a", claim("a", 300))
    orchestrator.fails = SILENCE
    reserve(world.desk, claim("a"), within(1000, 600))
    assert world.claims() == ["runyard.a.claim"]
    orchestrator.fails = HostUnreachable("connect: no engine")
    with pytest.raises(HostUnreachable):
        reserve(world.desk, claim("a"), within(1000, 600))


def test_orchestrator_that_ends_before_it_has_the_claim_leaves_the_container_to_stand_for_it() -> None:
    world = World()
    orchestrator = world.start("a", claim("a", 300))
    orchestrator.refuses = SILENCE
    reserve(world.desk, claim("a"), within(1000, 600))
    assert observe_claims(world, world.keepers).of("a") == (claim("a", 300), claim("a", 600))
    orchestrator.refuses = HostUnreachable("connect: no engine")
    with pytest.raises(HostUnreachable):
        reserve(world.desk, claim("a", 700), within(1000, 700))


def test_claim_of_an_update_that_was_killed_is_in_the_next_one() -> None:
    world = World()
    other = Claim("a", (Use("a", "shop", "api", {"cpu": 7}, {"cpu": 7}),))
    reserve(world.desk, other, within(1000, 7))
    reserve(world.desk, claim("a", 900), within(1000, 900))
    assert world.claims() == ["runyard.a.claim"]
    assert observe_claims(world, world.keepers).pending == (join(other, claim("a", 900)),)


def test_turn_of_another_is_waited_for() -> None:
    world = World()
    world.create(names.CLAIM_TURN, "image", labels("a", claim=claim("a")))
    world.meanwhile = lambda: world.discard(names.CLAIM_TURN)
    reserve(world.desk, claim("b"), within(1000, 600))
    assert world.waits == 1


def test_turn_of_a_killed_update_is_taken_over_after_its_limit() -> None:
    world = World()
    world.create(names.CLAIM_TURN, "image", labels("a", claim=claim("a")))
    reserve(world.desk, claim("b"), within(1000, 600))
    assert TURN_LIMIT_S < world.seconds < TURN_LIMIT_S + 1
    assert world.claims() == ["runyard.b.claim"]


def test_update_that_slept_through_its_turn_asks_anew_and_sees_who_passed() -> None:
    world = World()
    taken: list[str] = []

    def other_takes_over() -> None:
        if not taken:
            taken.append("b")
            world.seconds += TURN_LIMIT_S + 1
            reserve(world.desk, claim("b"), within(1000, 600))

    world.before_rename = other_takes_over
    with pytest.raises(PolicyError):
        reserve(world.desk, claim("a"), within(1000, 600))
    assert world.claims() == ["runyard.b.claim"]


def test_update_that_was_slow_to_decide_gives_its_turn_up_itself() -> None:
    world = World()
    asked: list[int] = []

    def decide(elsewhere: tuple[Use, ...]) -> None:
        asked.append(len(elsewhere))
        if len(asked) == 1:
            world.seconds += TURN_LIMIT_S / 2

    reserve(world.desk, claim("a"), decide)
    assert asked == [0, 0]
    assert world.claims() == ["runyard.a.claim"]


def test_orchestrator_that_made_a_turn_too_long_is_not_asked_in_the_next() -> None:
    world = World()
    slow = world.start("b", claim("b"))
    slow.fails = SILENCE

    def sleep() -> None:
        world.seconds += TURN_LIMIT_S / 2

    slow.before = sleep
    world.instance("b")
    reserve(world.desk, claim("a"), within(1600, 600))
    # Before the turn, and in the turn that was lost for it.
    assert slow.asked == 2
    assert world.claims() == ["runyard.a.claim"]


@pytest.mark.parametrize("forged", [{}, {names.ROLE: names.ROLE_CLAIM}], ids=["plain", "labelled"])
def test_strangers_container_in_the_place_of_the_turn_is_named_and_left_alone(forged: dict[str, str]) -> None:
    world = World()
    world.create(names.CLAIM_TURN, "image", forged)
    with pytest.raises(
        HostError, match=r"claim room on the host for stack a: a container named runyard\.claim that is"
    ):
        reserve(world.desk, claim("a"), within(1000, 600))
    assert list(world.containers) == [names.CLAIM_TURN]


def test_strangers_container_in_the_place_of_the_claim_refuses_and_is_left_alone() -> None:
    world = World()
    world.create("runyard.a.claim", "image", {})
    with pytest.raises(Conflict):
        reserve(world.desk, claim("a"), within(1000, 600))
    assert list(world.containers) == ["runyard.a.claim"]


def test_release_gives_back_all_of_a_stack_and_nothing_else() -> None:
    world = World()
    for stack in ("a", "b"):
        world.create(names.claim_container(stack), "image", labels(stack, claim=claim(stack)))
    world.create(names.CLAIM_TURN, "image", labels("a", claim=claim("a")))
    world.create("forged", "image", labels("a", claim=claim("a")))
    assert release(world, "a") == 2
    assert list(world.containers) == ["runyard.b.claim", "forged"]
    assert release(world, "a") == 0


@pytest.fixture
def image() -> Iterator[str]:
    """An image with nothing in it, which is all that a container needs that never starts."""
    name = "runyard/claim-test:1"
    # Two blocks of zeros are an archive without files.
    subprocess.run(["docker", "import", "-", name], input=bytes(1024), check=True, stdout=subprocess.DEVNULL)
    yield name
    subprocess.run(["docker", "image", "rm", "--force", name], check=True, stdout=subprocess.DEVNULL)


def try_to_reserve(
    stack: str, image: str, barrier: multiprocessing.synchronize.Barrier, told: multiprocessing.Queue[str]
) -> None:
    with Engine() as engine:
        # Others use this engine too: only these two stacks count, and nobody's orchestrator is asked.
        def decide(elsewhere: tuple[Use, ...]) -> None:
            within(1000, 600)(tuple(use for use in elsewhere if use.stack.startswith("race")))

        barrier.wait()
        try:
            reserve(Desk(engine, World().nobody, image), claim(stack), decide)
        except PolicyError:
            told.put(f"{stack} refused")
        else:
            told.put(f"{stack} passed")


@pytest.mark.engine
def test_of_two_processes_at_once_exactly_one_passes_a_quota(image: str) -> None:
    context = multiprocessing.get_context("spawn")
    for _ in range(3):
        barrier, told = context.Barrier(2), context.Queue()
        both = [
            context.Process(target=try_to_reserve, args=(stack, image, barrier, told)) for stack in ("race1", "race2")
        ]
        for process in both:
            process.start()
        answers = sorted(told.get(timeout=120).split()[1] for _ in both)
        for process in both:
            process.join(timeout=60)
        with Engine() as engine:
            assert sum(release(engine, stack) for stack in ("race1", "race2")) == 1
        assert answers == ["passed", "refused"]


@pytest.mark.engine
def test_engine_lets_one_container_have_a_name_and_tells_its_time(image: str) -> None:
    with Engine() as engine:
        made = engine.create("runyard.claim-test", image, {"runyard.dev/claim-test": "1"})
        try:
            with pytest.raises(Conflict):
                engine.create("runyard.claim-test", image, {})
            (found,) = engine.labelled("runyard.dev/claim-test")
            assert (found.name, found.id) == ("runyard.claim-test", made)
            assert abs((engine.now() - found.created).total_seconds()) < TURN_LIMIT_S
            assert engine.limits(made) == (0, 0)
            engine.rename(made, "runyard.claim-test.2")
            engine.discard("runyard.claim-test.2")
            with pytest.raises(NotFound):
                engine.rename(made, "runyard.claim-test")
        finally:
            engine.discard(made)
