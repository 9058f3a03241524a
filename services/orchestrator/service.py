"""Service: the orchestrator with its engine, gateway, files and listeners, wired together."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from contextlib import AsyncExitStack
from pathlib import Path

from aiohttp import web

from runyard.cgroups import Cgroups
from runyard.contracts import GatewayService
from runyard.errors import UsageError
from runyard.journal import Journal
from runyard.names import CGROUP_DIRECTORY, ROLE_RUN, service_key
from services.orchestrator.api.control import ControlApi
from services.orchestrator.api.listener import CONTROL, READING, Connections, Limits, Place, open_site
from services.orchestrator.api.public import LOCAL_HOSTS
from services.orchestrator.control.orchestrator import Orchestrator
from services.orchestrator.engine.docker.client import open_client
from services.orchestrator.engine.docker.engine import DockerEngine
from services.orchestrator.engine.docker.platform import DockerParts
from services.orchestrator.gateway.base import Base
from services.orchestrator.gateway.client import GatewayClient
from services.orchestrator.gateway.publisher import Publisher
from services.orchestrator.gateway.wake import WakeSocket
from services.orchestrator.health.host import HostRoom
from services.orchestrator.health.prober import Prober
from services.orchestrator.health.probes import ProbeRunner
from services.orchestrator.health.upkeep import Upkeep
from services.orchestrator.instances.addresses import AddressBook
from services.orchestrator.instances.failures import FailureLog
from services.orchestrator.instances.inventory import Inventory, Records
from services.orchestrator.instances.launcher import Launcher
from services.orchestrator.instances.operations import Tools
from services.orchestrator.rollout.joined import Parts
from services.orchestrator.rollout.rollouts import Rollouts
from services.orchestrator.scaling.autoscaler import Autoscaler
from services.orchestrator.scaling.consumption import Consumption
from services.orchestrator.scaling.decisions import DecisionLog
from services.orchestrator.scaling.recorder import Recorder
from services.orchestrator.settings import Settings
from services.orchestrator.store.book import Book
from services.orchestrator.store.claim import ClaimStore
from services.orchestrator.store.desired import DesiredStore
from services.orchestrator.store.documents import DocumentStore
from services.orchestrator.store.interventions import Interventions
from services.orchestrator.store.loads import LoadStore
from services.orchestrator.store.run_book import RunBook
from services.orchestrator.store.secret_values import SecretValues
from services.orchestrator.succession.standby import Fence
from services.orchestrator.timing import Timing
from services.orchestrator.tls.tls import Surroundings, Tls, build_tls

# Docker kills what does not stop in ten seconds; a rollout that is cut off here is simply asked for again.
SHUTDOWN_S = 1.0


async def serve(settings: Settings, journal: Journal) -> None:
    """Lead until cancelled, for whoever has the lease; UsageError if a listener cannot be opened."""
    async with AsyncExitStack() as stack:
        parts, tls = _build(settings, journal, stack)
        parts.tools.launcher.install(journal)
        orchestrator = Orchestrator(parts, tls.cover)
        stack.push_async_callback(orchestrator.close)
        api = ControlApi(orchestrator, journal, tls, parts.claim)
        await _listen(stack, api.control_app(), settings.socket, CONTROL, journal)
        await _listen(stack, api.registry_app(), settings.registry_socket, READING, journal)
        if settings.restrictions_socket is not None:
            await _listen(stack, api.restricting_app(), settings.restrictions_socket, READING, journal)
            # The ledger is no user of ours. Who else has the volume is the meter, by whose usage the ledger goes.
            settings.restrictions_socket.chmod(0o666)
        reading = api.reading_app(tuple(dict.fromkeys((*LOCAL_HOSTS, settings.host))))
        await _listen(stack, reading, (settings.host, settings.port), READING, journal)
        wakes = WakeSocket(settings.wake_socket, orchestrator.hear, journal)
        await _open_wakes(wakes, settings.wake_socket)
        stack.push_async_callback(wakes.close)
        journal.write("started", stack=settings.stack, socket=str(settings.socket))
        async with asyncio.TaskGroup() as group:
            group.create_task(orchestrator.run())
            group.create_task(tls.run())


def fence_of(settings: Settings) -> Fence:
    """Give what kills the part that leads; UsageError if that is nobody or ourselves, HostError if it cannot."""

    async def fence(leader: str) -> None:
        if leader in ("", settings.part):
            raise UsageError(f"the lease must be held by another part of the stack, got {leader!r}")
        docker = open_client(settings.engine)
        try:
            await DockerParts(docker, settings.stack).kill(leader)
        finally:
            await docker.close()

    return fence


def _build(settings: Settings, journal: Journal, stack: AsyncExitStack) -> tuple[Parts, Tls]:
    timing = Timing(time.monotonic, asyncio.sleep)
    docker = open_client(settings.engine)
    engine = DockerEngine(docker, settings.stack)
    wake = asyncio.Event()
    directory, gateway = settings.directory, GatewayClient(settings.gateway_socket, journal)
    store = DesiredStore(directory, journal)
    documents = DocumentStore(directory, settings.stack, settings.verifier, journal)
    values = SecretValues(directory, journal)
    interventions = Interventions(directory, journal)
    if settings.restrictions_socket is None:
        # Without a ledger nobody could lift them.
        interventions.put_restrictions(())
    book = Book(directory, journal)
    tls = build_tls(settings, Surroundings(store, documents, gateway, timing, journal))
    launcher = Launcher(values, settings.launcher_directory, settings.launcher_program, tls.inner_authority)
    attempts = ProbeRunner(engine, launcher.probe_input)
    for each in (engine, gateway, attempts):
        stack.push_async_callback(each.close)
    tools = Tools(
        engine=engine,
        book=book,
        base=Base(directory, settings.gateway_snapshot, journal, loss_of(book, store, documents)),
        launcher=launcher,
        inventory=Inventory(engine, Records(book, documents), journal, timing.clock),
        addresses=AddressBook(directory / "addresses.json", timing.clock),
        gateway=gateway,
        failures=FailureLog(),
        journal=journal,
    )
    parts = Parts(
        tools=tools,
        store=store,
        rollouts=Rollouts(store, tools.base, interventions, journal, wake.set),
        documents=documents,
        values=values,
        interventions=interventions,
        run_book=RunBook(directory, journal),
        run_engine=DockerEngine(docker, settings.stack, ROLE_RUN),
        claim=ClaimStore(directory, settings.stack, journal),
        decisions=DecisionLog(timing.wall),
        # Set by the prober, waited for by the orchestrator: neither has to know the other.
        prober=Prober(attempts, timing, wake.set),
        publisher=Publisher(gateway, journal, timing),
        autoscaler=Autoscaler(Consumption(Cgroups(Path(CGROUP_DIRECTORY)))),
        recorder=Recorder(LoadStore(directory, journal), journal),
        host=HostRoom(Path("/proc"), directory),
        upkeep=Upkeep(DockerParts(docker, settings.stack), settings.parts, settings.part, timing, journal),
        timing=timing,
        wake=wake,
        boot_ms=int(time.time() * 1000),
    )
    return parts, tls


def loss_of(book: Book, store: DesiredStore, documents: DocumentStore) -> Callable[[str, GatewayService], bool]:
    """Tell of a service of the gateway whether it was lost here: with the whole volume, or with a file of its own."""
    all_lost = book.lost

    def lost(key: str, service: GatewayService) -> bool:
        tenant = key.partition("/")[0]
        revisions = {service_key(tenant, share.revision) for share in service.traffic}
        return all_lost or key in store.damaged or not revisions.isdisjoint(documents.damaged)

    return lost


async def _open_wakes(wakes: WakeSocket, path: Path) -> None:
    try:
        await wakes.open()
    except OSError as error:
        raise UsageError(f"listen on {path}: {error.strerror or error}") from error


async def _listen(stack: AsyncExitStack, app: web.Application, place: Place, limits: Limits, journal: Journal) -> None:
    try:
        runner = await open_site(app, place, Connections(limits, journal), SHUTDOWN_S)
    except OSError as error:
        where = str(place) if isinstance(place, Path) else "{}:{}".format(*place)
        raise UsageError(f"listen on {where}: {error.strerror or error}") from error
    stack.push_async_callback(runner.cleanup)
