"""What a preview predicts is what the update does, on the real engine: for mutations and for whole transitions.

Mutations are one change of an example each, many at a time; transitions lead from one set of manifests to another, one
after the other. The normal run has a sample of both, by a seed that is printed; `make fidelity` has all mutations and a
thousand transitions, or RUNYARD_FIDELITY_STEPS. RUNYARD_FIDELITY_STEP=SEQUENCE.STEP makes one transition again, after
those before it.
"""

from __future__ import annotations

import functools
import itertools
import json
import os
import random
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from http import HTTPStatus
from typing import Any

import pytest
import yaml

from runyard.plan import Plan
from runyard.secrets import flatten_secrets
from tests.harness.stack import ROOT, Stack, docker, stable_json
from tests.harness.waiting import until
from tests.preview.mutations import MANIFESTS, MUTATIONS, SECRETS, Mutation
from tests.preview.transitions import UNCHANGING, Step, walk
from tests.preview.transitions.planned import by_key, foretell, plan_world, write_world

# As many as share a stack: one update applies them all, each to a service of its own.
BATCH = 30
SAMPLE = os.environ.get("RUNYARD_FIDELITY", "") != "all"
SEED = int(os.environ.get("RUNYARD_FIDELITY_SEED", "") or random.randrange(2**32))
SHUFFLED = random.Random(SEED).sample(MUTATIONS, len(MUTATIONS))
BATCHES = [SHUFFLED[at : at + BATCH] for at in range(0, BATCH if SAMPLE else len(SHUFFLED), BATCH)]
# How many transitions one stack takes, and all together.
LENGTH = 12 if SAMPLE else 25
STEPS = LENGTH if SAMPLE else int(os.environ.get("RUNYARD_FIDELITY_STEPS", "") or 1000)
ONLY = [int(each) for each in os.environ.get("RUNYARD_FIDELITY_STEP", "").split(".") if each]
SEQUENCES = [ONLY[0]] if ONLY else list(range(-(-STEPS // LENGTH)))

# What is done to each resource, by the end of its URN: the operation and the inputs for whose sake it is done.
Operations = dict[str, tuple[str, tuple[str, ...]]]
# The inputs of a service, in the words of a mutation's `changes`; what goes with another of them is not told twice.
WORDS = {"facts": "service", "document": "revision", "rollout": "rollout", "route": "route"}


@pytest.fixture(scope="module", autouse=True)
def other_tag() -> Iterator[None]:
    """Give the sample image the second tag that a mutation asks for."""
    docker("tag", "runyard/hello:1", "runyard/hello:again")
    yield
    docker("rmi", "runyard/hello:again")


@pytest.mark.parametrize("batch", BATCHES, ids=lambda batch: f"{len(batch)}-mutations-of-{len(MUTATIONS)}")
def test_update_does_what_its_preview_predicts_and_nothing_else(
    stack: Stack, batch: list[Mutation], capsys: pytest.CaptureFixture[str]
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
    stack.up()
    for name, (_, after) in pairs.items():
        stack.write(name, after)
    first, second = (stable_json(stack.preview("--json").stdout) for _ in range(2))
    assert first == second
    predicted, done = operations(json.loads(first)), update(stack)
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
    """A sequence of transitions on one stack, and what of them was wrong so far."""

    stack: Stack
    seed: str
    tell: Callable[[str], None]
    plan: Plan | None = None
    secrets: dict[str, dict[str, str]] = field(default_factory=dict)
    wrong: list[str] = field(default_factory=list)

    def write(self, step: Step) -> Plan:
        """Write a step's manifests and secrets, and give what is planned from them."""
        ports = {"gateway": {"port": self.stack.port}, "orchestratorPort": self.stack.orchestrator_port}
        write_world(self.stack.manifests, step.world, ports)
        wanted = flatten_secrets(step.world.secrets)
        tenants = [each for each in wanted if self.secrets.get(each) != wanted[each]]
        # In one command: each takes as long as a preview does to begin.
        found = [text for each in tenants for text in settings(each, step.world.secrets[each])]
        if found:
            name = self.stack.name
            self.stack.pulumi("config", "set-all", "--stack", name, "--path", *(f"--secret={each}" for each in found))
        self.secrets = wanted
        return plan_world(self.stack.manifests, step.world, self.plan, self.stack.name)

    def apply(self, step: Step) -> None:
        """Bring the stack to a step without a look at what it does."""
        self.plan = self.write(step)
        self.stack.up()

    def judge(self, step: Step) -> None:
        """Preview a step twice, apply it, and note what was not as the preview said, nor as the plan does."""
        assert self.plan is not None
        before, after = self.plan, self.write(step)
        first, second = (stable_json(self.stack.preview("--json").stdout) for _ in range(2))
        self.expect("two previews are the same text", step, first, second)
        predicted, done = operations(json.loads(first)), update(self.stack)
        self.plan = after
        self.expect("the update did what its preview said", step, done, predicted)
        services = {
            urn.rpartition("::")[2].replace(".", "/", 1): (each[0], tuple(key for key in each[1] if key != "values"))
            for urn, each in done.items()
            if "runyard:index:Service::" in urn
        }
        self.expect("the services changed as the plan does", step, services, foretell(before, after))
        if set(step.kinds) <= UNCHANGING:
            self.expect("saying the same again changes nothing", step, done, {})
        again = self.stack.preview("--expect-no-changes", "--diff", check=False)
        self.expect("a preview afterwards shows no change", step, (again.returncode, again.stdout), (0, again.stdout))
        # A change of the Platform can make the orchestrator anew, and the update does not wait for its reading port.
        until(lambda: self.stack.status()["in_step"])
        self.look(step, after)

    def look(self, step: Step, planned: Plan) -> None:
        """Compare what is in force with the plan, and ask each public service for a page."""
        in_force = {
            f"{each['tenant']}/{each['service']}": (each["hosts"], (each["shift"] or {}).get("goal", each["traffic"]))
            for each in self.stack.status()["services"]
        }
        asked = {
            key: (list(each.route.hosts), [asdict(share) for share in each.rollout.traffic])
            for key, each in by_key(planned).items()
        }
        self.expect("hosts and traffic are those of the plan", step, in_force, asked)
        kept = {revision.identity for each in planned.services for revision in (each.revision, *each.kept)}
        self.expect("every document that is to be kept is held", step, kept - self.stack.held(), set())
        for key, each in by_key(planned).items():
            answer = self.stack.get(each.url_host)
            stopped, shut = each.rollout.manual_instances == 0, each.route.ingress == "internal"
            status = HTTPStatus.NOT_FOUND if shut else HTTPStatus.SERVICE_UNAVAILABLE if stopped else HTTPStatus.OK
            if stopped and each.route.fallback.service:
                continue
            self.expect(f"{key} answers", step, (answer.status, answer.body), (status, answer.body))
            if status == HTTPStatus.OK:
                names = {share.revision for share in each.rollout.traffic if share.percent}
                moving = bool(each.rollout.duration_s)
                found = answer.json()
                right = found["service"] == each.name and (moving or found["revision"] in names)
                self.expect(f"{key} answers itself", step, (right, answer.body), (True, answer.body))

    def verify(self, step: Step) -> None:
        """Have `runyard verify` look at what the sequence has led to."""
        command = [sys.executable, "-m", "runyard.cli.main", "verify", "--stack", self.stack.name, "--quiet"]
        command += ["--config-file", str(self.stack.directory / "stack.yaml"), str(self.stack.manifests)]
        done = subprocess.run(
            command, cwd=ROOT, env=self.stack.environment, capture_output=True, text=True, check=False
        )
        self.expect("runyard verify finds all as asked", step, (done.returncode, done.stdout), (0, done.stdout))

    def expect(self, what: str, step: Step, found: object, expected: object) -> None:
        """Note what is not as it should be; the sequence goes on, for the next step is worth a look all the same."""
        if found != expected:
            again = f"RUNYARD_FIDELITY_SEED={SEED} RUNYARD_FIDELITY_STEP={self.seed.partition('/')[2]}.{step.number}"
            self.wrong.append(f"not so: {what}\n  of {step.kinds}\n  {found}\n  {expected}\n  again: {again}")
            # At once, for a thousand steps take hours.
            self.tell(self.wrong[-1])


@pytest.mark.parametrize("number", SEQUENCES)
def test_transition_does_what_its_preview_predicts_and_nothing_else(
    stack: Stack, number: int, capsys: pytest.CaptureFixture[str]
) -> None:
    sequence = Sequence(stack, f"{SEED}/{number}", functools.partial(tell, capsys))
    last = ONLY[1] if ONLY else LENGTH
    tell(capsys, f"seed {SEED} (RUNYARD_FIDELITY_SEED), sequence {number} of {len(SEQUENCES)}")
    for step in itertools.islice(walk(sequence.seed), last + 1):
        if step.number == 0 or (ONLY and step.number < last):
            sequence.apply(step)
            continue
        try:
            sequence.judge(step)
        except AssertionError as error:
            sequence.expect("it can be applied", step, str(error), "")
            break
    else:
        sequence.verify(step)
    tell(capsys, f"fidelity: {step.number} transitions, {len(sequence.wrong)} wrong, seed {SEED}, sequence {number}")
    assert sequence.wrong == [], "\n".join(sequence.wrong)


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
    return {_short(step["urn"]): (step["op"], tuple(sorted(step.get("diffReasons") or ()))) for step in steps}


def update(stack: Stack) -> Operations:
    """Apply, and give what was done to each resource."""
    log = stack.directory / "events"
    # The flag is one of Pulumi's own for debugging, and nothing else tells the operations apart from their order.
    stack.up("--event-log", str(log), PULUMI_DEBUG_COMMANDS="1")
    events = [json.loads(line).get("resOutputsEvent") for line in log.read_text().splitlines()]
    done = [event["metadata"] for event in events if event]
    return {
        _short(each["urn"]): (each["op"], tuple(sorted(each.get("diffs") or ())))
        for each in done
        if each["op"] != "same"
    }


def belonging(name: str, found: Operations) -> Operations:
    """Keep the operations on one service's resources."""
    return {urn: operation for urn, operation in found.items() if f".{name}" in urn}


def kinds(found: Operations) -> frozenset[str]:
    """Name what was changed of a service in the words of a mutation's `changes`."""
    return frozenset(WORDS[key] for _, diffs in found.values() for key in diffs if key in WORDS)


def _short(urn: str) -> str:
    return urn.split("::", 2)[2]
