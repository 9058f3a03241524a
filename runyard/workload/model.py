"""Model of a scenario: what is asked, when, and what must hold; what workers are told is made of it."""

from __future__ import annotations

from dataclasses import dataclass, field

from runyard.codec import VERSION

# Within this of its time a request counts as begun in time: the loop's own clock has a millisecond, a busy machine
# some tens of them.
LATE_MS = 50.0
LATE_PERCENT = 1.0
# Each holds a connection; a process may usually have some thousands.
MOST_IN_FLIGHT = 4000
TIMEOUT_S = 30.0


@dataclass(frozen=True, slots=True)
class Checks:
    """What must hold of an answer: its status (else 200 to 399), a text in its body, and its time if `max_ms` > 0."""

    statuses: tuple[int, ...] = ()
    body_contains: str = ""
    max_ms: float = 0.0


@dataclass(frozen=True, slots=True)
class Target:
    """What is asked: a service of the stack, as `tenant/name`, or a URL; `weight` is its part beside the others."""

    name: str
    service: str = ""
    url: str = ""
    path: str = "/"
    method: str = "GET"
    headers: tuple[tuple[str, str], ...] = ()
    body: str = ""
    weight: int = 1
    checks: Checks = field(default_factory=Checks)


@dataclass(frozen=True, slots=True)
class Phase:
    """A stretch of the run: a shape of at most `rate` requests a second, or the moments of a trace.

    `moments` are those of a trace: from and until when, in seconds since the phase began, how many requests come; a
    shape has none. `gaps` are even or poisson.
    """

    name: str
    seconds: float
    rate: float = 0.0
    begins_with: float = 0.0
    gaps: str = "even"
    moments: tuple[tuple[float, float, float], ...] = ()


@dataclass(frozen=True, slots=True)
class Thresholds:
    """What must hold of the run, by name as in the manifest; a name that is not there is not asked for."""

    limits: tuple[tuple[str, float], ...] = ()


@dataclass(frozen=True, slots=True)
class Generator:
    """How load is made, and how much of its own lateness a run may have."""

    workers: int = 1
    late_ms: float = LATE_MS
    late_percent: float = LATE_PERCENT
    most_in_flight: int = MOST_IN_FLIGHT


@dataclass(frozen=True, slots=True)
class Scenario:
    """A whole scenario."""

    name: str
    targets: tuple[Target, ...]
    phases: tuple[Phase, ...]
    thresholds: Thresholds = field(default_factory=Thresholds)
    generator: Generator = field(default_factory=Generator)
    hosts: tuple[str, ...] = ()
    warm_up_s: float = 0.0
    timeout_s: float = TIMEOUT_S
    seed: int = 1

    @property
    def seconds(self) -> float:
        """How long requests are begun."""
        return sum(phase.seconds for phase in self.phases)

    @property
    def services(self) -> tuple[str, ...]:
        """The services that are asked, each once, in the order of the targets."""
        return tuple(dict.fromkeys(target.service for target in self.targets if target.service))


@dataclass(frozen=True, slots=True)
class Job:
    """What one worker is told: the scenario, with URLs for services and their hosts in the headers, and its share."""

    scenario: Scenario
    worker: int = 0
    workers: int = 1
    version: int = VERSION
