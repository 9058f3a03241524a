"""A small world for the orchestrator: an engine, a gateway, a clock and probes that exist in memory only."""

from __future__ import annotations

import asyncio
import base64
import copy
import heapq
import itertools
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from runyard import names
from runyard.cgroups import Usage
from runyard.contracts import (
    ContainerDocument,
    ImageIdentity,
    Probe,
    RevisionDocument,
    RolloutRequest,
    RouteRequest,
    ServiceRequest,
    SignedRevision,
    encode,
)
from runyard.errors import Conflict, HostError, HostUnreachable, NotFound, UsageError
from services.orchestrator.api.control import ControlApi
from services.orchestrator.control.orchestrator import Orchestrator
from services.orchestrator.engine.docker.engine import DockerEngine
from services.orchestrator.engine.docker.platform import DockerParts
from services.orchestrator.engine.port import Event
from services.orchestrator.gateway.base import Base
from services.orchestrator.gateway.publisher import Publisher
from services.orchestrator.health.host import HostRoom
from services.orchestrator.health.prober import Prober
from services.orchestrator.health.probes import Target
from services.orchestrator.health.upkeep import Upkeep
from services.orchestrator.instances.addresses import AddressBook
from services.orchestrator.instances.failures import FailureLog
from services.orchestrator.instances.inventory import Inventory, Records
from services.orchestrator.instances.launcher import Launcher
from services.orchestrator.instances.operations import Tools
from services.orchestrator.model.pair import Pair
from services.orchestrator.rollout.ending import RolloutFailed, RolloutSuperseded
from services.orchestrator.rollout.joined import Parts
from services.orchestrator.rollout.rollouts import Rollouts
from services.orchestrator.scaling.autoscaler import Autoscaler
from services.orchestrator.scaling.consumption import Consumption
from services.orchestrator.scaling.decisions import DecisionLog
from services.orchestrator.scaling.recorder import Recorder
from services.orchestrator.service import loss_of
from services.orchestrator.store.book import Book
from services.orchestrator.store.claim import ClaimStore
from services.orchestrator.store.desired import DesiredStore
from services.orchestrator.store.documents import DocumentStore
from services.orchestrator.store.interventions import Interventions
from services.orchestrator.store.loads import LoadStore
from services.orchestrator.store.run_book import RunBook
from services.orchestrator.store.secret_values import SecretValues
from services.orchestrator.store.signature import Verifier
from services.orchestrator.timing import Timing
from services.orchestrator.tls.authority import create_authority
from services.orchestrator.tls.certificates import Certificates, Sources, public_hosts
from services.orchestrator.tls.local_issuer import LocalIssuer
from services.orchestrator.tls.tls import Tls
from services.orchestrator.tls.vault import Vault

from .fake_gateway import FakeGateway

STACK = "test"
# The wall clock, which stands still: 2026-11-23 12:00 UTC.
NOW = 1_795_435_200.0
NETWORK = "runyard.test.tenant.default"
SUBNET = "10.130.0.0/24"
IMAGE = "sha256:abc"
Json = dict[str, Any]
# The stack's key, and one of somebody else.
SIGNING_KEY, FOREIGN_KEY = (Ed25519PrivateKey.from_private_bytes(bytes([number]) * 32) for number in (1, 2))
PUBLIC_KEY = base64.b64encode(SIGNING_KEY.public_key().public_bytes_raw()).decode()


