"""The gateway as a peer: all of it (log, counts, limits, request id), changed by the snapshots of the orchestrator."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from runyard.contracts import Limits
from tests.bench.peers import process
from tests.bench.peers.peer import Peer
from tests.unit.services.gateway.nginx import Gateway, endpoints, make_gateway, service


class OurGateway(Peer):
    """The gateway with one worker, and one service."""

    name = "gateway"
    change = "snapshot"
    health = "5 failures in a row, any 5xx or silence, eject for 1 s, 2 s, 4 s; a ping after 1 s of silence"
    # Hosts of the requests, and services that they name in turn; each service has instances of its own.
    hosts = 1
    services = 1
    workers = 1
    limits = Limits()

    def start(self) -> None:
        """Start it on its core and push the first snapshot."""
        self.revision = 1
        with process.on_core(process.SYSTEM_CORE):
            # As many connections as the peers may have.
            self.gateway: Gateway = make_gateway(self.directory, workers=self.workers, worker_connections=4096)
            self.gateway.wrapper = tuple(self.wrapper)
            self.gateway.start()
        self.process, self.port = self.gateway.process, self.gateway.edge_port
        self.route(self.instances)

    def stop(self) -> None:
        """End it."""
        self.process = None
        self.gateway.stop()

    def prepare(self) -> Sequence[str | Path]:
        """Nothing: `make_gateway` writes the configuration."""
        raise NotImplementedError

    def route(self, instances: Sequence[int]) -> None:
        """Push the revision's endpoints, as the orchestrator does when an instance comes or goes."""
        self.instances = list(instances)
        self._push({self.revision: instances})

    def roll(self, instances: Sequence[int]) -> None:
        """Add the new revision's endpoints, move the traffic, and only then take the old one's away."""
        before, self.instances = self.instances, list(instances)
        self._push({self.revision: before, self.revision + 1: instances})
        self.revision += 1
        self._push({self.revision - 1: before, self.revision: instances})
        self._push({self.revision: instances})

    def host_names(self) -> list[str]:
        """Name the hosts that it answers."""
        return ["hello.localhost", *(f"s{number}.localhost" for number in range(1, self.hosts))]

    def _push(self, revisions: dict[int, Sequence[int]]) -> None:
        names = ["hello", *(f"s{number}" for number in range(1, self.services))]
        self.gateway.push(
            services={
                f"default/{name}": service(
                    (f"{name}-{self.revision}", 100), timeout_s=self.answer_s, limits=self.limits
                )
                for name in names
            },
            hosts={host: f"default/{names[at % len(names)]}" for at, host in enumerate(self.host_names())},
            endpoints={
                f"default/{name}-{revision}": endpoints(*(ports if self.services == 1 else [ports[number]]))
                for number, name in enumerate(names)
                for revision, ports in revisions.items()
            },
        )


class EveryLimit(OurGateway):
    """The same with every limit of runyard.dev/ in force, none of them met."""

    name = "gateway, every limit"
    limits = Limits(
        requests_per_second=1_000_000,
        tenant_requests_per_second=1_000_000,
        client_requests_per_second=1_000_000,
        concurrent_requests=1000,
    )


class ManyRoutes(OurGateway):
    """The same with 200 hosts of one service, which the requests name in turn."""

    name = "gateway, 200 routes"
    hosts = 200


class ManyServices(OurGateway):
    """The same with 200 services of one host and one instance each."""

    name = "gateway, 200 services"
    hosts = services = most_instances = 200


class ThousandServices(OurGateway):
    """The same with 1,000."""

    name = "gateway, 1,000 services"
    hosts = services = most_instances = 1000


class FourWorkers(OurGateway):
    """The gateway with four workers on its one core: what they do to agree on counts and limits costs time there."""

    name = "gateway, four workers"
    workers = 4
