"""Claims on a host: one turn at a time, what a killed or sleeping update leaves, and two real processes at once."""

from __future__ import annotations

import datetime
import io
import multiprocessing
import multiprocessing.synchronize
import tarfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

import docker
import pytest

from runyard import contracts, names
from runyard.errors import Conflict, HostError, NotFound, PolicyError
from runyard.host import Engine
from runyard.host.claims import TURN_LIMIT_S, Pace, observe_claims, release, reserve
from runyard.host.engine import Found
from runyard.plan.claim import Claim
from runyard.plan.quota import Use

START = datetime.datetime(2026, 11, 23, tzinfo=datetime.UTC)


@dataclass
class FakeEngine:
    """An engine in memory, whose clock moves when somebody waits."""

    containers: dict[str, Found] = field(default_factory=dict)
    seconds: float = 0.0
    count: int = 0
    waits: int = 0
    # What happens while somebody waits, and just before a renaming.
    meanwhile: Callable[[], None] = lambda: None
    before_rename: Callable[[], None] = lambda: None

    def labelled(self, label: str) -> list[Found]:
        return [each for _, each in sorted(self.containers.items()) if label in each.labels]

    def limits(self, container: str) -> tuple[int, int]:
        self._named(container)
        return 1000, 128

    def create(self, name: str, image: str, labels: Mapping[str, str]) -> str:
        if name in self.containers:
            raise Conflict(f"create {name}: in use")
        self.count += 1
        self.containers[name] = Found(name, f"id-{self.count}", self.now(), dict(labels))
        return f"id-{self.count}"

    def rename(self, container: str, name: str) -> None:
        self.before_rename()
        old = self._named(container)
        if name in self.containers:
            raise Conflict(f"rename to {name}: in use")
        found = self.containers.pop(old)
        self.containers[name] = Found(name, found.id, found.created, found.labels)

    def discard(self, container: str) -> None:
        try:
            del self.containers[self._named(container)]
        except NotFound:
            return

    def now(self) -> datetime.datetime:
        return START + datetime.timedelta(seconds=self.seconds)

    def wait(self, seconds: float) -> None:
        self.waits += 1
        self.seconds += seconds
        self.meanwhile()

    @property
    def pace(self) -> Pace:
        return Pace(lambda: self.seconds, self.wait)

    def _named(self, container: str) -> str:
        for name, found in self.containers.items():
            if container in (name, found.id):
                return name
        raise NotFound(f"no container {container}")


def claim(stack: str, cpu: int = 600, generation: int = 1) -> Claim:
    amounts: dict[str, int | None] = {"cpu": cpu}
    return Claim(stack, generation, (Use(stack, "shop", "web", amounts, amounts),))


def within(limit: int, own: int) -> Callable[[tuple[Use, ...]], None]:
    def decide(elsewhere: tuple[Use, ...]) -> None:
        if own + sum(use.worst["cpu"] or 0 for use in elsewhere) > limit:
            raise PolicyError("too much")

    return decide


def labels(made: Claim) -> dict[str, str]:
    return {names.STACK: made.stack, names.ROLE: names.ROLE_CLAIM, names.CLAIM: contracts.encode(made)}


def test_claim_that_fits_stands_and_the_turn_is_free() -> None:
    engine = FakeEngine()
    reserve(engine, claim("a"), "image", within(1000, 600), engine.pace)
    assert list(engine.containers) == ["runyard.a.claim.1"]
    assert observe_claims(engine).made == (claim("a"),)


def test_second_stack_is_refused_and_leaves_nothing() -> None:
    engine = FakeEngine()
    reserve(engine, claim("a"), "image", within(1000, 600), engine.pace)
    with pytest.raises(PolicyError):
        reserve(engine, claim("b"), "image", within(1000, 600), engine.pace)
    assert list(engine.containers) == ["runyard.a.claim.1"]


def test_next_claim_of_a_stack_replaces_its_last_and_is_not_counted_twice() -> None:
    engine = FakeEngine()
    reserve(engine, claim("a"), "image", within(1000, 600), engine.pace)
    assert observe_claims(engine).generation("a") == 1
    reserve(engine, claim("a", 900, 2), "image", within(1000, 900), engine.pace)
    assert list(engine.containers) == ["runyard.a.claim.2"]


def test_turn_of_another_is_waited_for() -> None:
    engine = FakeEngine()
    engine.create(names.CLAIM_TURN, "image", labels(claim("a")))
    engine.meanwhile = lambda: engine.discard(names.CLAIM_TURN)
    reserve(engine, claim("b"), "image", within(1000, 600), engine.pace)
    assert engine.waits == 1


def test_turn_of_a_killed_update_is_taken_over_after_its_limit() -> None:
    engine = FakeEngine()
    engine.create(names.CLAIM_TURN, "image", labels(claim("a")))
    reserve(engine, claim("b"), "image", within(1000, 600), engine.pace)
    assert TURN_LIMIT_S < engine.seconds < TURN_LIMIT_S + 1
    assert list(engine.containers) == ["runyard.b.claim.1"]


