"""Host of the provider's resources: the kinds, joined to one engine and to the orchestrators on it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager

from provider.certificate import Certificate
from provider.claim import Claim
from provider.configuration import GatewayConfiguration
from provider.connection import Connections, Observation, Orchestrator
from provider.firewall import FirewallRules
from provider.image import Images
from provider.key import SigningKey
from provider.kind import Kind
from provider.receivers import Receivers
from provider.rollout import Rollouts
from provider.service import Around, Service
from provider.sweep import Sweep
from runyard import host
from runyard.contracts import ImageIdentity, ServiceRequest
from runyard.host.alertmanager import AlertmanagerHost
from runyard.host.credentials import load_credentials
from runyard.host.firewall import FirewallHost
from runyard.host.gateway import GatewayHost


class Host:
    """The Docker host that DOCKER_HOST names, and what an update does there."""

    def __init__(
        self, check: Callable[[], None], tell: Callable[[str], None], reviewed: Mapping[str, ImageIdentity]
    ) -> None:
        """Ask `check` before anything is changed, and show lines with `tell`; the engine is looked for when needed.

        `reviewed` has the images of the plan that the update is held to.
        """
        self._reviewed = reviewed
        self._found: host.Engine | None = None
        self._connections = Connections(self._connect, check=check)
        # One of its own, as it waits most of the time.
        self._watches = Connections(self._connect, limit=1)
        self._holdings = Observation(self._connections.lend).holdings
        self._rollouts: dict[str, Rollouts] = {}
        self._turn = threading.Lock()
        self._tell = tell

    def kinds(self) -> Mapping[str, Kind]:
        """Give every kind of resource by its short name."""
        lend, engine = self._connections.lend, self._engine
        images = Images(engine, load_credentials, reviewed=self._reviewed)
        around = Around(images, lend, self._holdings, self._carry_out, self._tell)
        return {
            "Certificate": Certificate(lend, self._holdings),
            "Claim": Claim(self._claim, self._holdings),
            "FirewallRules": FirewallRules(lambda stack: FirewallHost(engine(), stack), self._tell),
            "GatewayConfiguration": GatewayConfiguration(lambda stack: GatewayHost(engine(), stack)),
            "Receivers": Receivers(lambda stack: AlertmanagerHost(engine(), stack)),
            "Service": Service(around),
            "SigningKey": SigningKey(),
            "Sweep": Sweep(engine, self._release),
        }

    def cancel(self) -> None:
        """Let nobody wait for a rollout any more."""
        with self._turn:
            for each in self._rollouts.values():
                each.cancel()

    def _engine(self) -> host.Engine:
        """Connect at the first use: a preview goes on without an engine, and HostUnreachable says so to the rest."""
        with self._turn:
            if self._found is None:
                self._found = host.Engine()
            return self._found

    def _carry_out(self, request: ServiceRequest, stack: str) -> None:
        with self._turn:
            if stack not in self._rollouts:
                self._rollouts[stack] = Rollouts(stack, self._connections.lend, self._watches.lend)
            rollouts = self._rollouts[stack]
        rollouts.carry_out(request)

    def _claim(self, stack: str, text: str) -> None:
        # Here, as claims know plans and manifests, which take longer to import than most updates need.
        from runyard.host.claims import hand_over

        with self._connections.lend(stack) as orchestrator:
            hand_over(self._engine(), orchestrator, stack, text)

    def _release(self, stack: str) -> None:
        from runyard.host.claims import release

        release(self._engine(), stack)

    @contextmanager
    def _connect(self, stack: str) -> Iterator[Orchestrator]:
        with closing(host.Orchestrator(self._engine(), stack)) as subject:
            yield subject
