"""Prober: watches the running containers of every instance, one task each, and keeps what it found out."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from functools import partial
from types import MappingProxyType
from typing import Protocol

from runyard.contracts import ContainerDocument, Probe
from services.orchestrator.health.probes import Target
from services.orchestrator.model.instance import UNKNOWN, Health, Instance
from services.orchestrator.model.revision import Revision
from services.orchestrator.model.startup import allowed_s, period_s, startup_probe
from services.orchestrator.timing import Timing

# Every 10 ms for the first second: an instance that listens after 40 ms serves after 50. Then twice as long each
# time, up to the probe's period, so that a slow starter costs nothing.
QUICK_S = 0.01
QUICK_FOR_S = 1.0
# A command in a container costs the engine some 50 ms of work; a hundred of them at once would keep it from starting.
QUICK_COMMAND_S = 0.1
GROWTH = 2.0
# An engine that is away is asked again after this; meanwhile nothing is known, so nothing changes.
UNTRIED_S = 1.0


class Attempts(Protocol):
    """Something that tries a probe once."""

    async def attempt(self, probe: Probe, target: Target) -> str | None:
        """Try once: empty if it passed, else what was seen; None if it could not be tried."""
        ...


class Prober:
    """Health of containers by id; `changed` is called whenever one changes."""

    def __init__(self, attempts: Attempts, timing: Timing, changed: Callable[[], None]) -> None:
        self._attempts = attempts
        self._timing = timing
        self._changed = changed
        self._health: dict[str, Health] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}

    def health(self) -> Mapping[str, Health]:
        """Give the health of every watched container; it changes when that does."""
        return MappingProxyType(self._health)

    def watch(self, instances: Iterable[Instance], revisions: Mapping[str, Revision], *, adopted: bool = False) -> None:
        """Watch exactly the running containers of these instances; `adopted` ones get no initial delay.

        One that is paused is not probed, and when it goes on it is as healthy as it was.
        """
        running, paused = set[str](), set[str]()
        for instance in instances:
            revision = revisions.get(instance.key)
            for container in instance.containers:
                if container.state == "paused":
                    paused.add(container.id)
                if container.state != "running":
                    continue
                running.add(container.id)
                document = revision.container(container.name) if revision else None
                if container.id in self._tasks or revision is None or document is None:
                    continue
                target = Target(container.id, instance.address, revision.spec.port, document)
                resumed = self._health.get(container.id, UNKNOWN).started
                watch = _Watch(self, target, None if resumed else startup_probe(revision, document), adopted)
                task = asyncio.create_task(watch.run())
                task.add_done_callback(partial(self._ended, container.id))
                self._tasks[container.id] = task
        for gone in self._tasks.keys() - running:
            self._tasks.pop(gone).cancel()
        for gone in self._health.keys() - running - paused:
            del self._health[gone]

    def note(self, container: str, **changes: object) -> None:
        """Change what is known of a container and tell whoever listens, if it is a change."""
        before = self._health.get(container, UNKNOWN)
        after = replace(before, **changes)  # type: ignore[arg-type]
        if after != before:
            self._health[container] = after
            if (after.started, after.ready, after.probed, after.failed) != (
                before.started,
                before.ready,
                before.probed,
                before.failed,
            ):
                self._changed()

    def _ended(self, container: str, task: asyncio.Task[None]) -> None:
        # A watch that broke would leave its container unwatched for ever; a replaced instance is watched again.
        if not task.cancelled() and (error := task.exception()) is not None:
            self.note(container, ready=False, failed=f"its probes broke: {error!r}")

    async def attempt(self, probe: Probe, target: Target) -> str:
        """Try a probe until it can be tried: empty if it passed, else what was seen."""
        while (problem := await self._attempts.attempt(probe, target)) is None:
            await self._timing.sleep(UNTRIED_S)
        return problem

    @property
    def timing(self) -> Timing:
        """The clock and the way to wait."""
        return self._timing

    async def close(self) -> None:
        """Stop watching."""
        tasks = list(self._tasks.values())
        self._tasks.clear()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


class _Watch:
    """The life of one container's probes: start-up until it passes, then readiness and liveness side by side."""

    def __init__(self, prober: Prober, target: Target, startup: Probe | None, adopted: bool) -> None:
        self._prober = prober
        self._timing = prober.timing
        self._startup = startup
        self._target = target
        self._adopted = adopted

    async def run(self) -> None:
        if self._startup is not None and not await self._start(self._startup):
            return
        document: ContainerDocument = self._target.document
        readiness, liveness = document.readiness_probe, document.liveness_probe
        if not self._prober.health().get(self._target.container, UNKNOWN).started:
            alone = readiness is None
            self._prober.note(self._target.container, started=True, ready=alone, probed=alone, problem="")
        async with asyncio.TaskGroup() as group:
            if readiness is not None:
                group.create_task(self._keep_ready(readiness))
            if liveness is not None:
                group.create_task(self._keep_alive(liveness))

    async def _start(self, probe: Probe) -> bool:
        await self._initial_delay(probe)
        began = self._timing.clock()
        # What counts is the time that the failures would take, however often we try in it.
        allowed = allowed_s(probe)
        pause = quick_pause(probe)
        while True:
            problem = await self._prober.attempt(probe, self._target)
            if not problem:
                return True
            waited = self._timing.clock() - began
            self._prober.note(self._target.container, probed=True, problem=f"startup probe {problem}")
            if waited >= allowed:
                failed = f"startup probe {problem}, for {allowed} s"
                self._prober.note(self._target.container, failed=failed)
                return False
            if waited >= QUICK_FOR_S:
                pause = next_pause(pause, period_s(probe))
            await self._timing.sleep(pause)

    async def _keep_ready(self, probe: Probe) -> None:
        await self._initial_delay(probe)
        began, pause = self._timing.clock(), quick_pause(probe)
        # One that was paused begins as it was.
        ready = self._prober.health().get(self._target.container, UNKNOWN).ready
        passed = failed = 0
        while True:
            problem = await self._prober.attempt(probe, self._target)
            passed, failed = (0, failed + 1) if problem else (passed + 1, 0)
            if passed >= probe.success_threshold:
                ready = True
            elif failed >= probe.failure_threshold:
                ready = False
            shown = f"readiness probe {problem}" if problem else ""
            self._prober.note(self._target.container, ready=ready, probed=True, problem=shown)
            if ready:
                # From the first success on it goes by its period, as Kubernetes does, also while it fails.
                pause = float(period_s(probe))
            elif self._timing.clock() - began >= QUICK_FOR_S:
                # A period of 0 asks for readiness as soon as may be.
                pause = next_pause(pause, probe.period_s or QUICK_FOR_S)
            await self._timing.sleep(pause)

    async def _keep_alive(self, probe: Probe) -> None:
        await self._initial_delay(probe)
        failed = 0
        while True:
            problem = await self._prober.attempt(probe, self._target)
            failed = failed + 1 if problem else 0
            if failed >= probe.failure_threshold:
                reason = f"liveness probe {problem}, {failed} times in a row"
                self._prober.note(self._target.container, ready=False, failed=reason)
                return
            await self._timing.sleep(period_s(probe))

    async def _initial_delay(self, probe: Probe) -> None:
        if probe.initial_delay_s and not self._adopted:
            await self._timing.sleep(probe.initial_delay_s)


def quick_pause(probe: Probe) -> float:
    """Give the pause between tries in the first second."""
    return QUICK_COMMAND_S if probe.kind == "exec" else QUICK_S


def next_pause(pause: float, period_s: float) -> float:
    """Give the pause after this one, later: twice as long, up to the period."""
    return min(pause * GROWTH, period_s)
