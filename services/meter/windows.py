"""Windows: what every run used, minute by minute, closed once and for all when nothing more can come of it. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace

from runyard.cgroups import Counters
from runyard.contracts import (
    WINDOW_MS,
    ContainerStatus,
    InstanceStatus,
    RequestLine,
    UsageAmounts,
    UsageWindow,
)
from services.meter.bursts import Burst, Bursts
from services.meter.run import Run, RunIdentity, RunState, begin, spread

# The gateway writes its lines a second late, and readings come every five: ten are twice what is needed.
GRACE_MS = 10_000
# The registry tells half a second late of an instance that may have answered already.
PATIENCE_MS = 10_000
# A run that ended is known as long as a line of it may come late.
REMEMBERED_MS = 600_000
# More is of a time that the metering did not see begin.
SLACK_MS = 60_000
RunKey = tuple[str, int]


@dataclass(frozen=True, slots=True)
class ServedRequest:
    """A request that an instance answered, as far as windows go; `place` is the instance's address."""

    tenant: str
    service: str
    revision: str
    place: str
    begin_ms: int
    end_ms: int
    egress_bytes: int


@dataclass(frozen=True, slots=True)
class OpenUse:
    """What requests made of an instance in a window that begins at `start_ms`."""

    start_ms: int
    active_ms: int = 0
    requests: int = 0
    egress_bytes: int = 0


@dataclass(frozen=True, slots=True)
class InstanceState:
    """Requests of an instance as plain data."""

    key: str
    identity: RunIdentity
    bursts: tuple[Burst, ...]
    floor_ms: int
    windows: tuple[OpenUse, ...]


@dataclass(frozen=True, slots=True)
class WindowsState:
    """All of it as plain data: `open_ms` is where the first open window begins, `seen_ms` when somebody looked last."""

    open_ms: int
    seen_ms: int
    runs: tuple[RunState, ...] = ()
    instances: tuple[InstanceState, ...] = ()
    waiting: tuple[ServedRequest, ...] = ()


class _Instance:
    """The requests of one instance; `identity` is of the container that takes them."""

    def __init__(self, identity: RunIdentity, bursts: Bursts | None = None) -> None:
        self.identity = identity
        self.bursts = bursts or Bursts()
        self.windows: dict[int, OpenUse] = {}

    def take(self, request: ServedRequest, open_ms: int) -> None:
        for one, other in self.bursts.add(request.begin_ms, request.end_ms):
            for start, lasted in spread(one, other, open_ms).items():
                self._add(start, active_ms=lasted)
        start = max(request.end_ms - request.end_ms % WINDOW_MS, open_ms)
        self._add(start, requests=1, egress_bytes=request.egress_bytes)

    def _add(self, start: int, active_ms: int = 0, requests: int = 0, egress_bytes: int = 0) -> None:
        old = self.windows.get(start) or OpenUse(start)
        self.windows[start] = OpenUse(
            start, old.active_ms + active_ms, old.requests + requests, old.egress_bytes + egress_bytes
        )


