"""What a preview predicts is what the update does, on the real engine, for mutations of the example manifests.

A sample in the normal run, by a seed that is printed; all of them with `make fidelity`.
"""

from __future__ import annotations

import json
import os
import random
from collections.abc import Iterator
from typing import Any

import pytest
import yaml

from tests.harness.stack import Stack, docker, stable_json
from tests.preview.mutations import MANIFESTS, MUTATIONS, SECRETS, Mutation

# As many as share a stack: one update applies them all, each to a service of its own.
BATCH = 30
SAMPLE = os.environ.get("RUNYARD_FIDELITY", "") != "all"
SEED = int(os.environ.get("RUNYARD_FIDELITY_SEED", "") or random.randrange(2**32))
SHUFFLED = random.Random(SEED).sample(MUTATIONS, len(MUTATIONS))
BATCHES = [SHUFFLED[at : at + BATCH] for at in range(0, BATCH if SAMPLE else len(SHUFFLED), BATCH)]

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
    for secret, value in SECRETS.items():
        keys = {f".{key}": each for key, each in value.items()} if isinstance(value, dict) else {"": value}
        for key, each in keys.items():
            stack.set_secret(f"runyard:secrets.default.{secret}{key}", each)
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