class FakeClock:
    """A clock that stands still until it is told to go on."""

    def __init__(self, now: float = 1000.0) -> None:
        self.now = now
        self._sleepers: list[tuple[float, int, asyncio.Future[None]]] = []
        self._order = itertools.count()

    def __call__(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        heapq.heappush(self._sleepers, (self.now + seconds, next(self._order), future))
        await future

    async def advance(self, seconds: float) -> None:
        """Let time pass, waking each sleeper at its own moment."""
        end = self.now + seconds
        await self.quiet()
        while self._sleepers and self._sleepers[0][0] <= end:
            self.now, _, future = heapq.heappop(self._sleepers)
            if not future.done():
                future.set_result(None)
                await self.quiet()
        self.now = end

    async def quiet(self) -> None:
        """Let every task run until it waits for something."""
        await quiet()


async def quiet() -> None:
    """Let every task run until it waits for something: time, or an answer that a test holds back."""
    for _ in range(60):
        await asyncio.sleep(0)


class ListJournal:
    """A journal to look into."""

    def __init__(self) -> None:
        self.entries: list[tuple[str, Json]] = []

    def write(self, event: str, **fields: Any) -> None:
        self.entries.append((event, fields))

    def events(self) -> list[str]:
        return [event for event, _ in self.entries]


class FakeAdmin:
    """The gateway's certificates in memory; it can be away, or find a name's certificate broken."""

    def __init__(self) -> None:
        self.pairs: dict[str, Pair] = {}
        self.sent: list[str] = []
        self.challenges: dict[str, str] = {}
        self.broken: set[str] = set()
        self.away = False

    def _enter(self) -> None:
        if self.away:
            raise HostError("ask the gateway: connection refused")

    async def certificates(self) -> Mapping[str, str]:
        self._enter()
        return {name: pair.digest() for name, pair in self.pairs.items()}

    async def put_certificate(self, name: str, pair: Pair) -> None:
        self._enter()
        self.sent.append(name)
        if name in self.broken:
            raise UsageError(f"certificate {name}: refused by the gateway: broken")
        self.pairs[name] = pair

    async def delete_certificate(self, name: str) -> None:
        self._enter()
        self.pairs.pop(name, None)

    async def put_challenge(self, token: str, answer: str) -> None:
        self._enter()
        self.challenges[token] = answer

    async def delete_challenge(self, token: str) -> None:
        self._enter()
        self.challenges.pop(token, None)


class FakeEngine:
    """Docker as its client shows it: containers are descriptions in its own words, beneath the seam."""

    def __init__(self) -> None:
        self.containers: dict[str, Json] = {}
        self.calls: list[tuple[str, str]] = []
        self.errors: dict[str, HostError] = {}
        self.output: dict[str, tuple[str, ...]] = {}
        self.exits_at_once: dict[str, int] = {}
        # How containers end that are there to end, by their names in the document.
        self.ends: dict[str, int] = {names.PREPARER: 0}
        self.volumes: dict[str, Json] = {}
        self.exit_code = 0
        self.away = False
        self.images: dict[str, Json] = {IMAGE: {"Id": IMAGE, "Config": {"Cmd": ["serve"], "Env": ["PATH=/bin"]}}}
        self.registry: dict[str, Json] = {}
        # What came on standard input, by container or by command.
        self.inputs: dict[str, str] = {}
        self._ids = itertools.count(1)
        # Set whenever a container ends or goes.
        self._ending = asyncio.Event()
        self._events: asyncio.Queue[Event | None] = asyncio.Queue()
        self.part_events: asyncio.Queue[Event | None] = asyncio.Queue()

    def _enter(self, verb: str, what: str = "") -> None:
        self.calls.append((verb, what))
        if self.away:
            raise HostUnreachable(f"{verb}: connection refused")
        if verb in self.errors:
            raise self.errors[verb]

    def _get(self, container: str) -> Json:
        if container not in self.containers:
            raise NotFound(f"container {container} is not there")
        return self.containers[container]

    async def ping(self) -> None:
        self._enter("ping")

    async def list(self, labels: Mapping[str, str]) -> dict[str, str]:
        self._enter("list")
        return {
            key: each["State"]["Status"]
            for key, each in self.containers.items()
            if labels.items() <= each["Config"]["Labels"].items()
        }

    async def inspect(self, container: str) -> Json:
        self._enter("inspect", container)
        named = next((key for key, each in self.containers.items() if each["Name"] == f"/{container}"), container)
        return copy.deepcopy(self._get(named))

    async def inspect_network(self, network: str) -> Json:
        self._enter("inspect_network", network)
        used = {
            key: {"IPv4Address": f"{each['NetworkSettings']['Networks'][network]['IPAMConfig']['IPv4Address']}/24"}
            for key, each in self.containers.items()
            if network in each["NetworkSettings"]["Networks"] and each["State"]["Status"] == "running"
        }
        return {"Name": network, "IPAM": {"Config": [{"Subnet": SUBNET}]}, "Containers": used}

    async def inspect_image(self, reference: str) -> Json:
        self._enter("inspect_image", reference)
        if reference not in self.images:
            raise NotFound(f"inspect image {reference}: no such image")
        return self.images[reference]

    async def pull(self, reference: str) -> None:
        self._enter("pull", reference)
        if reference not in self.registry:
            raise NotFound(f"pull {reference}: not found")
        self.images[self.registry[reference]["Id"]] = self.registry[reference]

    async def create_volume(self, name: str, labels: Mapping[str, str], options: Mapping[str, str]) -> Json:
        self._enter("create_volume", name)
        made = {"Name": name, "Labels": dict(labels), "Options": dict(options) or None, "Mountpoint": f"/engine/{name}"}
        return self.volumes.setdefault(name, made)

    async def users(self, volume: str) -> tuple[str, ...]:
        self._enter("users", volume)
        found = [
            str(each["Name"]).lstrip("/")
            for each in self.containers.values()
            if volume in [mount["Name"] for mount in each["Mounts"]] and each["State"]["Status"] == "running"
        ]
        return tuple(sorted(found))

    async def remove_volume(self, name: str) -> None:
        self._enter("remove_volume", name)
        if any(name in [mount["Name"] for mount in each["Mounts"]] for each in self.containers.values()):
            raise Conflict(f"remove volume {name}: volume is in use")
        self.volumes.pop(name, None)

    async def close(self) -> None:
        self._enter("close")

    async def create(self, name: str, config: Json) -> str:
        self._enter("create", name)
        if config["Image"] not in self.images:
            raise NotFound(f"create container {name}: no such image: {config['Image']}")
        return self.add(name, config)

    def add(self, name: str, config: Json) -> str:
        """Put a container there, created and not started."""
        container = f"{next(self._ids):064x}"
        networks = config.get("NetworkingConfig", {}).get("EndpointsConfig", {})
        host = config.get("HostConfig", {})
        networks = networks or ({"none": {"IPAMConfig": None}} if host.get("NetworkMode") == "none" else {})
        self.containers[container] = {
            "Id": container,
            "Name": f"/{name}",
            "Image": config.get("Image", "sha256:0"),
            "Config": {key: value for key, value in config.items() if key not in ("HostConfig", "NetworkingConfig")},
            "HostConfig": copy.deepcopy(host),
            "Mounts": [
                {"Name": each["Source"], "Destination": each["Target"], "RW": not each["ReadOnly"]}
                for each in host.get("Mounts", ())
            ],
            "NetworkSettings": {"Networks": copy.deepcopy(networks)},
            "State": {"Status": "created", "ExitCode": 0, "OOMKilled": False},
        }
        return container

    async def start(self, container: str, standard_input: str = "") -> None:
        self._enter("start", container)
        self.inputs[container] = standard_input
        labels = self._get(container)["Config"]["Labels"]
        code = self.exits_at_once.get(labels[names.REVISION], self.ends.get(labels[names.CONTAINER]))
        self._get(container)["State"] = {
            "Status": "running" if code is None else "exited",
            "ExitCode": code or 0,
            "StartedAt": "2026-11-23T12:00:00.123456789Z",
        }

    async def pause(self, container: str) -> None:
        self._enter("pause", container)
        assert self._get(container)["State"]["Status"] == "running"
        self.containers[container]["State"]["Status"] = "paused"

    async def resume(self, container: str) -> None:
        self._enter("resume", container)
        assert self._get(container)["State"]["Status"] == "paused"
        self.containers[container]["State"]["Status"] = "running"

    async def update(self, container: str, limits: Mapping[str, int]) -> None:
        self._enter("update", container)
        self._get(container)["HostConfig"].update(limits)

    def die(self, container: str, exit_code: int, *, oom: bool = False) -> None:
        """End a container as its own process would."""
        self.containers[container]["State"] = {"Status": "exited", "ExitCode": exit_code, "OOMKilled": oom}
        self._ending.set()
        self.tell("die", container)

    async def kill(self, container: str) -> None:
        self._enter("kill", container)
        self._get(container)["State"] = {"Status": "exited", "ExitCode": 137}

    async def stop(self, container: str, grace_s: int) -> None:
        self._enter("stop", container)
        if container in self.containers:
            self.containers[container]["State"] = {"Status": "exited", "ExitCode": 0}
            self._ending.set()

    async def wait(self, container: str, within_s: float) -> None:
        self._enter("wait", container)
        while self.containers.get(container, {"State": {"Status": ""}})["State"]["Status"] == "running":
            self._ending.clear()
            await self._ending.wait()

    async def remove(self, container: str) -> None:
        self._ending.set()
        self._enter("remove", container)
        self.containers.pop(container, None)

    async def logs(self, container: str, lines: int) -> tuple[str, ...]:
        self._enter("logs", container)
        labels = self._get(container)["Config"]["Labels"]
        own = self.output.get(labels[names.CONTAINER], ())
        return (own or self.output.get(labels[names.REVISION], ()))[-lines:]

    async def run(self, container: str, command: tuple[str, ...], standard_input: str = "") -> int:
        self._enter("run", container)
        self.inputs[" ".join(command)] = standard_input
        return self.exit_code

    def tell(self, event: str, container: str) -> None:
        """Tell of something that happened to a container."""
        self._events.put_nowait(Event(container, event not in ("connect", "disconnect")))

    async def events(self, labels: Mapping[str, str]) -> AsyncIterator[Event]:
        while (event := await self._events.get()) is not None:
            yield event

    async def container_events(self, labels: Mapping[str, str]) -> AsyncIterator[Event]:
        while (event := await self.part_events.get()) is not None:
            yield event

    def reopen_events(self) -> None:
        """Forget who listened, and what was not heard: another event loop listens from now on."""
        self._events, self.part_events = asyncio.Queue(), asyncio.Queue()

    def cut_events(self) -> None:
        """End the stream of events, as a restarting engine does."""
        self._events.put_nowait(None)

    def clones(self, state: str | None = None) -> list[str]:
        """Give the ids of instances' containers in this state."""
        return [
            key
            for key, each in self.containers.items()
            if each["Config"]["Labels"].get(names.ROLE) == names.ROLE_INSTANCE
            and state in (None, each["State"]["Status"])
        ]


class FakeAttempts:
    """Probes that pass unless their container's answer says otherwise."""

    def __init__(self) -> None:
        self.answers: dict[str, str | None] = {}
        self.default: str | None = ""
        self.seen: list[tuple[Probe, Target]] = []

    async def attempt(self, probe: Probe, target: Target) -> str | None:
        self.seen.append((probe, target))
        return self.answers.get(target.container, self.default)


class FakeMeter:
    """What containers use: nothing, unless a test says otherwise; None cannot be read."""

    def __init__(self) -> None:
        self.usage: dict[str, Usage | None] = {}

    def read(self, container: str) -> Usage | None:
        return self.usage.get(container, Usage(0, 0))

    def keep(self, containers: set[str]) -> None:
        """Forget nothing: what a test says stands."""


def container(name: str = "app", **fields: Any) -> ContainerDocument:
    """Describe a container of a document."""
    return ContainerDocument(name, "hello:1", **{"memory_bytes": 64 * 2**20, "pids_limit": 64, **fields})


def document(name: str = "hello-1", *containers: ContainerDocument, **fields: Any) -> RevisionDocument:
    """Describe a revision as the plan and the provider would; without containers it has one."""
    held = containers or (container(),)
    given = {
        "stack": STACK,
        "tenant": "default",
        "service": "hello",
        "name": name,
        "identity": name,
        "digest": names.digest(name),
        "network": names.tenant_network(STACK, fields.get("tenant", "default")),
        "gateway_address": "10.130.1.1",
        "containers": held,
        "termination_grace_s": 3,
        "images": {each.name: ImageIdentity(IMAGE) for each in (*held, *fields.get("init_containers", ()))},
        **fields,
    }
    return RevisionDocument(**given)


def sign(document: RevisionDocument, key: Ed25519PrivateKey = SIGNING_KEY) -> SignedRevision:
    """Sign a document as the provider does."""
    text = encode(document)
    return SignedRevision(text, base64.b64encode(key.sign(text.encode())).decode())


def service_request(
    request: RolloutRequest, documents: list[RevisionDocument], route: RouteRequest | None = None, **fields: Any
) -> ServiceRequest:
    """Ask for a service as an update does; documents are given oldest first."""
    route = route or RouteRequest(request.tenant, request.service, ())
    return ServiceRequest(route, request, tuple(sign(each) for each in reversed(documents)), **fields)


class World:
    """An orchestrator with everything around it faked, driven pass by pass."""

    def __init__(
        self,
        directory: Path,
        engine: FakeEngine | None = None,
        gateway: FakeGateway | None = None,
        *,
        boot_ms: int = 0x100,
        clock: FakeClock | None = None,
    ) -> None:
        self.engine = engine or FakeEngine()
        self.clock = clock or FakeClock()
        self.gateway = gateway or FakeGateway()
        self.gateway.sleep, self.gateway.clock = self.clock.sleep, self.clock
        self.journal = ListJournal()
        self.attempts = FakeAttempts()
        self.meter = FakeMeter()
        self.directory = directory
        self.documents: list[RevisionDocument] = []
        self.values: dict[str, str] = {}
        timing = Timing(self.clock, self.clock.sleep, wall=self.clock)
        self.parts = self._join(directory, timing, boot_ms)
        self.issuer = LocalIssuer(create_authority("localhost", STACK, NOW), lambda: NOW)
        self.admin = FakeAdmin()
        self.certificates = Certificates(
            Sources(Vault(directory / "tls"), self.issuer, self.admin, lambda: NOW),
            lambda: public_hosts(self.parts.store.routes, self.parts.store.rollouts),
            timing,
            self.journal,
        )
        self.tls = Tls(self.certificates, self.issuer.authority, self.issuer)
        self.orchestrator = Orchestrator(self.parts, self.certificates.cover)
        self.claim = self.parts.claim
        self.api = ControlApi(self.orchestrator, self.journal, self.tls, self.claim)
        self._task: asyncio.Task[None] | None = None

    def _join(self, directory: Path, timing: Timing, boot_ms: int) -> Parts:
        wake = asyncio.Event()
        store = DesiredStore(directory, self.journal)
        held = DocumentStore(directory, STACK, Verifier(PUBLIC_KEY), self.journal)
        book, engine = Book(directory, self.journal), DockerEngine(self.engine, STACK)
        values = SecretValues(directory, self.journal)
        interventions = Interventions(directory, self.journal)
        (directory / "program").write_bytes(b"program")
        launcher = Launcher(values, directory / "launcher", directory / "program", lambda: self.issuer.authority())
        launcher.install(self.journal)
        tools = Tools(
            engine=engine,
            book=book,
            base=Base(directory, directory / "gateway.json", self.journal, loss_of(book, store, held)),
            launcher=launcher,
            inventory=Inventory(engine, Records(book, held), self.journal, self.clock),
            addresses=AddressBook(directory / "addresses.json", self.clock),
            gateway=self.gateway,
            failures=FailureLog(),
            journal=self.journal,
            sleep=self.clock.sleep,
        )
        return Parts(
            tools=tools,
            store=store,
            rollouts=Rollouts(store, tools.base, interventions, self.journal, wake.set),
            documents=held,
            values=values,
            interventions=interventions,
            run_book=RunBook(directory, self.journal),
            run_engine=DockerEngine(self.engine, STACK, names.ROLE_RUN),
            claim=ClaimStore(directory, STACK, self.journal),
            decisions=DecisionLog(timing.wall),
            prober=Prober(self.attempts, timing, wake.set),
            publisher=Publisher(self.gateway, self.journal, timing),
            autoscaler=Autoscaler(Consumption(self.meter)),
            recorder=Recorder(LoadStore(directory, self.journal), self.journal),
            host=HostRoom(directory / "proc", directory),
            upkeep=Upkeep(DockerParts(self.engine, STACK), (), "orchestrator", timing, self.journal),
            timing=timing,
            wake=wake,
            boot_ms=boot_ms,
        )

    async def __aenter__(self) -> World:
        self._task = asyncio.create_task(self.orchestrator.run())
        await quiet()
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._task is not None
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)
        await self.orchestrator.close()

    def add(self, revision: str = "hello-1", *containers: ContainerDocument, **fields: Any) -> RevisionDocument:
        """Have a document for the next request, as an update has it from its plan."""
        made = document(revision, *containers, **fields)
        self.documents = [*(each for each in self.documents if each.identity != made.identity), made]
        return made

    def request(self, rollout: RolloutRequest, route: RouteRequest | None = None) -> ServiceRequest:
        """Ask for a service with all of its documents that were added."""
        mine = [each for each in self.documents if (each.tenant, each.service) == (rollout.tenant, rollout.service)]
        kept = self.parts.store.routes.get(names.service_key(rollout.tenant, rollout.service))
        return service_request(rollout, mine, route or kept, values=self.values)

    async def roll_out(self, rollout: RolloutRequest, route: RouteRequest | None = None) -> None:
        """Put a service and wait for its outcome, as an update does; RolloutError if it is not ready."""
        accepted = self.orchestrator.put_service(self.request(rollout, route))
        last = 0
        while True:
            told = await self.orchestrator.outcomes(last, 30)
            last = told.last
            for each in told.outcomes:
                if (each.rollout, each.outcome) == (accepted.rollout, "ready"):
                    return
                if (each.rollout, each.outcome) == (accepted.rollout, "superseded"):
                    raise RolloutSuperseded(each.detail)
                if each.rollout == accepted.rollout:
                    raise RolloutFailed(each.detail, each.logs)

    async def pass_time(self, seconds: float) -> None:
        """Let time pass."""
        await self.clock.advance(seconds)


def in_world(test: Callable[[World], Coroutine[Any, Any, None]]) -> Callable[[Path], None]:
    """Run a test inside a running world."""

    def run(tmp_path: Path) -> None:
        async def whole() -> None:
            async with World(tmp_path) as world:
                await test(world)

        asyncio.run(whole())

    run.__name__ = test.__name__
    return run
