"""Work: make a run's containers, follow its command to its end, and remove all of it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace

from runyard.errors import HostError, HostUnreachable
from services.orchestrator.engine.port import SeenContainer
from services.orchestrator.instances.operations import CALLER_WAIT_S, RETRY_S
from services.orchestrator.model.entry import BookedContainer, container_name, entry_of
from services.orchestrator.model.instance import OUT_OF_MEMORY
from services.orchestrator.model.parts import data_volumes
from services.orchestrator.model.revision import Revision
from services.orchestrator.rollout.joined import Parts
from services.orchestrator.runs.run import Run
from services.orchestrator.store.run_book import RunEntry

# One wait of the engine's: after it the container is looked at anyway, should its end have been missed.
WAIT_S = 30.0

# Tells the gateway all that is known now, and whether it knows it in time.
Publish = Callable[[float], Awaitable[bool]]


class Released(HostError):
    """Nobody needs a run any more that is still being made."""


class RunWork:
    """What is done with the engine, book and address of a run; every method raises HostError."""

    def __init__(self, parts: Parts, publish: Publish) -> None:
        self._parts, self._tools = parts, parts.tools
        self._engine, self._book = parts.run_engine, parts.run_book
        self._publish = publish

    async def enter(self, run: str, revision: Revision, digest: str, timeout_s: int) -> RunEntry:
        """Give a run its address and its place in the book, before anything of it is made."""
        spec = revision.spec
        subnet = await self._engine.subnet(spec.network)
        instances = {each.address for each in self._tools.inventory.instances() if each.network == spec.network}
        taken = subnet.taken | instances | self._tools.base.addresses
        address = self._tools.addresses.take(run, spec.network, subnet.cidr, taken)
        found = [each.document.name for each in revision.parts]
        booked = tuple(BookedContainer(each, container_name(revision, each, run)) for each in found)
        entry = RunEntry(
            entry_of(revision, run, address, booked),
            digest,
            spec.containers[0].name,
            timeout_s,
            spec.termination_grace_s,
            spec.cpu_millis,
            spec.memory_bytes,
        )
        # No wait in between, or the next pass would let go an address that nobody seems to have.
        self._book.write(entry)
        return entry

    async def make(self, run: Run, revision: Revision) -> None:
        """Make and start everything of a run, its command last; Released if nobody needs it before that."""
        # The gateway learns the caller's address while the engine creates the containers.
        known = asyncio.ensure_future(self._publish(CALLER_WAIT_S))
        try:
            await self._make_containers(run, revision)
            if not await known:
                told = {"run": run.id, "address": run.entry.made.address}
                self._tools.journal.write("caller not confirmed", level="warning", **told)
        finally:
            known.cancel()
        for part, booked in zip(revision.parts, run.entry.made.containers, strict=True):
            _check_needed(run)
            if part.role == "app":
                # Before it is started: one that is not noted was not started, whenever we are killed.
                self._save(run, replace(run.entry, started_unix_s=self._parts.timing.wall()))
            await self._engine.start(booked.id, self._tools.launcher.start_input(part.document))
            if part.role == "init":
                await self._prepare(booked)

    async def _make_containers(self, run: Run, revision: Revision) -> None:
        for part in revision.parts:
            # Refused here rather than when it is started: nothing is made in vain.
            self._tools.launcher.start_input(part.document)
        for volume in data_volumes(revision.spec):
            users = await self._engine.users(volume)
            if users:
                raise HostError(f"volume {volume}: has one writer, and container {users[0]} has it")
        await self._engine.make_volumes(revision, run.id)
        for number, part in enumerate(revision.parts):
            _check_needed(run)
            made = run.entry.made
            id_ = await self._engine.make(made, revision, part.document.name)
            containers = list(made.containers)
            containers[number] = replace(containers[number], id=id_)
            self._save(run, replace(run.entry, made=replace(made, containers=tuple(containers))))

    async def _prepare(self, booked: BookedContainer) -> None:
        seen = await self.ended(booked.id)
        if seen is None or seen.exit_code:
            raise HostError(f"helper {booked.container}: {f'exited with code {seen.exit_code}' if seen else 'is gone'}")

    def _save(self, run: Run, entry: RunEntry) -> None:
        run.entry = entry
        self._book.write(entry)

    async def ended(self, container: str) -> SeenContainer | None:
        """Wait until a container does not run, and give it as it is then; None if it is gone."""
        while True:
            try:
                await self._engine.wait(container, WAIT_S)
                seen = (await self._engine.observe([container])).get(container)
            except HostUnreachable:
                # An engine that is restarted tells afterwards.
                await self._tools.sleep(RETRY_S)
                continue
            if seen is None or seen.state in ("ended", "created"):
                return seen

    async def follow(self, run: Run) -> None:
        """Follow a command to its end, to its time's, or until nobody needs it any more."""
        run.tell("running")
        entry, timing = run.entry, self._parts.timing
        left = max(0.0, entry.started_unix_s + entry.timeout_s - timing.wall())
        ended = asyncio.ensure_future(self.ended(run.command_container))
        others = [asyncio.ensure_future(run.released.wait()), asyncio.ensure_future(timing.sleep(left))]
        try:
            await asyncio.wait({ended, *others}, return_when=asyncio.FIRST_COMPLETED)
            if ended.done():
                _tell_end(run, ended.result())
            elif not run.released.is_set():
                await self._engine.stop(run.command_container, entry.grace_s)
                run.late = True
                run.tell("failed", f"ended after the {entry.timeout_s} s that it may take")
        finally:
            for each in (ended, *others):
                each.cancel()

    async def remove(self, run: Run) -> None:
        """Stop what runs of a run and remove everything of it."""
        made = run.entry.made
        ids = [*made.ids, *await self._unnoted(run)]
        if run.command_container:
            await self._engine.stop(run.command_container, run.entry.grace_s)
        for each in reversed(ids):
            await self._engine.remove(each)
        # The directories first: what they are parts of is not in use any more then.
        for volume in reversed(made.volumes):
            await self._engine.remove_volume(volume)
        self._book.strike(run.id)
        self._tools.addresses.release(run.id)
        self._parts.wake.set()

    async def _unnoted(self, run: Run) -> list[str]:
        """Find what a kill left made and not yet in the book, by the names that the book has."""
        lacking = {each.name for each in run.entry.made.containers if not each.id}
        if not lacking:
            return []
        seen = await self._engine.observe(list(await self._engine.states()))
        return [id_ for id_, each in sorted(seen.items()) if each.name in lacking and each.instance == run.id]


def _check_needed(run: Run) -> None:
    if run.released.is_set():
        raise Released(f"run {run.id}: nobody needs it any more")


def _tell_end(run: Run, seen: SeenContainer | None) -> None:
    title = f"container {run.entry.container}"
    if seen is None:
        run.tell("failed", f"{title}: was removed by somebody")
    elif seen.state == "created":
        run.tell("failed", f"{title}: was never started, as the orchestrator was ended meanwhile")
    else:
        run.tell("ended", f"{title}: {OUT_OF_MEMORY}" if seen.oom_killed else "", seen.exit_code)