class Windows:
    """The open windows of all runs."""

    def __init__(self, state: WindowsState) -> None:
        self.open_ms, self.seen_ms = state.open_ms, state.seen_ms
        self.runs: dict[RunKey, Run] = {}
        for each in map(Run, state.runs):
            self.runs[each.identity.container, each.identity.started_ms] = each
        self._instances: dict[str, _Instance] = {}
        for kept in state.instances:
            instance = self._instances[kept.key] = _Instance(kept.identity, Bursts(kept.bursts, kept.floor_ms))
            instance.windows = {each.start_ms: each for each in kept.windows}
        self._waiting = list(state.waiting)
        self._places: dict[tuple[str, str, str], Run] = {}
        self._note_places()

    def export(self) -> WindowsState:
        """Give all of it as plain data."""
        instances = (
            InstanceState(key, each.identity, each.bursts.export(), each.bursts.floor_ms, tuple(each.windows.values()))
            for key, each in sorted(self._instances.items())
        )
        runs = tuple(each.export() for _, each in sorted(self.runs.items()))
        return WindowsState(self.open_ms, self.seen_ms, runs, tuple(instances), tuple(self._waiting))

    def _note_places(self) -> None:
        # An address rests before it is another's, so of two runs of one revision at one place the later counts.
        takers = [each for each in self.runs.values() if each.identity.serving]
        takers.sort(key=lambda each: each.identity.started_ms)
        self._places = {(run.tenant, run.revision, run.place): each for each in takers for run in [each.identity]}

    @property
    def live(self) -> Iterator[Run]:
        """The runs that go on."""
        return (each for each in self.runs.values() if not each.ended_ms)

    def follow(self, instances: Iterable[InstanceStatus], now_ms: int) -> None:
        """Take in which instances there are: runs that are new begin, and those that have gone end."""
        there = set()
        for instance in instances:
            for container in instance.containers:
                key = (container.id, container.started_ms)
                there.add(key)
                if key not in self.runs:
                    whole = container.started_ms >= self.seen_ms - SLACK_MS
                    self.runs[key] = begin(_identify(instance, container), now_ms, whole=whole)
        for key, run in self.runs.items():
            if key not in there and not run.ended_ms:
                run.end(now_ms, self.open_ms)
        self._note_places()

    def observe(self, counters: Mapping[str, Counters | None], now_ms: int) -> None:
        """Tell the use of the live runs until now, from what the kernel counts of each container."""
        for run in self.live:
            run.observe(now_ms, self.open_ms, counters.get(run.identity.container))

    def take(self, line: RequestLine, now_ms: int) -> None:
        """Take in a request that has ended; one that no instance answered uses none."""
        if not line.instance:
            return
        end = round(line.unix_s * 1000)
        lasted = max(0, round((line.duration_s - line.held_s) * 1000))
        # What another service of the platform asked has not left it.
        egress = line.bytes_out if line.listener == "edge" else 0
        place = line.instance.rpartition(":")[0]
        request = ServedRequest(line.tenant, line.service, line.revision, place, end - lasted, end, egress)
        if not self._credit(request):
            self._waiting.append(request)

    def _credit(self, request: ServedRequest) -> bool:
        run = self._places.get((request.tenant, request.revision, request.place))
        if run is None:
            return False
        run.extend(request.end_ms, self.open_ms)
        instance = self._instances.get(run.identity.instance)
        if instance is None:
            instance = self._instances[run.identity.instance] = _Instance(run.identity)
        instance.take(request, self.open_ms)
        return True

    def settle(self, now_ms: int) -> None:
        """Find the instances of requests that came before them; those that never do are told by their address."""
        waiting, self._waiting = self._waiting, []
        for each in waiting:
            if self._credit(each):
                continue
            if now_ms - each.end_ms < PATIENCE_MS:
                self._waiting.append(each)
                continue
            key = f"{each.tenant}/{each.revision}/{each.place}"
            if key not in self._instances:
                identity = RunIdentity(each.tenant, each.service, each.revision, "", each.place, key, 0, True)
                self._instances[key] = _Instance(identity)
            self._instances[key].take(each, self.open_ms)

    def close(self, until_ms: int) -> list[UsageWindow]:
        """Close every window that ended `GRACE_MS` before `until_ms`, until when everything has been looked at."""
        closed: list[UsageWindow] = []
        while self.open_ms + WINDOW_MS + GRACE_MS <= until_ms:
            closed += self._close_one(self.open_ms)
            self.open_ms += WINDOW_MS
            if not any(each.has_windows for each in self.runs.values()) and not self._has_use():
                # Nothing is left to close: the rest of the time, perhaps days, had nothing in it.
                behind = until_ms - GRACE_MS
                self.open_ms = max(self.open_ms, behind - behind % WINDOW_MS)
        self._forget()
        return closed

    def _has_use(self) -> bool:
        return any(each.windows for each in self._instances.values())

    def _close_one(self, start: int) -> Iterator[UsageWindow]:
        uses = {key: use for key, each in self._instances.items() if (use := each.windows.pop(start, None))}
        told = set()
        for _, run in sorted(self.runs.items()):
            amounts, use = run.take(start), uses.get(run.identity.instance)
            taker = use is not None and run.identity.serving and run.identity.instance not in told
            if amounts is None and not taker:
                continue
            told |= {run.identity.instance} if taker else set()
            yield _window(run.identity, start, amounts or UsageAmounts(), use, taker=taker)
        for key, use in sorted(uses.items()):
            if key not in told:
                # Its containers are not known, or no more: what requests made of it is all that there is.
                estimated = UsageAmounts(estimated=True)
                yield _window(self._instances[key].identity, start, estimated, use, taker=True)

    def _forget(self) -> None:
        gone = [
            key
            for key, run in self.runs.items()
            if run.ended_ms and not run.has_windows and run.ended_ms < self.open_ms - REMEMBERED_MS
        ]
        for key in gone:
            del self.runs[key]
        known = {each.identity.instance for each in self.runs.values()}
        for name in [key for key, each in self._instances.items() if key not in known and not each.windows]:
            del self._instances[name]
        if gone:
            self._note_places()


def _identify(instance: InstanceStatus, container: ContainerStatus) -> RunIdentity:
    return RunIdentity(
        tenant=instance.tenant,
        service=instance.service,
        revision=instance.revision,
        instance=instance.instance,
        place=instance.address,
        container=container.id,
        started_ms=container.started_ms,
        serving=container.serving,
        name=container.name,
        cpu_millis=container.cpu_millis,
        memory_bytes=container.memory_bytes,
    )


def _window(
    identity: RunIdentity, start: int, amounts: UsageAmounts, use: OpenUse | None, *, taker: bool
) -> UsageWindow:
    amounts = replace(
        amounts,
        active_ms=use.active_ms if use else 0,
        requests=use.requests if use and taker else 0,
        egress_bytes=use.egress_bytes if use and taker else 0,
        cpu_limit_millis=identity.cpu_millis,
        memory_limit_bytes=identity.memory_bytes,
    )
    whose = (identity.tenant, identity.service, identity.revision, identity.instance)
    run = (identity.container, identity.started_ms)
    return UsageWindow(*whose, *run, start, start + WINDOW_MS, "usage", amounts)
