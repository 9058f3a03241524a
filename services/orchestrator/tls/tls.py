"""TLS: the certificates of a stack, wired from its settings."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

from runyard import names
from runyard.errors import UsageError
from runyard.journal import Journal
from services.orchestrator.gateway.client import GatewayClient
from services.orchestrator.settings import Settings
from services.orchestrator.store.desired import DesiredStore
from services.orchestrator.store.documents import DocumentStore
from services.orchestrator.timing import Timing
from services.orchestrator.tls.caller_identity import CallerIdentity, CallerKeys, OneSide, internal_hosts
from services.orchestrator.tls.certificates import Admin, Certificates, Issuer, Sources, public_hosts
from services.orchestrator.tls.local_issuer import LocalIssuer, open_authority
from services.orchestrator.tls.vault import Vault


@dataclass(frozen=True, slots=True)
class Tls:
    """The certificates, the local CA if there is one, and what names callers if the stack has that.

    `inner_authority` gives the certificate of the CA of `.internal` as PEM. Where callers are not named it is made for
    who asks: a revision of before, to which a rollback goes, still starts.
    """

    certificates: Certificates
    inner_authority: Callable[[], str]
    local: LocalIssuer | None = None
    callers: CallerIdentity | None = None

    async def run(self) -> None:
        """Keep all of it in order until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self.certificates.run())
            if self.callers is not None:
                group.create_task(self.callers.run())

    async def cover(self) -> None:
        """Look at the hosts now; where certificates are made at once, return when the gateway has them."""
        await self.certificates.cover()
        if self.callers is not None:
            await self.callers.certificates.cover()

    def authority(self) -> str:
        """Give the local CA's certificate as PEM; UsageError when certificates come from elsewhere."""
        if self.local is None:
            raise UsageError("this stack has no local CA: the Platform's gateway.tls.mode is not local")
        return self.local.authority()


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What certificates are for and where they go."""

    store: DesiredStore
    documents: DocumentStore
    gateway: GatewayClient
    timing: Timing
    journal: Journal


def build_tls(settings: Settings, around: Surroundings) -> Tls:
    """Build what the settings ask for; without TLS there are no hosts to cover."""
    tls, vault, gateway = settings.tls, Vault(settings.directory / "tls"), around.gateway
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
            return public_hosts(around.store.routes, around.store.rollouts)

    # Opened once, when somebody asks: the launcher does for every container that it starts.
    inner = cache(lambda: _inner_issuer(settings))
    callers = _build_callers(settings, around, inner()) if settings.caller_identity else None
    admin: Admin = OneSide(gateway, internal=False) if callers else gateway
    sources = Sources(vault, issuer, admin, time.time)
    certificates = Certificates(sources, hosts, around.timing, around.journal)
    return Tls(certificates, lambda: inner().authority(), local, callers)


def _inner_vault(settings: Settings) -> Vault:
    # Apart from the certificates of public hosts, which are given by others too.
    return Vault(settings.directory / "callers")


def _inner_issuer(settings: Settings) -> LocalIssuer:
    authority = open_authority(_inner_vault(settings), names.INTERNAL_DOMAIN, settings.stack, time.time())
    return LocalIssuer(authority, time.time)


def _build_callers(settings: Settings, around: Surroundings, issuer: LocalIssuer) -> CallerIdentity:
    vault = _inner_vault(settings)

    def hosts() -> frozenset[str]:
        return internal_hosts(each.uses for each in around.documents.revisions.values())

    sources = Sources(vault, issuer, OneSide(around.gateway, internal=True), time.time)
    return CallerIdentity(
        CallerKeys(vault, settings.stack, around.gateway, time.time, around.journal),
        Certificates(sources, hosts, around.timing, around.journal),
        around.timing,
    )
