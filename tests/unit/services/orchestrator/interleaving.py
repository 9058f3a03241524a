"""Interleavings: an orchestrator that is asked, killed and followed by another while instances die, by a seed.

Each orchestrator has an event loop of its own, which is never run again once it is killed: so nothing of it ends in
good order, not even a `finally`. What outlives it is the engine, the gateway and the disk. Calls of the engine take
time; one that was under way at a kill has happened, happens later, or never does.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable, Coroutine
from pathlib import Path
from typing import Any

from runyard import names
from runyard.contracts import (
    RestartRequest,
    RevisionDocument,
    RollbackRequest,
    RolloutRequest,
    RouteRequest,
    ScaleRequest,
    ScalingDocument,
    TrafficShare,
)
from runyard.errors import HostError, HostUnreachable, RunyardError
from services.orchestrator.loop.reconciler import RESYNC_S
from services.orchestrator.succession.lease import Lease

from .fake_gateway import FakeGateway
from .world import FakeClock, FakeEngine, World

# The fewest instances of each service; one that may have none sleeps after six seconds.
LEAST = {"hello": 2, "cart": 1, "nap": 0}
# After two looks at everything it is as it should be, whatever event was lost.
TWO_TICKS_S = 2 * RESYNC_S
# What failures in a row and capacity that was taken over may hold back: a minute each.
PATIENCE_S = 150
# From the decision to remove an instance to its stop nothing looks again: the gateway is told, then requests end.
BLIND_S, BLIND_AWAY_S = 1.0, 8.0
LONGEST_CALL_S = 0.4
# The part of calls whose answer is lost, and the part of all that have not even happened by then.
UNANSWERED, UNDONE_YET = 0.04, 0.02
HISTORY = 4
Change = Callable[[], Coroutine[Any, Any, Any]]


class SwiftClock(FakeClock):
    """A clock for where nothing but the clock is waited for: it goes on as soon as no task can run."""

    async def quiet(self) -> None:
        loop = asyncio.get_running_loop()
        await asyncio.sleep(0)
        while loop._ready:  # type: ignore[attr-defined]
            await asyncio.sleep(0)


class SlowEngine(FakeEngine):
    """An engine whose changes take time, and that tells of each container that runs and is ended."""

    def __init__(self, chance: random.Random, ended: Callable[[str], None]) -> None:
        super().__init__()
        self.chance = chance
        self.sleep: Callable[[float], Awaitable[object]] = asyncio.sleep
        self._ended = ended
        self.pending: dict[int, Change] = {}
        # Whether every call is answered from now on.
        self.certain = False
        # What happens only after its caller was told that there was no answer.
        self.late: list[Change] = []
        self._number = 0

    async def _slowly(self, change: Change) -> Any:
        self._number += 1
        number = self._number
        self.pending[number] = change
        await self.sleep(self.chance.uniform(0, LONGEST_CALL_S))
        del self.pending[number]
        lost = 1.0 if self.certain else self.chance.random()
        if lost < UNDONE_YET:
            self.late.append(change)
        else:
            made = await change()
        if lost < UNANSWERED:
            raise HostUnreachable("no answer in the time allowed")
        await self.sleep(self.chance.uniform(0, LONGEST_CALL_S))
        return made

    async def create(self, name: str, config: dict[str, Any]) -> str:
        return str(await self._slowly(lambda: FakeEngine.create(self, name, config)))

    async def start(self, container: str, standard_input: str = "") -> None:
        await self._slowly(lambda: FakeEngine.start(self, container, standard_input))

    async def stop(self, container: str, grace_s: int) -> None:
        self._ended(container)
        await self._slowly(lambda: FakeEngine.stop(self, container, grace_s))

    async def remove(self, container: str) -> None:
        self._ended(container)
        await self._slowly(lambda: FakeEngine.remove(self, container))


class Interleaving:
    """One story by a seed: `run` gives what went wrong, a line each; `told` has what happened, to be read then."""

    def __init__(self, seed: int, directory: Path) -> None:
        self.chance = random.Random(seed)
        self.told: list[str] = []
        self.wrong: list[str] = []
        self.engine = SlowEngine(self.chance, self._check_end)
        self.gateway = FakeGateway()
        self._directory = directory
        self._lives: list[tuple[asyncio.AbstractEventLoop, World]] = []
        self._documents: dict[str, list[RevisionDocument]] = {service: [] for service in LEAST}
        self._wanted: dict[str, str] = {}
        self._overrides: dict[str, tuple[int, float]] = {}
        # When something last happened that a removal under way could not know.
        self._disturbed_s: dict[str, float] = {}
        self._away_s = float("-inf")
        self._leases = [Lease(directory / "lease"), Lease(directory / "lease")]
        assert self._leases[0].take()
        self._begin(1000.0)

    # The orchestrator's lives.

    @property
    def world(self) -> World:
        """The orchestrator that acts."""
        return self._lives[-1][1]

    @property
    def now_s(self) -> float:
        """The clock that all go by."""
        return self.world.clock.now

    def _begin(self, now_s: float) -> None:
        loop = asyncio.new_event_loop()
        self.engine.reopen_events()
        world = World(self._directory, self.engine, self.gateway, boot_ms=int(now_s * 1000), clock=SwiftClock(now_s))
        self.engine.sleep = world.clock.sleep
        world.documents = [each for made in self._documents.values() for each in made]
        self._lives.append((loop, world))
        self._do(world.__aenter__())

    def _do(self, work: Coroutine[Any, Any, Any]) -> Any:
        loop = self._lives[-1][0]
        asyncio.set_event_loop(loop)
        return loop.run_until_complete(work)

    def pass_time(self, seconds: float) -> None:
        """Let time pass."""
        self._do(self.world.pass_time(seconds))

    def kill(self, *, stand_by: bool) -> None:
        """Kill the orchestrator; the one that stands by takes over at once, or it is started again a while later."""
        now_s, pending = self.now_s, list(self.engine.pending.values())
        self.engine.pending.clear()
        # The kernel lets go of what the dead one held, and a stand-by that asked for it gets it.
        self._leases[0].release()
        assert self._leases[1].take()
        self._leases = [self._leases[1], Lease(self._directory / "lease")]
        late = [each for each in pending if self.chance.random() < 0.5]
        for each in (each for each in late if self.chance.random() < 0.5):
            late.remove(each)
            self._land(each)
        pause_s = 0.0 if stand_by else self.chance.uniform(0.1, 3)
        self._begin(now_s + pause_s)
        for each in late:
            self.pass_time(self.chance.uniform(0, 0.5))
            self._land(each)

    def _land(self, change: Change) -> None:
        async def whole() -> None:
            try:
                await change()
            except HostError as error:
                self._say(f"came too late: {error}")

        asyncio.run(whole())
        self._disturb_all()

    def _land_late(self) -> None:
        late, self.engine.late = self.engine.late, []
        for each in late:
            self._land(each)

    def close(self) -> None:
        """End all lives, once nothing is looked at any more."""
        for loop, world in self._lives:
            asyncio.set_event_loop(loop)
            loop.run_until_complete(world.__aexit__())
            loop.close()
        asyncio.set_event_loop(None)
        for lease in self._leases:
            lease.release()

    # What may happen.

    def _say(self, what: str) -> None:
        self.told.append(f"{self.now_s:9.3f} {what}")

    def _disturb_all(self) -> None:
        self._disturbed_s = {each: max(self.now_s, self._disturbed_s.get(each, self.now_s)) for each in LEAST}

    def apply(self, service: str, *, new: bool = True, broken: bool = False) -> None:
        """Put a service with a new revision, or again with the one that it should have."""
        made = self._documents[service]
        if new or not made:
            name = f"{service}-{len(made) + 1}"
            scaling = {"scaling": ScalingDocument(window_s=6)}
            made.append(self.world.add(name, service=service, min_instances=LEAST[service], **scaling))
            if broken:
                self.engine.exits_at_once[name] = 1
            self._wanted[service] = name if not broken else self._wanted.get(service, "")
        wanted = made[-1].name if new else self._wanted[service]
        self.world.documents = [each for some in self._documents.values() for each in some]
        history = tuple(each.name for each in reversed(made))[:HISTORY]
        request = RolloutRequest("default", service, (TrafficShare(wanted, 100),), 20, history=history)
        route = RouteRequest("default", service, (f"{service}.localhost",))
        self._ask(lambda: self.world.orchestrator.put_service(self.world.request(request, route)))

    def _ask(self, call: Callable[[], object]) -> None:
        async def asked() -> None:
            try:
                call()
            except RunyardError as error:
                self._say(f"  refused: {error}")

        self._do(asked())

    def _ask_on(self, work: Coroutine[Any, Any, object]) -> None:
        async def asked() -> None:
            task = asyncio.create_task(work)
            task.add_done_callback(lambda done: done.cancelled() or done.exception())

        self._do(asked())

    def roll_back(self, service: str) -> None:
        """Move traffic to one of the revisions that are kept."""
        in_force = self.world.parts.rollouts.in_force.get(f"default/{service}")
        good = [each.name for each in self._documents[service] if each.name not in self.engine.exits_at_once]
        kept = [name for name in (in_force.history if in_force else ()) if name in good]
        if kept:
            target = self.chance.choice(kept)
            self._say(f"  to {target}")
            self._ask_on(self.world.orchestrator.roll_back(RollbackRequest("default", service, target)))

    def scale(self, service: str, count: int, for_s: int) -> None:
        """Have a number of instances for a while."""
        before = self._overrides.get(service)
        self._overrides[service] = count, self.now_s + for_s
        self._ask(lambda: self._scaled(service, count, for_s, before))

    def _scaled(self, service: str, count: int, for_s: int, before: tuple[int, float] | None) -> None:
        try:
            self.world.orchestrator.scale(ScaleRequest("default", service, count, for_s))
        except RunyardError:
            self._overrides.pop(service)
            self._overrides |= {service: before} if before else {}
            raise

    def end_scale(self, service: str) -> None:
        """End a number that was asked for."""
        self._overrides.pop(service, None)
        self._ask(lambda: self.world.orchestrator.end_scale("default", service))

    def restart(self, service: str) -> None:
        """Have all instances of a service replaced."""
        there = tuple(each.id for each in self.world.orchestrator._reconciler.instances if each.service == service)
        self._ask(lambda: self.world.orchestrator.restart(RestartRequest("default", service, there)))

    def crash(self, *, told: bool, gone: bool = False) -> None:
        """End a container as its program, or somebody else, does; the engine's event may get lost."""
        running = self.engine.clones("running")
        if not running:
            return
        container = self.chance.choice(running)
        # What nobody told is seen by the next listing.
        self._disturbed_s[self._labels(container)[names.SERVICE]] = self.now_s + (0 if told else RESYNC_S)
        self._say(f"  {self.engine.containers[container]['Name']}")
        if gone:
            del self.engine.containers[container]
            if told:
                self.engine.tell("destroy", container)
        else:
            self.engine.containers[container]["State"] = {"Status": "exited", "ExitCode": 137, "OOMKilled": False}
            if told:
                self.engine.tell("die", container)

    def leave(self, what: FakeEngine | FakeGateway, seconds: float) -> None:
        """Have the engine or the gateway away for a while."""
        what.away = True
        self.pass_time(seconds)
        what.away = False
        self._away_s = self.now_s

    def step(self) -> None:
        """Do one thing by chance, and let some time pass."""
        self._land_late()
        chance = self.chance
        service = chance.choice(list(LEAST))
        whole: list[tuple[int, str, Callable[[], None]]] = [
            (6, "apply", lambda: self.apply(service)),
            (2, "apply again", lambda: self.apply(service, new=False)),
            (2, "apply what crashes", lambda: self.apply(service, broken=True)),
            (3, "roll back", lambda: self.roll_back(service)),
            (4, "scale", lambda: self.scale(service, chance.randint(0, 4), chance.choice((5, 3600)))),
            (2, "end scale", lambda: self.end_scale(service)),
            (2, "restart", lambda: self.restart(service)),
            (5, "crash", lambda: self.crash(told=True)),
            (2, "crash, untold", lambda: self.crash(told=False)),
            (2, "removed by hand", lambda: self.crash(told=chance.random() < 0.5, gone=True)),
            (2, "wake", lambda: self._ask(lambda: self.world.orchestrator.hear(f"default/{self._wanted[service]}"))),
            (4, "kill", lambda: self.kill(stand_by=False)),
            (3, "lease lost", lambda: self.kill(stand_by=True)),
            (1, "engine away", lambda: self.leave(self.engine, chance.uniform(0.2, 8))),
            (1, "gateway away", lambda: self.leave(self.gateway, chance.uniform(0.2, 8))),
            (1, "events cut", self.engine.cut_events),
        ]
        (_, name, act) = chance.choices(whole, [weight for weight, _, _ in whole])[0]
        self._say(f"{name} ({service})")
        act()
        # Most of what is worth meeting is under way for less than a second.
        self.pass_time(chance.choice((0.0, chance.uniform(0, 0.5), chance.uniform(0, 4))))

    def run(self, steps: int) -> list[str]:
        """Do so many things by chance, then ask for everything again and see it settle; gives what went wrong."""
        for service in LEAST:
            self.apply(service)
        self.pass_time(3)
        for _ in range(steps):
            self.step()
        for service in LEAST:
            # Whoever asked and got no answer asks again, as Pulumi does.
            self._say(f"at last ({service})")
            self._overrides.pop(service, None)
            self._ask(lambda name=service: self.world.orchestrator.end_scale("default", name))  # type: ignore[misc]
            self.apply(service, new=False)
        self.engine.certain = True
        self._land_late()
        self._settle(PATIENCE_S, "after all of it")
        calls = len(self._changes())
        self.pass_time(TWO_TICKS_S)
        if (more := self._changes()[calls:]) and not self.wrong:
            self.wrong.append(f"what had settled is changed: {more}")
        if not self.wrong:
            self._say("once more")
            last = self.chance.randrange(3)
            if last:
                self.crash(told=last == 1)
            else:
                self.kill(stand_by=True)
            self._settle(TWO_TICKS_S, "within two ticks")
        return self.wrong

    # What must hold.

    def _changes(self) -> list[tuple[str, str]]:
        return [call for call in self.engine.calls if call[0] in ("create", "start", "stop", "remove", "pause")]

    def _labels(self, container: str) -> dict[str, str]:
        return dict(self.engine.containers[container]["Config"]["Labels"])

    def _least(self, service: str) -> int:
        count, until_s = self._overrides.get(service, (0, 0.0))
        return count if until_s > self.now_s else LEAST[service]

    def _check_end(self, container: str) -> None:
        """Say of an instance that runs and is ended whether its service has too few then, with nothing to excuse it."""
        if self.engine.containers.get(container, {}).get("State", {}).get("Status") != "running":
            return
        labels = self._labels(container)
        service, revision = labels[names.SERVICE], labels[names.REVISION]
        traffic = self.gateway.last.services.get(f"default/{service}") if self.gateway.sent else None
        if traffic is None or revision not in {share.revision for share in traffic.traffic if share.percent}:
            return
        recently = self.now_s - self._disturbed_s.get(service, float("-inf")) <= BLIND_S
        if recently or self.now_s - self._away_s <= BLIND_AWAY_S or self.gateway.away or self.engine.away:
            return
        left = [each for each in self.engine.clones("running") if self._labels(each)[names.REVISION] == revision]
        if len(left) - 1 < self._least(service):
            self._say(f"ENDED {revision}: {len(left) - 1} left")
            self.wrong.append(f"instance of {revision} is ended, {len(left) - 1} are left of {self._least(service)}")

    def _settle(self, seconds: float, when: str) -> None:
        until_s, found = self.now_s + seconds, ["never looked"]
        while found and self.now_s < until_s:
            self.pass_time(0.5)
            found = self._departures()
        self.wrong += [f"{when}: {each}" for each in found]

    def _departures(self) -> list[str]:
        """Name what is not as it should be."""
        found = []
        running = {each: self._labels(each) for each in self.engine.clones("running")}
        for service, least in LEAST.items():
            wanted = self._wanted[service]
            mine = sorted(each[names.REVISION] for each in running.values() if each[names.SERVICE] == service)
            if mine != [wanted] * least:
                found.append(f"{service} should have {least} of {wanted}, has {mine}")
            traffic = self.gateway.last.services.get(f"default/{service}")
            if traffic is None or traffic.traffic != (TrafficShare(wanted, 100),):
                found.append(f"{service}: the gateway has {traffic}")
            places = self.gateway.last.endpoints.get(f"default/{wanted}")
            if places is None or len(places.addresses) != least:
                found.append(f"{service}: the gateway has {places}")
        if len(self.engine.clones()) != len(running):
            found.append(f"containers are left: {self.engine.clones()}")
        if sorted(self.world.parts.tools.book.entries) != sorted(each[names.INSTANCE] for each in running.values()):
            found.append(f"the book has {sorted(self.world.parts.tools.book.entries)}")
        if problems := self.world.orchestrator.status().problems:
            found.append(f"problems: {problems}")
        held = self.world.orchestrator.holdings()
        if not held.in_step or held.strangers or not all(each.settled for each in held.services):
            found.append(f"holdings: {held.in_step} {held.strangers} {[each.settled for each in held.services]}")
        return found
