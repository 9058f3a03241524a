"""TLS: the certificates of a stack, wired from its settings."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from runyard.errors import UsageError
from runyard.journal import Journal
from services.orchestrator.gateway.client import GatewayClient
from services.orchestrator.settings import Settings
from services.orchestrator.store.desired import DesiredStore
from services.orchestrator.timing import Timing
from services.orchestrator.tls.certificates import Certificates, Issuer, Sources, public_hosts
from services.orchestrator.tls.local_issuer import LocalIssuer, open_authority
from services.orchestrator.tls.vault import Vault


@dataclass(frozen=True, slots=True)
class Tls:
    """The certificates, and the local CA if there is one."""

    certificates: Certificates
    local: LocalIssuer | None = None

    def authority(self) -> str:
        """Give the local CA's certificate as PEM; UsageError when certificates come from elsewhere."""
        if self.local is None:
            raise UsageError("this stack has no local CA: the Platform's gateway.tls.mode is not local")
        return self.local.authority()


def build_tls(settings: Settings, store: DesiredStore, gateway: GatewayClient, timing: Timing, journal: Journal) -> Tls:
    """Build what the settings ask for; without TLS there are no hosts to cover."""
    tls, vault = settings.tls, Vault(settings.directory / "tls")
    local = None
    issuer: Issuer | None = None
    if tls.mode == "local":
        issuer = local = LocalIssuer(open_authority(vault, tls.domain, settings.stack, time.time()), time.time)
    elif tls.mode == "acme":
        # Here, because it takes a quarter of a second and 20 MiB that nobody else needs.
        from services.orchestrator.tls.acme_issuer import AcmeIssuer

        issuer = AcmeIssuer(tls, vault, gateway, time.time)
    hosts: Callable[[], frozenset[str]] = frozenset
    if tls.mode != "none":

        def hosts() -> frozenset[str]:
            return public_hosts(store.routes, store.rollouts)

    return Tls(Certificates(Sources(vault, issuer, gateway, time.time), hosts, timing, journal), local)
