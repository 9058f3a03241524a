"""Operations: carry out decisions against the engine, each in a task of its own, a few at a time."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from typing import Protocol

from runyard.errors import HostError, HostUnreachable, NotFound
from runyard.journal import Journal
from services.orchestrator.engine.port import Engine, Refused
from services.orchestrator.gateway.base import Base
from services.orchestrator.gateway.client import Gateway
from services.orchestrator.instances.addresses import AddressBook
from services.orchestrator.instances.failures import LOG_LINES, FailureLog, shown_line
from services.orchestrator.instances.inventory import Inventory
from services.orchestrator.instances.launcher import Launcher
from services.orchestrator.instances.observation import (
    Action,
    CreateInstance,
    EndBoost,
    FreezeInstance,
    RemoveInstance,
    StartContainer,
    ThawInstance,
)
from services.orchestrator.model.entry import BookedContainer, BookEntry, container_name, entry_of
from services.orchestrator.model.instance import Container, Instance
from services.orchestrator.model.parts import data_volumes
from services.orchestrator.model.revision import Revision
from services.orchestrator.store.book import Book

# Creating and starting is the engine's hardest work, and it does little of it in parallel: more at once would
# only make each one slower, and the first instance of a wave later.
PARALLEL = 6
# An instance that starts before the gateway knows its address gets 403 from the services it calls. A gateway that
# is away must not keep instances from starting, though.
CALLER_WAIT_S = 2.0
# The same the other way round: no new requests before the stop signal.
WITHDRAW_WAIT_S = 5.0
# For so long the gateway is asked to wait for an instance to be idle, before the time that it has is looked up again.
DRAIN_STEP_S = 1.0
# An engine that failed a removal is asked again after this, not at once.
RETRY_S = 1.0


class Publication(Protocol):
    """The way to the gateway: describe all that is known now, and wait until the gateway has it."""

    async def publish(self, timeout_s: float) -> bool:
        """Offer the snapshot of now and wait; False when the time ran out."""
        ...

    def drain_s(self, instance: Instance) -> float:
        """Give the time that requests under way get before an instance is told to stop."""
        ...

    def is_awake(self, revision: str) -> bool:
        """Tell whether the load asks for instances of a revision, as `tenant/revision`."""
        ...


@dataclass(frozen=True, slots=True)
class Tools:
    """What operations work with."""

    engine: Engine
    book: Book
    base: Base
    launcher: Launcher
    inventory: Inventory
    addresses: AddressBook
    gateway: Gateway
    failures: FailureLog
    journal: Journal
    sleep: Callable[[float], Awaitable[object]] = asyncio.sleep


class Operations:
    """Operations under way; at most one for each instance."""

    def __init__(self, tools: Tools, publication: Publication, ended: Callable[[Action, bool], None]) -> None:
        self._tools = tools
        self._publication = publication
        self._ended = ended
        self._gate = asyncio.Semaphore(PARALLEL)
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._starting: dict[str, str] = {}
        self._freezing: dict[str, str] = {}
        self._reserved: dict[str, tuple[str, str]] = {}
        self._noted: set[str] = set()
        self._clearing: dict[str, asyncio.Task[None]] = {}

    @property
    def busy(self) -> frozenset[str]:
        """The instances with an operation under way."""
        return frozenset(self._tasks)

    @property
    def starting(self) -> Mapping[str, str]:
        """The revisions of the instances being made or started."""
        return dict(self._starting)

    @property
    def freezing(self) -> Mapping[str, str]:
        """The revisions of the instances being frozen, which go on if they are asked for."""
        return dict(self._freezing)

    @property
    def withdrawn(self) -> frozenset[str]:
        """The instances being removed."""
        return frozenset(self._tasks.keys() - self._starting.keys())

    @property
    def reserved(self) -> Mapping[str, str]:
        """The service of each address that is about to be used."""
        return dict(self._reserved.values())

    def begin(self, action: Action, instance: Instance | None, revision: Revision | None) -> None:
        """Begin an action; the instance is the one observed, the revision that of one to be made or started."""
        if isinstance(action, CreateInstance) and revision is not None:
            self._starting[action.instance] = revision.key
            self._spawn(action, self._create(action, revision))
        elif isinstance(action, StartContainer) and instance is not None and revision is not None:
            self._starting[action.instance] = instance.key
            self._spawn(action, self._start(action, instance, revision))
        elif isinstance(action, FreezeInstance) and instance is not None:
            self._freezing[action.instance] = instance.key
            self._spawn(action, self._freeze(instance))
        elif isinstance(action, ThawInstance) and instance is not None:
            self._starting[action.instance] = instance.key
            self._spawn(action, self._thaw(instance))
        elif isinstance(action, EndBoost) and instance is not None and revision is not None:
            # It serves on meanwhile.
            self._starting[action.instance] = instance.key
            self._spawn(action, self._end_boost(instance, revision))
        elif isinstance(action, RemoveInstance) and instance is not None:
            self._spawn(action, self._remove(action, instance))

    def _spawn(self, action: Action, work: Awaitable[bool]) -> None:
        async def whole() -> None:
            succeeded = False
            try:
                succeeded = await work
            except HostError as error:
                told = {"action": type(action).__name__, "instance": action.instance, "error": str(error)}
                self._tools.journal.write("operation failed", level="error", **told)
                await self._tools.sleep(RETRY_S)
            finally:
                del self._tasks[action.instance]
                self._starting.pop(action.instance, None)
                self._freezing.pop(action.instance, None)
                self._reserved.pop(action.instance, None)
                self._ended(action, succeeded)

        self._tasks[action.instance] = asyncio.create_task(whole())

    async def _create(self, action: CreateInstance, revision: Revision) -> bool:
        made, error = list[str](), None
        try:
            try:
                await self._make(action.instance, revision, made)
                self._tools.journal.write("instance created", instance=action.instance, revision=revision.key)
            except HostError as caught:
                error = caught
                await self._give_up(action.instance, revision.key, made, caught)
            await self._tools.inventory.take_in(action.instance, made)
        finally:
            self._tools.book.end(action.instance)
        return error is None

    async def _make(self, instance: str, revision: Revision, made: list[str]) -> None:
        async with self._gate:
            address = await self._reserve(instance, revision)
            # The gateway learns the caller's address while the engine creates the containers.
            known = asyncio.create_task(self._publication.publish(CALLER_WAIT_S))
            await self._make_containers(self._enter(instance, revision, address), revision, made)
        # Waited for outside the gate, or a gateway that is away would let in only a few every two seconds.
        if not await known:
            self._tools.journal.write("caller not confirmed", level="warning", instance=instance, address=address)
        async with self._gate:
            for part, id_ in zip(revision.parts, made, strict=True):
                if not part.document.depends_on:
                    await self._tools.engine.start(id_, self._tools.launcher.start_input(part.document))
                if part.role != "app":
                    # What follows starts after it, one by one, as the passes find it done.
                    break

    def _enter(self, instance: str, revision: Revision, address: str) -> BookEntry:
        found = [each.document.name for each in revision.parts]
        booked = tuple(BookedContainer(each, container_name(revision, each, instance)) for each in found)
        entry = entry_of(revision, instance, address, booked)
        self._tools.book.begin(entry)
        return entry

    async def _make_containers(self, entry: BookEntry, revision: Revision, made: list[str]) -> None:
        try:
            for part in revision.parts:
                # Refused here rather than when it is started: nothing is made in vain.
                self._tools.launcher.start_input(part.document)
            await self._check_writers(revision)
            await self._tools.engine.make_volumes(revision, entry.instance)
            for part in revision.parts:
                made.append(await self._tools.engine.make(_with_ids(entry, made), revision, part.document.name))
        finally:
            if made:
                self._tools.book.write(_with_ids(entry, made))

    async def _check_writers(self, revision: Revision) -> None:
        """Refuse to make an instance while another container has what has one writer; HostError names it."""
        for volume in data_volumes(revision.spec):
            # The book knows of no other writer; one that a lost book had, or a stranger, is told by the engine alone.
            users = await self._tools.engine.users(volume)
            if users:
                raise HostError(f"volume {volume}: has one writer, and container {users[0]} has it")

    async def _reserve(self, instance: str, revision: Revision) -> str:
        network = revision.spec.network
        subnet = await self._tools.engine.subnet(network)
        taken = subnet.taken | {each.address for each in self._tools.inventory.instances() if each.network == network}
        taken |= self._tools.base.addresses
        address = self._tools.addresses.take(instance, network, subnet.cidr, taken)
        self._reserved[instance] = (address, revision.service_key)
        return address

    async def _give_up(self, instance: str, revision: str, made: list[str], error: HostError) -> None:
        journal = self._tools.journal
        journal.write("instance not made", level="error", instance=instance, revision=revision, error=str(error))
        if isinstance(error, HostUnreachable):
            # The engine's trouble, not the revision's; what was made is found and cleared when it answers again.
            self._tools.inventory.expect(instance)
            await self._tools.sleep(RETRY_S)
            return
        final = isinstance(error, Refused | NotFound)
        self._tools.failures.note(revision, str(error).replace(instance, "…"), final=final)
        for container in reversed(made):
            await self._tools.engine.remove(container)
        self._tools.addresses.release(instance)

    async def _start(self, action: StartContainer, instance: Instance, revision: Revision) -> bool:
        made = [each.id for each in instance.containers]
        name = next(each.name for each in instance.containers if each.id == action.container)
        part = revision.part(name)
        async with self._gate:
            try:
                await self._publication.publish(CALLER_WAIT_S)
                told = self._tools.launcher.start_input(part.document) if part else ""
                await self._tools.engine.start(action.container, told)
            except HostError as error:
                await self._give_up(instance.id, instance.key, made, error)
                return False
            finally:
                await self._tools.inventory.refresh_some(made)
        return True

    async def _freeze(self, instance: Instance) -> bool:
        running = [each.id for each in instance.containers if each.state == "running" and each.role == "app"]
        # What is on its way to it is answered first: nobody gets a connection to what is paused.
        if not await self._publication.publish(WITHDRAW_WAIT_S):
            await self._tools.sleep(RETRY_S)
            return False
        await self._drain(instance, lambda: self._publication.is_awake(instance.key))
        if self._publication.is_awake(instance.key):
            # Somebody asks for it again: it serves on.
            return True
        try:
            for each in running:
                await self._tools.engine.pause(each)
        finally:
            await self._tools.inventory.refresh_some(running)
        self._tools.journal.write("instance frozen", instance=instance.id, revision=instance.key)
        return True

    async def _thaw(self, instance: Instance) -> bool:
        paused = [each.id for each in instance.containers if each.state == "paused"]
        try:
            # Those that others depend on come first, as they were started.
            for each in paused:
                await self._tools.engine.resume(each)
        finally:
            await self._tools.inventory.refresh_some(paused)
        self._tools.journal.write("instance thawed", instance=instance.id, revision=instance.key)
        return True

    async def _end_boost(self, instance: Instance, revision: Revision) -> bool:
        limits = {each.id: part.document.cpu_millis for each in instance.boosted if (part := revision.part(each.name))}
        try:
            for container, millis in limits.items():
                await self._tools.engine.limit_cpu(container, millis)
        finally:
            await self._tools.inventory.refresh_some(limits)
        return True

    async def _remove(self, action: RemoveInstance, instance: Instance) -> bool:
        engine, containers = self._tools.engine, [each.id for each in instance.containers]
        # Helpers have nothing to end; the others need what they hold until they are gone.
        running = [
            each.id for each in instance.containers if each.state in ("running", "paused") and each.role != "holder"
        ]
        if action.failure and instance.id not in self._noted:
            await self._note(action, instance)
        await self._publication.publish(WITHDRAW_WAIT_S if running else 0)
        if running:
            if action.drained:
                await self._drain(instance)
            # What is paused hears no stop signal.
            paused = [each.id for each in instance.containers if each.state == "paused"]
            await asyncio.gather(*(engine.resume(each) for each in paused))
            await asyncio.gather(*(engine.stop(each, instance.grace_s) for each in running))
        async with self._gate:
            await asyncio.gather(*(engine.remove(each) for each in containers))
        await self._tools.inventory.refresh_some(containers)
        self._tools.addresses.release(instance.id)
        self._noted.discard(instance.id)
        self._tools.journal.write("instance removed", instance=instance.id, revision=instance.key)
        return True

    async def _note(self, action: RemoveInstance, instance: Instance) -> None:
        # Once for each instance, however often its removal has to be tried.
        self._noted.add(instance.id)
        logs = await self.last_lines(instance)
        failure = self._tools.failures.note(
            instance.key,
            action.failure,
            logs,
            final="startup probe" in action.failure,
            oom=any(each.oom_killed for each in instance.containers),
        )
        self._tools.journal.write(
            "instance failed",
            level="error",
            instance=instance.id,
            revision=instance.key,
            reason=action.failure,
            failures=failure.total,
        )

    async def last_lines(self, instance: Instance) -> tuple[str, ...]:
        """Give the last log lines of an instance, its ended containers' before the others'."""
        lines: list[str] = []
        for container in sorted(instance.containers, key=_telling):
            if container.state == "created":
                continue
            try:
                lines += await self._tools.engine.logs(container.id, LOG_LINES)
            except HostError as error:
                lines.append(f"(no log of container {container.name}: {error})")
        return tuple(shown_line(line) for line in lines[:LOG_LINES])

    async def _drain(self, instance: Instance, enough: Callable[[], bool] = lambda: False) -> None:
        """Let requests under way end, as long as they may take; the stop signal's own grace comes on top."""
        waited = 0.0
        # Asked anew each time: a service that is removed meanwhile has less time.
        while (left := self._publication.drain_s(instance) - waited) > 0 and not enough():
            step = min(left, DRAIN_STEP_S)
            try:
                if await self._tools.gateway.drained(instance.address, step):
                    return
            except HostError as error:
                self._tools.journal.write("in-flight unknown", level="warning", error=str(error))
                return
            waited += step

    def clear_spent(self) -> None:
        """Remove the volumes of instances that are gone, those that the book names and no others."""
        for instance, entry in self._tools.book.spent.items():
            if instance not in self._clearing:
                self._clearing[instance] = asyncio.create_task(self._clear(entry))

    async def _clear(self, entry: BookEntry) -> None:
        try:
            # The directories first: what they are parts of is not in use any more then.
            for volume in reversed(entry.volumes):
                await self._tools.engine.remove_volume(volume)
            self._tools.book.forget(entry.instance)
        except HostError as error:
            self._tools.journal.write("volume left", level="warning", instance=entry.instance, error=str(error))
            await self._tools.sleep(RETRY_S)
        finally:
            del self._clearing[entry.instance]

    async def close(self) -> None:
        """Abandon what is under way; the next orchestrator finds it in the book."""
        tasks = [*self._tasks.values(), *self._clearing.values()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def _with_ids(entry: BookEntry, made: list[str]) -> BookEntry:
    ids = [*made, *[""] * (len(entry.containers) - len(made))]
    booked = [replace(each, id=id_) for each, id_ in zip(entry.containers, ids, strict=True)]
    return replace(entry, containers=tuple(booked))


def _telling(container: Container) -> tuple[bool, bool, str]:
    """Order containers by what their logs tell of a failure: first those that ended as they should not."""
    return container.state != "ended" or container.done, container.state == "running", container.name
