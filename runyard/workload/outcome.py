"""Outcome of a run, as its JSON report has it and `compare` reads it back."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from runyard.codec import VERSION, decode, encode

# A bucket's number and how many latencies lie in it (runyard.workload.buckets).
Counts = tuple[tuple[int, int], ...]
# Units in names: short in code, whole in documents.
_UNITS = {"s": "seconds", "ms": "milliseconds"}
_SHORT = {whole: short for short, whole in _UNITS.items()}
PASSED, FAILED, VOID = "passed", "failed", "void"


@dataclass(frozen=True, slots=True)
class Latency:
    """Latencies in milliseconds; `curve` has pairs of a percentile and the latency at it, up to the highest."""

    count: int
    mean_ms: float
    p50_ms: float
    p90_ms: float
    p95_ms: float
    p99_ms: float
    p999_ms: float
    max_ms: float
    curve: tuple[tuple[float, float], ...] = ()


@dataclass(frozen=True, slots=True)
class Totals:
    """Requests: `attempted` were due, `sent` were on the wire, `answered` had an answer's first line, `served` passed.

    `sent_again` counts those that went out a second time because their connection had closed.
    """

    attempted: int
    sent: int
    answered: int
    served: int
    sent_again: int
    received_bytes: int

    @property
    def failed(self) -> int:
        """Those that were not served, for whatever reason."""
        return self.attempted - self.served

    @property
    def failed_percent(self) -> float:
        """Those that were not served, in percent of those attempted."""
        return 100 * self.failed / self.attempted if self.attempted else 0.0


@dataclass(frozen=True, slots=True)
class Cause:
    """Why requests of a target were not served, and how many."""

    target: str
    cause: str
    count: int


@dataclass(frozen=True, slots=True)
class Stretch:
    """A part of the run by the intended starts in it; `counts` are latencies from there. `at_s` since the run began."""

    at_s: float
    length_s: float
    attempted: int
    sent: int
    served: int
    warm_up: bool
    counts: Counts


@dataclass(frozen=True, slots=True)
class Slow:
    """One of the slowest requests; `request_id` is what the gateway's log has, empty where the answer told none."""

    at_s: float
    ms: float
    ms_from_send: float
    target: str
    status: int
    cause: str
    request_id: str


@dataclass(frozen=True, slots=True)
class TargetOutcome:
    """What became of the requests of one target."""

    name: str
    attempted: int
    served: int
    p50_ms: float
    p99_ms: float


@dataclass(frozen=True, slots=True)
class GeneratorOutcome:
    """What the generator did itself; `problems` says what makes the run void. Shares are in percent of a core a worker.

    `waited_percent` is the time that workers were ready to run and had no core.
    """

    workers: int
    late: int
    unsent: int
    worst_late_ms: float
    p99_late_ms: float
    cpu_percent: float
    waited_percent: float
    problems: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Judgement:
    """A threshold: what was asked for, what was seen, and whether it holds."""

    name: str
    rule: str
    seen: float
    passed: bool


@dataclass(frozen=True, slots=True)
class Audit:
    """Our own count of a service's requests against what its gateway says.

    `answered` are our requests with an id, `logged` those of them that the gateway's log has with the same status,
    `others` the lines of other clients meanwhile. `counted` is what the gateway's counter moved by and `expected` what
    the log's lines say that it must have; `cold` of our requests waited for an instance, `held_s` at the longest.
    """

    service: str
    answered: int
    logged: int
    others: int
    counted: int
    expected: int
    cold: int
    held_s: float
    retries: int
    problems: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Capacity:
    """Instances of a service over the run: pairs of seconds since it began and ready instances.

    `started` are those that were not there at first; `capacity_s` is when the highest count was first ready.
    """

    service: str
    ready: tuple[tuple[float, int], ...]
    started: int
    capacity_s: float


@dataclass(frozen=True, slots=True)
class Outcome:
    """All that is known of a run. `intended` latencies count from when a request was due, `sent` ones from the wire."""

    name: str
    began_unix_s: float
    seconds: float
    warm_up_s: float
    totals: Totals
    intended: Latency
    from_send: Latency
    generator: GeneratorOutcome
    targets: tuple[TargetOutcome, ...] = ()
    causes: tuple[Cause, ...] = ()
    judgements: tuple[Judgement, ...] = ()
    stretches: tuple[Stretch, ...] = ()
    slowest: tuple[Slow, ...] = ()
    audits: tuple[Audit, ...] = ()
    capacities: tuple[Capacity, ...] = ()
    version: int = field(default=VERSION)

    @property
    def verdict(self) -> str:
        """Say passed, failed (a threshold or an audit does not hold), or void: the generator measured itself."""
        if self.generator.problems:
            return VOID
        wrong = any(not each.passed for each in self.judgements) or any(each.problems for each in self.audits)
        return FAILED if wrong else PASSED


def describe_outcome(outcome: Outcome) -> dict[str, Any]:
    """Give an outcome as plain data, its keys as all our reports have them, and with its verdict."""
    found: dict[str, Any] = _renamed(json.loads(encode(outcome)), _camel)
    return {**found, "verdict": outcome.verdict}


def parse_outcome(text: str) -> Outcome:
    """Parse what `describe_outcome` gave, as JSON; ContractError or ValueError says what does not fit."""
    data = json.loads(text)
    if isinstance(data, dict):
        data.pop("verdict", None)
    return decode(Outcome, json.dumps(_renamed(data, _snake)))


def _renamed(data: Any, rename: Callable[[str], str]) -> Any:
    if isinstance(data, dict):
        return {rename(key): _renamed(value, rename) for key, value in data.items()}
    return [_renamed(each, rename) for each in data] if isinstance(data, list) else data


def _camel(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(_UNITS.get(each, each).capitalize() for each in rest)


def _snake(name: str) -> str:
    first, *rest = re.split("(?=[A-Z])", name)
    return "_".join([first, *(_SHORT.get(each.lower(), each.lower()) for each in rest)])