def test_update_that_slept_through_its_turn_asks_anew_and_sees_who_passed() -> None:
    engine = FakeEngine()
    taken: list[str] = []

    def other_takes_over() -> None:
        if not taken:
            taken.append("b")
            engine.seconds += TURN_LIMIT_S + 1
            reserve(engine, claim("b"), "image", within(1000, 600), engine.pace)

    engine.before_rename = other_takes_over
    with pytest.raises(PolicyError):
        reserve(engine, claim("a"), "image", within(1000, 600), engine.pace)
    assert list(engine.containers) == ["runyard.b.claim.1"]


def test_update_that_was_slow_to_decide_gives_its_turn_up_itself() -> None:
    engine = FakeEngine()
    asked: list[int] = []

    def decide(elsewhere: tuple[Use, ...]) -> None:
        asked.append(len(elsewhere))
        if len(asked) == 1:
            engine.seconds += TURN_LIMIT_S / 2

    reserve(engine, claim("a"), "image", decide, engine.pace)
    assert asked == [0, 0]
    assert list(engine.containers) == ["runyard.a.claim.1"]


def test_strangers_container_in_the_way_is_named_and_left_alone() -> None:
    engine = FakeEngine()
    engine.create(names.CLAIM_TURN, "image", {})
    with pytest.raises(
        HostError, match=r"claim room on the host for stack a: a container named runyard\.claim that is"
    ):
        reserve(engine, claim("a"), "image", within(1000, 600), engine.pace)
    assert list(engine.containers) == [names.CLAIM_TURN]


def test_claim_that_cannot_be_read_refuses_everybody_else() -> None:
    engine = FakeEngine()
    engine.create("runyard.a.claim.1", "image", {**labels(claim("a")), names.CLAIM: '{"stack": "a"}'})
    with pytest.raises(HostError, match=r"^read the claim runyard\.a\.claim\.1 of stack a: decode Claim: field"):
        reserve(engine, claim("b"), "image", within(1000, 600), engine.pace)
    assert list(engine.containers) == ["runyard.a.claim.1"]


def test_label_that_a_tenant_or_its_image_brings_is_no_claim() -> None:
    engine = FakeEngine()
    reserve(engine, claim("a"), "image", within(1000, 600), engine.pace)
    forged = labels(claim("a", cpu=0, generation=999))
    engine.create("forged", "image", forged | {names.ROLE: names.ROLE_TEMPLATE})
    engine.create("broken", "image", {names.CLAIM: "x", names.STACK: "a"})
    with pytest.raises(PolicyError):
        reserve(engine, claim("b"), "image", within(1000, 600), engine.pace)
    assert release(engine, "a") == 1
    assert list(engine.containers) == ["forged", "broken"]


def test_templates_of_a_stack_without_a_claim_count_and_one_that_cannot_be_read_refuses() -> None:
    engine = FakeEngine()
    whose = {names.STACK: "old", names.TENANT: "shop", names.SERVICE: "web", names.REVISION: "web-1"}
    role = whose | {names.ROLE: names.ROLE_TEMPLATE}
    spec = '{"memory_bytes": 64, "newer": 1, "revision": {"min_instances": 1, "max_instances": 3}}'
    engine.create("t", "image", role | {names.SPEC: spec})
    engine.create("instance", "image", whose | {names.ROLE: names.ROLE_INSTANCE, names.SPEC: spec})
    (use,) = observe_claims(engine).elsewhere("a")
    assert (use.stack, use.best["cpu"], use.worst["cpu"], use.worst["memory"]) == ("old", 1000, 3000, 192)
    engine.create("u", "image", role | {names.SPEC: '{"revision": {}, "memory_bytes": "x"}'})
    with pytest.raises(HostError, match=r"^read the template u: "):
        observe_claims(engine)


def test_release_gives_back_all_of_a_stack_and_nothing_else() -> None:
    engine = FakeEngine()
    for each in (claim("a"), claim("a", generation=2), claim("b")):
        engine.create(names.claim_container(each.stack, each.generation), "image", labels(each))
    assert release(engine, "a") == 2
    assert list(engine.containers) == ["runyard.b.claim.1"]
    assert release(engine, "a") == 0


@pytest.fixture
def image() -> Iterator[str]:
    """An image with nothing in it, which is all that a container needs that never starts."""
    client = docker.from_env()
    empty = io.BytesIO()
    tarfile.open(fileobj=empty, mode="w").close()
    client.api.import_image_from_data(empty.getvalue(), repository="runyard/claim-test", tag="1")
    yield "runyard/claim-test:1"
    client.api.remove_image("runyard/claim-test:1", force=True)
    client.close()


def try_to_reserve(
    stack: str, image: str, barrier: multiprocessing.synchronize.Barrier, told: multiprocessing.Queue[str]
) -> None:
    with Engine() as engine:
        # Others use this engine too: only these two stacks count.
        def decide(elsewhere: tuple[Use, ...]) -> None:
            within(1000, 600)(tuple(use for use in elsewhere if use.stack.startswith("race")))

        barrier.wait()
        try:
            reserve(engine, claim(stack), image, decide)
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
