"""What a preview predicts is what the update does, on the real engine: for mutations and for whole transitions.

Mutations are one change of an example each, many at a time; transitions lead from one set of manifests to another, one
after the other, and in several lanes side by side: an update makes one of each lane, and each is judged on its own. The
normal run has a sample of both, by a seed that is printed; `make fidelity` has all mutations and a thousand
transitions, or RUNYARD_FIDELITY_STEPS. RUNYARD_FIDELITY_STEP=SEQUENCE.STRIDE makes one stride again, after those before
it.
"""

from __future__ import annotations

import functools
import itertools
import json
import os
import random
import resource
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from http import HTTPStatus
from pathlib import Path
from typing import Any, TypeVar

import pytest
import yaml

from runyard.plan import Plan
from runyard.secrets import flatten_secrets
from tests.harness.seeds import draw_seed
from tests.harness.stack import Stack, docker, stable_json
from tests.harness.waiting import NOT_YET, until
from tests.preview.mutations import MANIFESTS, MUTATIONS, OTHER_IMAGE, SECRETS, Mutation
from tests.preview.transitions import LANES, UNCHANGING, Step, Stride, walk
from tests.preview.transitions.planned import by_key, foretell, foretell_networks, plan_world, write_world

# As many as share a stack: one update applies them all, each to a service of its own.
BATCH = 30
SAMPLE = os.environ.get("RUNYARD_FIDELITY", "") != "all"
SEED = draw_seed("RUNYARD_FIDELITY_SEED")
SHUFFLED = random.Random(SEED).sample(MUTATIONS, len(MUTATIONS))
BATCHES = [SHUFFLED[at : at + BATCH] for at in range(0, BATCH if SAMPLE else len(SHUFFLED), BATCH)]
# How many strides one stack takes, and how many transitions there are all together.
LENGTH = 4 if SAMPLE else 25
STEPS = LENGTH * LANES if SAMPLE else int(os.environ.get("RUNYARD_FIDELITY_STEPS", "") or 1000)
ONLY = [int(each) for each in os.environ.get("RUNYARD_FIDELITY_STEP", "").split(".") if each]
SEQUENCES = [ONLY[0]] if ONLY else list(range(-(-STEPS // (LENGTH * LANES))))
# Every how many strides the preview is made a second time: it is a fourth of what a stride takes.
REPEATED = 4
# How long other stacks of the host may leave this one no room: they are somebody's tests too, and end.
ROOM_S = 900

Given = TypeVar("Given")
# What is done to each resource, by the end of its URN: the operation and the inputs for whose sake it is done.
Operations = dict[str, tuple[str, tuple[str, ...]]]
# The inputs of a service, in the words of a mutation's `changes`; what goes with another of them is not told twice.
WORDS = {"facts": "service", "document": "revision", "rollout": "rollout", "route": "route"}


@pytest.fixture
def other_image(stack: Stack) -> Iterator[str]:
    """Give the sample image the second tag that mutations ask for: the stack's own, which no other run takes away."""
    tag = f"{OTHER_IMAGE}-{stack.name}"
    docker("tag", "runyard/hello:1", tag)
    yield tag
    docker("rmi", tag)


@pytest.mark.parametrize("batch", BATCHES, ids=lambda batch: f"{len(batch)}-mutations-of-{len(MUTATIONS)}")
def test_update_does_what_its_preview_predicts_and_nothing_else(
    stack: Stack, other_image: str, batch: list[Mutation], capsys: pytest.CaptureFixture[str]
) -> None:
    tell(capsys, f"seed {SEED} (RUNYARD_FIDELITY_SEED)")
    pairs = {f"m{number:02}": mutation.make(f"m{number:02}") for number, mutation in enumerate(batch)}
    for setting in settings("default", SECRETS):
        stack.set_secret(*setting.split("=", 1))
    # What the shop's services call.
    for name in ("tenant", "cart", "stock"):
        stack.write(name, yaml.safe_load((MANIFESTS / "shop" / f"{name}.yaml").read_text()))
    for name, (before, _) in pairs.items():
        stack.write(name, before)
    name_image(stack.manifests, other_image)
    with_room(stack.up)
    for name, (_, after) in pairs.items():
        stack.write(name, after)
    name_image(stack.manifests, other_image)
    first, second = (stable_json(with_room(lambda: stack.preview("--json")).stdout) for _ in range(2))
    assert first == second
    predicted, done = operations(json.loads(first)), with_room(lambda: update(stack))
    assert {urn: operation for urn, (operation, _) in done.items() if "replace" in operation} == {}
    wrong = {}
    for name, mutation in zip(pairs, batch, strict=True):
        asked, given = belonging(name, predicted), belonging(name, done)
        if asked != given or kinds(given) != mutation.changes:
            wrong[mutation.id] = asked, given, sorted(mutation.changes)
    right = len(batch) - len(wrong)
    tell(capsys, f"fidelity: {right} of {len(batch)} mutations did what their preview said, seed {SEED}")
    assert wrong == {}
    # Nothing beside the mutated services either.
    assert predicted == done
    stack.expect_no_changes()


@dataclass
class Sequence:
    """A sequence of strides on one stack, and what of them was wrong so far."""

    stack: Stack
    seed: str
    other_image: str
    tell: Callable[[str], None]
    plan: Plan | None = None
    secrets: dict[str, dict[str, str]] = field(default_factory=dict)
    wrong: list[str] = field(default_factory=list)
    judged: int = 0

    def write(self, stride: Stride) -> Plan:
        """Write a stride's manifests and secrets, and give what is planned from them."""
        ports = {"gateway": {"port": self.stack.port}, "orchestratorPort": self.stack.orchestrator_port}
        write_world(self.stack.manifests, stride.world, ports)
        name_image(self.stack.manifests, self.other_image)
        wanted = flatten_secrets(stride.world.secrets)
        tenants = [each for each in wanted if self.secrets.get(each) != wanted[each]]
        # In one command: each takes as long as a preview does to begin.
        found = [text for each in tenants for text in settings(each, stride.world.secrets[each])]
        if found:
            name = self.stack.name
            self.stack.pulumi("config", "set-all", "--stack", name, "--path", *(f"--secret={each}" for each in found))
        self.secrets = wanted
        return plan_world(self.stack.manifests, stride.world, self.plan, self.stack.name)

    def apply(self, stride: Stride) -> None:
        """Bring the stack to a stride's worlds without a look at what it does."""
        self.plan = self.write(stride)
        with_room(self.stack.up)

    def preview(self) -> str:
        return stable_json(with_room(lambda: self.stack.preview("--json")).stdout)

    def judge(self, stride: Stride) -> None:
        """Preview a stride, apply it, and note in which lane it was not as the preview said, nor as the plan does."""
        assert self.plan is not None
        start, cpu_s, before, after = time.monotonic(), commands_cpu_s(), self.plan, self.write(stride)
        first = self.preview()
        if stride.number % REPEATED == 0:
            self.expect("two previews are the same text", stride, (), self.preview(), first)
        predicted, done = operations(json.loads(first)), with_room(lambda: update(self.stack))
        self.plan = after
        again = operations(json.loads(self.preview()))
        # A change of the Platform can make the orchestrator anew, and the update does not wait for its reading port.
        until(lambda: self.stack.status()["in_step"])
        seen, held, foretold = self.stack.status()["services"], self.stack.held(), foretell(before, after)
        for step in stride.steps:
            told, made, left = (belonging_to(step, each) for each in (predicted, done, again))
            self.expect("the update did what its preview said", stride, step.kinds, made, told)
            services = {key_of(urn): (each[0], without_values(each[1])) for urn, each in made.items()}
            planned = {key: each for key, each in foretold.items() if step.has(key)}
            self.expect("the services changed as the plan does", stride, step.kinds, services, planned)
            if set(step.kinds) <= UNCHANGING:
                self.expect("saying the same again changes nothing", stride, step.kinds, made, {})
            self.expect("a preview afterwards shows no change", stride, step.kinds, left, {})
            self.look(stride, step, [each for each in seen if step.has(f"{each['tenant']}/{each['service']}")], held)
        self.judge_rest(stride, foretell_networks(before, after), predicted, done, again)
        self.judged += len(stride.steps)
        took, worked = time.monotonic() - start, commands_cpu_s() - cpu_s
        self.tell(
            f"stride {stride.number}: {len(stride.steps)} transitions in {took:.0f} s, {worked:.1f} s of Pulumi's CPU"
        )

    def judge_rest(self, stride: Stride, networks: dict[str, str], *found: Operations) -> None:
        """Judge what belongs to no lane: predicted, done, and predicted afterwards."""
        predicted, done, again = (belonging_to_none(stride, each) for each in found)
        kinds = tuple(kind for step in stride.steps for kind in step.kinds)
        self.expect("the update did to the platform what its preview said", stride, kinds, done, predicted)
        self.expect("the networks changed as the plan does", stride, kinds, networks_of(done), networks)
        if set(kinds) <= UNCHANGING:
            self.expect("saying the same again changes no part", stride, kinds, done, {})
        self.expect("a preview afterwards shows no change of the platform", stride, kinds, again, {})

    def look(self, stride: Stride, step: Step, seen: list[dict[str, Any]], held: set[str]) -> None:
        """Compare what is in force with the plan, and ask each public service for a page."""
        assert self.plan is not None
        planned = {key: each for key, each in by_key(self.plan).items() if step.has(key)}
        in_force = {
            f"{each['tenant']}/{each['service']}": (each["hosts"], (each["shift"] or {}).get("goal", each["traffic"]))
            for each in seen
        }
        asked = {
            key: (list(each.route.hosts), [asdict(share) for share in each.rollout.traffic])
            for key, each in planned.items()
        }
        self.expect("hosts and traffic are those of the plan", stride, step.kinds, in_force, asked)
        kept = {revision.identity for each in planned.values() for revision in (each.revision, *each.kept)}
        self.expect("every document that is to be kept is held", stride, step.kinds, kept - held, set())
        for key, each in planned.items():
            answer = self.stack.get(each.url_host)
            stopped, shut = each.rollout.manual_instances == 0, each.route.ingress == "internal"
            status = HTTPStatus.NOT_FOUND if shut else HTTPStatus.SERVICE_UNAVAILABLE if stopped else HTTPStatus.OK
            if stopped and each.route.fallback.service:
                continue
            self.expect(f"{key} answers", stride, step.kinds, (answer.status, answer.body), (status, answer.body))
            if (answer.status, status) == (HTTPStatus.OK, HTTPStatus.OK):
                names = {share.revision for share in each.rollout.traffic if share.percent}
                moving = bool(each.rollout.duration_s)
                found = answer.json()
                right = found["service"] == each.name and (moving or found["revision"] in names)
                self.expect(f"{key} answers itself", stride, step.kinds, (right, answer.body), (True, answer.body))

    def verify(self, stride: Stride) -> None:
        """Have `runyard verify` look at what the sequence has led to."""
        done = self.stack.verify("--quiet")
        self.expect("runyard verify finds all as asked", stride, (), (done.returncode, done.stdout), (0, done.stdout))

    def expect(self, what: str, stride: Stride, kinds: tuple[str, ...], found: object, expected: object) -> None:
        """Note what is not as it should be; the sequence goes on, for the next stride is worth a look all the same."""
        if found != expected:
            again = f"RUNYARD_FIDELITY_SEED={SEED} RUNYARD_FIDELITY_STEP={self.seed.partition('/')[2]}.{stride.number}"
            self.wrong.append(f"not so: {what}\n  of {kinds}\n  {found}\n  {expected}\n  again: {again}")
            # At once, for a thousand steps take long.
            self.tell(self.wrong[-1])


@pytest.mark.parametrize("number", SEQUENCES)
def test_transition_does_what_its_preview_predicts_and_nothing_else(
    stack: Stack, other_image: str, number: int, capsys: pytest.CaptureFixture[str]
) -> None:
    sequence = Sequence(stack, f"{SEED}/{number}", other_image, functools.partial(tell, capsys))
    last = ONLY[1] if ONLY else LENGTH
    tell(capsys, f"seed {SEED} (RUNYARD_FIDELITY_SEED), sequence {number} of {len(SEQUENCES)}")
    for stride in itertools.islice(walk(sequence.seed), last + 1):
        if stride.number == 0 or (ONLY and stride.number < last):
            sequence.apply(stride)
            continue
        try:
            sequence.judge(stride)
        except (AssertionError, *NOT_YET) as error:
            kinds = tuple(kind for step in stride.steps for kind in step.kinds)
            sequence.expect("it can be applied and asked", stride, kinds, repr(error), "")
            break
    else:
        sequence.verify(stride)
    tell(
        capsys,
        f"fidelity: {sequence.judged} transitions, {len(sequence.wrong)} mismatches, seed {SEED}, sequence {number}",
    )
    assert sequence.wrong == [], "\n".join(sequence.wrong)


def with_room(command: Callable[[], Given]) -> Given:
    """Do what the host may have no room for at first, as other stacks have it: a refusal has touched nothing."""
    done: list[Given] = []

    def admitted() -> bool:
        try:
            done.append(command())
        except AssertionError as error:
            if "host-large-enough" not in str(error):
                raise
        return bool(done)

    until(admitted, "other stacks leave room for this one", within_s=ROOM_S, every_s=5)
    return done[0]


def name_image(directory: Path, image: str) -> None:
    """Put an image in all manifests of a directory in the place of the one that mutations name."""
    for file in directory.rglob("*.yaml"):
        text = file.read_text(encoding="utf-8")
        file.write_text(text.replace(OTHER_IMAGE, image), encoding="utf-8")


def commands_cpu_s() -> float:
    """Give what the commands that have ended took of the processor so far."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def settings(tenant: str, secrets: dict[str, Any]) -> list[str]:
    """Give a tenant's secrets as settings of the stack's configuration."""
    found = []
    for name, value in secrets.items():
        keys = {f".{key}": each for key, each in value.items()} if isinstance(value, dict) else {"": value}
        found += [f"runyard:secrets.{tenant}.{name}{key}={each}" for key, each in keys.items()]
    return found


def tell(capsys: pytest.CaptureFixture[str], line: str) -> None:
    """Show a line in every run, for a score that only a failure shows is none; it begins behind pytest's dots."""
    with capsys.disabled():
        print(f"\n{line}")


def operations(shown: dict[str, Any]) -> Operations:
    """Give what a preview would do to each resource."""
    steps = [step for step in shown["steps"] if step["op"] != "same"]
    return {_short(step["urn"]): (_whole(step["op"]), tuple(sorted(step.get("diffReasons") or ()))) for step in steps}


def _whole(operation: str) -> str:
    """Give a replacement for its steps, of which preview and update tell another one last."""
    return "replace" if operation in ("create-replacement", "delete-replaced") else operation


def update(stack: Stack) -> Operations:
    """Apply, and give what was done to each resource."""
    log = stack.directory / "events"
    # The flag is one of Pulumi's own for debugging, and nothing else tells the operations apart from their order.
    stack.up("--event-log", str(log), PULUMI_DEBUG_COMMANDS="1")
    events = [json.loads(line).get("resOutputsEvent") for line in log.read_text().splitlines()]
    done = [event["metadata"] for event in events if event]
    return {
        _short(each["urn"]): (_whole(each["op"]), tuple(sorted(each.get("diffs") or ())))
        for each in done
        if each["op"] != "same"
    }


def belonging(name: str, found: Operations) -> Operations:
    """Keep the operations on one service's resources."""
    return {urn: operation for urn, operation in found.items() if f".{name}" in urn}


def belonging_to(step: Step, found: Operations) -> Operations:
    """Keep the operations on the services of one lane."""
    return {urn: each for urn, each in found.items() if "Service::" in urn and step.has(key_of(urn))}


def belonging_to_none(stride: Stride, found: Operations) -> Operations:
    """Keep the operations on no lane's services."""
    lanes = [belonging_to(step, found) for step in stride.steps]
    return {urn: each for urn, each in found.items() if not any(urn in lane for lane in lanes)}


def networks_of(found: Operations) -> dict[str, str]:
    """Give what is done to each network, by its name without the stack's."""
    return {urn.rpartition("::")[2]: each[0] for urn, each in found.items() if "runyard:network:Network::" in urn}


def key_of(urn: str) -> str:
    """Give the tenant and name of the service whose resource it is."""
    return urn.rpartition("::")[2].replace(".", "/", 1)


def without_values(inputs: tuple[str, ...]) -> tuple[str, ...]:
    """Leave out the values of secrets, of which no plan tells."""
    return tuple(each for each in inputs if each != "values")


def kinds(found: Operations) -> frozenset[str]:
    """Name what was changed of a service in the words of a mutation's `changes`."""
    return frozenset(WORDS[key] for _, diffs in found.values() for key in diffs if key in WORDS)


def _short(urn: str) -> str:
    return urn.split("::", 2)[2]
