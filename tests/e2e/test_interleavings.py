"""Interleavings on the real engine, by a seed: whatever came when, nothing is drift, and all settles by itself.

One story runs each time; RUNYARD_LIVE_INTERLEAVINGS says how many (`make interleavings`: 20). The thousand in a
simulated engine are tests/unit/services/orchestrator/test_interleavings.py.
"""

from __future__ import annotations

import os
import random
import subprocess
from collections.abc import Callable

from tests.harness.client import ask
from tests.harness.seeds import given_seed
from tests.harness.stack import Stack, docker, service
from tests.harness.waiting import until

COUNT = int(os.environ.get("RUNYARD_LIVE_INTERLEAVINGS", "1"))
STEPS = 4


class Story:
    """One service that is operated, killed and changed, and its stack's orchestrator too."""

    def __init__(self, stack: Stack, chance: random.Random) -> None:
        self.stack, self.chance = stack, chance
        self.told: list[str] = []
        self._least = 1

    def step(self) -> None:
        steps: list[Callable[[], object]] = [
            self.apply,
            self.crash,
            self.crash,
            self.kill_orchestrator,
            self.kill_orchestrator,
            self.scale,
            self.roll_back,
        ]
        act = self.chance.choice(steps)
        self.told.append(act.__name__)
        act()

    def apply(self) -> None:
        self._least = self.chance.randint(1, 2)
        counts = {"autoscaling.knative.dev/minScale": str(self._least), "autoscaling.knative.dev/window": "6s"}
        changed = [{"name": "CHANGE", "value": str(self.chance.random())}]
        self.stack.write("hello", service("hello", template=counts, env=changed))
        self.stack.up()

    def crash(self) -> None:
        running = self.stack.names("instance", running=True)
        if running:
            # It may be about to end by itself.
            subprocess.run(["docker", "kill", self.chance.choice(running)], capture_output=True, check=False)

    def kill_orchestrator(self) -> None:
        docker("kill", "--signal", "KILL", f"runyard.{self.stack.name}.orchestrator")
        docker("start", f"runyard.{self.stack.name}.orchestrator")

    def scale(self) -> None:
        asked = self.chance.choice((["3", "--for", "1h"], ["1", "--for", "5s"], ["--end"]))
        self.stack.runyard("scale", "hello", *asked, check=True)

    def end_scale(self) -> None:
        self.stack.runyard("scale", "hello", "--end", check=True)

    def roll_back(self) -> None:
        # What is kept of earlier revisions is another one after each update; none is refused, and that is no matter.
        self.stack.runyard("rollback", "hello")
        self.stack.up()

    def settled(self) -> bool:
        """Tell whether there is as much as there must be, of the revision in force, and nothing else."""
        status = self.stack.status()
        listed = ask(self.stack.orchestrator_port, "/v1/instances").json()["instances"]
        (in_force,) = status["services"][0]["traffic"]
        instances = [(each["revision"], each["state"]) for each in listed]
        return (
            bool(status["in_step"])
            and status["problems"] == []
            and instances == [(in_force["revision"], "ready")] * self._least
            and len(self.stack.names("instance")) == self._least
        )


def test_interleavings_are_no_drift_and_settle(stack: Stack) -> None:
    first = given_seed()
    for seed in range(first, first + COUNT):
        story = Story(stack, random.Random(seed))
        story.apply()
        for _ in range(STEPS):
            story.step()
        print(f"seed {seed}: {', '.join(story.told)}")
        stack.expect_no_changes()
        story.end_scale()
        until(story.settled, f"seed {seed} settles", within_s=90, every_s=0.5)
        stack.expect_no_changes()
