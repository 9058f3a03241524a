"""Scope: the one place where what is read is cut down to a tenant, and where a role says what may be read.

Whatever answers a member has a Scope and nothing else: neither registry nor ledger nor audit log is reached past it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from http import HTTPStatus
from typing import Literal, Protocol, TypeVar

from runyard.contracts import InstanceStatus, RevisionStatus, ScalingDecision, ServiceStatus
from runyard.dashboards import PanelReading, Span
from services.console.adapters.audit import Actor, AuditLog, Entry
from services.console.adapters.ledger import Ledger, Row
from services.console.adapters.metrics import Metrics
from services.console.adapters.registry import Registry
from services.console.adapters.users import Membership, Role
from services.console.identity.accounts import SignedIn
from services.console.refusal import Refusal, SourceUnavailable

Right = Literal["services", "usage", "invoices", "audit"]
# Who may read what.
RIGHTS: Mapping[Right, frozenset[Role]] = {
    "services": frozenset({"owner", "developer", "viewer", "billing"}),
    "usage": frozenset({"owner", "developer", "billing"}),
    "invoices": frozenset({"owner", "billing"}),
    "audit": frozenset({"owner"}),
}


class _Owned(Protocol):
    """What every listed thing says of itself."""

    @property
    def tenant(self) -> str:
        """Whose it is."""
        ...

    @property
    def service(self) -> str:
        """Which service it belongs to."""
        ...


Owned = TypeVar("Owned", bound=_Owned)


@dataclass(frozen=True, slots=True)
class Sources:
    """All that there is to read, of every tenant; `metrics` where the stack keeps them."""

    registry: Registry
    ledger: Ledger
    audit: AuditLog
    metrics: Metrics | None = None


@dataclass(frozen=True, slots=True)
class ServiceView:
    """All that is seen of one service at a moment."""

    status: ServiceStatus
    revisions: Sequence[RevisionStatus]
    instances: Sequence[InstanceStatus]
    decisions: Sequence[ScalingDecision]


@dataclass(frozen=True, slots=True)
class Scope:
    """What a member sees of one tenant."""

    membership: Membership
    _sources: Sources

    def services(self) -> Sequence[ServiceView]:
        """List the tenant's services by name; SourceUnavailable where the orchestrator does not answer."""
        seen = self._sources.registry.seen()
        revisions, instances = self._its(seen.status.revisions), self._its(seen.instances.instances)
        decisions = self._its(seen.decisions.decisions)
        return [
            ServiceView(
                each,
                _of_service(revisions, each.service),
                _of_service(instances, each.service),
                _of_service(decisions, each.service),
            )
            for each in sorted(self._its(seen.status.services), key=lambda each: each.service)
        ]

    def generation(self) -> int:
        """Give the number of the gateway's last snapshot, which tells nothing of whose it is."""
        return self._sources.registry.seen().status.generation

    def service(self, name: str) -> ServiceView:
        """Give one service; Refusal 404 where the tenant has none of this name."""
        for each in self.services():
            if each.status.service == name:
                return each
        raise Refusal(HTTPStatus.NOT_FOUND, f"service {name}: must be one of tenant {self.membership.tenant}")

    def panels(self, name: str, minutes: int) -> tuple[Span, Sequence[PanelReading]] | None:
        """Give the panels of one service, None where the stack keeps no metrics; errors as in `service`."""
        found = self.service(name).status
        metrics = self._sources.metrics
        return metrics.service(found.tenant, found.service, minutes) if metrics else None

    def rows(self, report: Literal["usage", "cost"], days: tuple[date, date]) -> Sequence[Row]:
        """Give usage or cost by service and day; errors as in `Ledger.rows`."""
        rows = self._sources.ledger.rows(report, self.membership.tenant, days)
        return [each for each in rows if each["tenant"] == self.membership.tenant]

    def statement(self, month: str) -> Mapping[str, object]:
        """Give what the tenant pays for a month; errors as in `Ledger.rows`."""
        told = self._sources.ledger.statement(self.membership.tenant, month)
        if told["tenant"] != self.membership.tenant:
            raise SourceUnavailable("ask the ledger: it answered of another tenant")
        return told

    def audit(self, before: int | None, limit: int) -> Sequence[Entry]:
        """Give the tenant's part of the audit log, from new to old."""
        return self._sources.audit.page(self.membership.tenant, before, limit)

    def _its(self, things: Iterable[Owned]) -> Sequence[Owned]:
        return [each for each in things if each.tenant == self.membership.tenant]


def enter(who: SignedIn, tenant: str, right: Right, sources: Sources, address: str) -> Scope:
    """Give the scope of a tenant to a member whose role has a right; every refusal is in the tenant's audit log.

    Refusal 404 for a tenant of which somebody is no member, whether there is one or not, and 403 without the right.
    """
    membership = next((each for each in who.memberships if each.tenant == tenant), None)
    if membership is not None and membership.role in RIGHTS[right]:
        return Scope(membership, sources)
    sources.audit.write(Actor(who.user.email, address), f"read {right}", "refused", tenant=tenant)
    if membership is None:
        raise Refusal(HTTPStatus.NOT_FOUND, f"tenant {tenant}: must be one of which you are a member")
    allowed = ", ".join(sorted(RIGHTS[right]))
    raise Refusal(HTTPStatus.FORBIDDEN, f"{right}: role must be one of {allowed}, got {membership.role}")


def _of_service(things: Sequence[Owned], service: str) -> Sequence[Owned]:
    return [each for each in things if each.service == service]
