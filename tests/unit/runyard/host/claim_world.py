"""A host in memory for the tests of claims: an engine whose clock moves when somebody waits, and orchestrators."""

from __future__ import annotations

import datetime
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from runyard import contracts, names
from runyard.errors import Conflict, HostError, NotFound, PolicyError
from runyard.host.claims import Desk, Pace
from runyard.host.thing import Found
from runyard.plan.claim import Claim
from runyard.plan.quota import RESOURCES, Use

START = datetime.datetime(2026, 11, 23, tzinfo=datetime.UTC)


@dataclass
class FakeOrchestrator:
    """Keeps a claim; `fails` is raised by whatever it is asked, `refuses` when it is given one."""

    kept: str | None = None
    runs: bool = True
    fails: Exception | None = None
    refuses: Exception | None = None
    asked: int = 0
    before: Callable[[], None] = lambda: None

    def running(self) -> bool:
        return self.runs

    def claim(self, patience_s: float = 30) -> str | None:
        assert patience_s < 5
        self.asked += 1
        self.before()
        if self.fails is not None:
            raise self.fails
        return self.kept

    def put_claim(self, text: str) -> None:
        for error in (self.fails, self.refuses):
            if error is not None:
                raise error
        self.kept = text

    def close(self) -> None:
        return


@dataclass
class World:
    """An engine in memory and the orchestrators of its stacks."""

    containers: dict[str, Found] = field(default_factory=dict)
    orchestrators: dict[str, FakeOrchestrator] = field(default_factory=dict)
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

    def keepers(self, stack: str) -> FakeOrchestrator:
        return self.orchestrators[stack]

    def nobody(self, stack: str) -> FakeOrchestrator:
        """Give an orchestrator that does not run, whatever the stack."""
        return FakeOrchestrator(runs=False)

    def start(self, stack: str, kept: Claim | None = None) -> FakeOrchestrator:
        """Give a stack an orchestrator, which keeps this claim."""
        self.create(names.platform_container(stack, "orchestrator"), "image", labels(stack, names.ROLE_ORCHESTRATOR))
        self.orchestrators[stack] = FakeOrchestrator(None if kept is None else contracts.encode(kept))
        return self.orchestrators[stack]

    def instance(self, stack: str, number: str = "a1", name: str = "", **forged: str) -> None:
        """Let a container of an instance stand; `name` and labels may be other than the orchestrator's."""
        parts = ("shop", "web-1", "web", number)
        found = labels(stack, names.ROLE_INSTANCE) | {names.SERVICE: "web"} | forged
        found |= dict(zip((names.TENANT, names.REVISION, names.CONTAINER, names.INSTANCE), parts, strict=True))
        self.create(name or names.instance_container(stack, *parts), "image", found)

    @property
    def desk(self) -> Desk:
        return Desk(self, self.keepers, "image", Pace(lambda: self.seconds, self.wait))

    def claims(self) -> list[str]:
        """Name the containers that are neither orchestrators nor instances."""
        return [name for name, each in self.containers.items() if each.labels.get(names.ROLE) == names.ROLE_CLAIM]

    def _named(self, container: str) -> str:
        for name, found in self.containers.items():
            if container in (name, found.id):
                return name
        raise NotFound(f"no container {container}")


def labels(stack: str, role: str = names.ROLE_CLAIM, claim: Claim | None = None) -> dict[str, str]:
    told = {} if claim is None else {names.CLAIM: contracts.encode(claim)}
    return {names.STACK: stack, names.ROLE: role, **told}


def claim(stack: str, cpu: int = 600) -> Claim:
    amounts: dict[str, int | None] = {each: 0 for each in RESOURCES} | {"cpu": cpu}
    return Claim(stack, (Use(stack, "shop", "web", amounts, amounts),))


def within(limit: int, own: int) -> Callable[[tuple[Use, ...]], None]:
    def decide(elsewhere: tuple[Use, ...]) -> None:
        if own + sum(use.worst["cpu"] or 0 for use in elsewhere) > limit:
            raise PolicyError("too much")

    return decide


SILENCE = HostError("reach the orchestrator: no answer")
