"""Live stack under load: where its services are asked, how many instances they have meanwhile, and what it counted."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import replace
from types import TracebackType

from runyard.errors import NotFound, RunyardError, UsageError
from runyard.host import Engine, Orchestrator
from runyard.host.traffic import Traffic
from runyard.names import EVERY_HOST
from runyard.workload.audit import audit, count_recorded
from runyard.workload.model import Scenario, Target
from runyard.workload.outcome import Audit, Capacity
from runyard.workload.recording import Row

# The gateway writes its log within a second, and the orchestrator reads its counters five times in one.
_SETTLE_S = 10.0
_LOOK_AGAIN_S = 0.5
# How often instances are counted: a start takes a third of a second.
_SAMPLE_S = 0.25
_MINUTE_S = 60


class LiveStack:
    """A stack whose services are under load; its calls are for one thread."""

    def __init__(
        self,
        engine: Engine,
        stack: str,
        clock: Callable[[], float] = time.monotonic,
        wait: Callable[[float], None] = time.sleep,
    ) -> None:
        self._engine, self.stack = engine, stack
        self._clock, self._wait = clock, wait
        self._traffic = Traffic(engine, stack)
        self._since_minute, self._since_unix_s = 0, 0.0
        self._before: dict[str, int] = {}

    def resolve(self, scenario: Scenario) -> Scenario:
        """Give services the gateway's address and their hosts; NotFound or UsageError says what cannot be asked."""
        if not scenario.services:
            return scenario
        with closing(Orchestrator(self._engine, self.stack)) as orchestrator:
            listed = orchestrator.services().services
        hosts = {f"{each.tenant}/{each.service}": each.hosts for each in listed}
        address = self._traffic.address()
        return replace(scenario, targets=tuple(_resolved(target, hosts, address) for target in scenario.targets))

    def begin(self, services: Sequence[str]) -> None:
        """Note what the gateway has counted before the first request."""
        # Whole minutes, as they are recorded; the older ones fall out of the record one by one.
        self._since_minute = int(self._engine.now().timestamp()) // _MINUTE_S
        for service in services:
            self._before[service] = self._settled(service)
        self._since_unix_s = self._engine.now().timestamp()

    def audit(self, service: str, rows: Sequence[Row]) -> Audit:
        """Compare our rows of a service with log and counter, once these have caught up or will not any more."""
        give_up = self._clock() + _SETTLE_S
        tenant, _, name = service.partition("/")
        while True:
            counted = self._counted(service) - self._before[service]
            until = self._engine.now().timestamp()
            found = audit(service, rows, self._traffic.requests(tenant, name, self._since_unix_s, until), counted)
            if not found.problems or self._clock() >= give_up:
                return found
            self._wait(_LOOK_AGAIN_S)

    def _settled(self, service: str) -> int:
        """Give the counter once it stands still: what was just asked comes into it a moment later."""
        give_up, last = self._clock() + _SETTLE_S, self._counted(service)
        while True:
            self._wait(_LOOK_AGAIN_S)
            now = self._counted(service)
            if now == last or self._clock() >= give_up:
                return now
            last = now

    def _counted(self, service: str) -> int:
        tenant, _, name = service.partition("/")
        with closing(Orchestrator(self._engine, self.stack)) as orchestrator:
            load = orchestrator.recorded_load(tenant, name)
        return count_recorded(load, self._since_minute)


class InstanceWatch:
    """Counts the ready instances of services while the `with` block runs, in a thread of its own."""

    def __init__(self, engine: Engine, stack: str, services: Sequence[str]) -> None:
        self._engine, self._stack, self._services = engine, stack, services
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._seen: list[tuple[float, Mapping[str, frozenset[str]]]] = []

    def __enter__(self) -> InstanceWatch:
        if self._services:
            self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over.set()
        if self._services:
            self._thread.join()

    def capacities(self, began_unix_s: float) -> tuple[Capacity, ...]:
        """Tell how many instances each service had, from the moment of the first request."""
        return tuple(
            capacity_of(service, [(at - began_unix_s, seen.get(service, frozenset())) for at, seen in self._seen])
            for service in self._services
        )

    def _run(self) -> None:
        with closing(Orchestrator(self._engine, self._stack)) as orchestrator:
            while not self._over.wait(_SAMPLE_S):
                try:
                    listed = orchestrator.instances().instances
                except RunyardError:
                    # It may be restarted on purpose meanwhile: a sample less.
                    continue
                ready: dict[str, set[str]] = {}
                for each in listed:
                    if each.state == "ready":
                        ready.setdefault(f"{each.tenant}/{each.service}", set()).add(each.instance)
                self._seen.append((time.time(), {key: frozenset(names) for key, names in ready.items()}))


def capacity_of(service: str, seen: Sequence[tuple[float, frozenset[str]]]) -> Capacity:
    """Make the steps of a count from samples: each change once, and when the highest was first there."""
    steps: list[tuple[float, int]] = []
    for at_s, names in seen:
        if not steps or steps[-1][1] != len(names):
            steps.append((at_s, len(names)))
    first = seen[0][1] if seen else frozenset()
    every = frozenset[str]().union(*(names for _, names in seen))
    highest = max((count for _, count in steps), default=0)
    reached = next((at_s for at_s, count in steps if count == highest), 0.0)
    return Capacity(service, tuple(steps), len(every - first), max(0.0, reached))


def _resolved(target: Target, hosts: Mapping[str, Sequence[str]], address: str) -> Target:
    if not target.service:
        return target
    if target.service not in hosts:
        raise NotFound(f"target {target.name}: must be a service of the stack ({', '.join(hosts) or 'none'})")
    if not hosts[target.service]:
        raise UsageError(f"target {target.name}: {target.service} must have a public host, and has none")
    # One that answers every host is asked by any.
    host = next((each for each in hosts[target.service] if each != EVERY_HOST), "localhost")
    given = {name.lower() for name, _ in target.headers}
    headers = target.headers if "host" in given else (("Host", host), *target.headers)
    return replace(target, url=f"http://{address}{target.path}", headers=headers)
