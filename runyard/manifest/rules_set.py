"""Rules of the whole set: names given twice, hosts that clash, callees that do not exist, networks that overlap."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from runyard.manifest.documents import YamlDocument
from runyard.manifest.model import Manifests, Platform, Service, Tenant, Values
from runyard.manifest.problems import Findings, Path, Problem, render_value
from runyard.manifest.raw import SERVICE_ANNOTATIONS, Raw, text_at
from runyard.manifest.receivers import check_told
from runyard.manifest.rules_containers import check_roots
from runyard.manifest.rules_handling import check_sizes
from runyard.manifest.rules_persistence import check_writers
from runyard.manifest.rules_routes import check_default_backend, check_hosts
from runyard.manifest.scaling import with_idle
from runyard.manifest.schema import closest
from runyard.names import DEFAULT_TENANT
from runyard.pricing.prices import DEFAULT_CURRENCY, PriceBook

_FALLBACK = (*SERVICE_ANNOTATIONS, "runyard.dev/fallback")
_USES = (*SERVICE_ANNOTATIONS, "runyard.dev/uses")
_NAME = ("metadata", "name")
# Nobody reads more at once, and a set of strangers could hold one for every pair of services.
PROBLEM_LIMIT = 1000
# Names compared for all hints together, which takes a tenth of a second: ten hints among a thousand services.
_COMPARISON_LIMIT = 10_000
# Kinds of which a set has one, however it is named.
_OF_TENANTS = frozenset({"tenant", "service"})
_TENANTS_OWN = {"service": "service", "configmap": "config map", "secret": "secret"}
_ONLY_ONE = {"platform": "Platform", "pricebook": "PriceBook"}


@dataclass(slots=True)
class ServiceSet:
    """Everything that was read so far; documents with problems count by their names alone."""

    services: list[tuple[Service, YamlDocument]] = field(default_factory=list)
    tenants: list[tuple[Tenant, YamlDocument]] = field(default_factory=list)
    platform: Platform | None = None
    platform_document: YamlDocument | None = None
    price_book: PriceBook | None = None
    price_book_document: YamlDocument | None = None
    values: list[Values] = field(default_factory=list)
    # Kind, tenant and name of each document, in the order of reading.
    named: list[tuple[str, str, str, YamlDocument]] = field(default_factory=list)

    def note(self, kind: str, data: Raw, document: YamlDocument) -> None:
        """Remember a document's name, whether or not it has problems."""
        name = text_at(data, *_NAME)
        tenant = text_at(data, "metadata", "namespace") or DEFAULT_TENANT
        self.named.append((kind, tenant if kind in _TENANTS_OWN else "", name, document))

    def add_service(self, service: Service, document: YamlDocument) -> None:
        """Add a service without problems of its own."""
        self.services.append((service, document))

    def add_tenant(self, tenant: Tenant, document: YamlDocument) -> None:
        """Add a tenant without problems of its own."""
        self.tenants.append((tenant, document))

    def add_platform(self, platform: Platform, document: YamlDocument) -> None:
        """Add the platform; a second one is a problem, found by name."""
        self.platform, self.platform_document = platform, document

    def add_price_book(self, book: PriceBook, document: YamlDocument) -> None:
        """Add the price book; a second one is a problem, found by name."""
        self.price_book, self.price_book_document = book, document

    def manifests(self) -> Manifests:
        """Give the set as typed data, ordered, with the tenants that are only named."""
        declared = {tenant.name: tenant for tenant, _ in self.tenants}
        names = {DEFAULT_TENANT, *declared, *(service.tenant for service, _ in self.services)}
        values = sorted(self.values, key=lambda each: (each.tenant, each.name, each.source))
        platform = self.platform or Platform()
        given = (replace(each, template=with_idle(each.template, platform.idle)) for each, _ in self.services)
        services = sorted(given, key=lambda each: (each.tenant, each.name))
        tenants = tuple(declared.get(name) or Tenant(name) for name in sorted(names))
        return Manifests(platform, tenants, tuple(services), self.price_book, tuple(values))


def check_set(found: ServiceSet) -> list[Problem]:
    """Check what only the whole set can show."""
    services = [document for kind, _, _, document in found.named if kind == "service"]
    return [
        *_check_names(found),
        *_check_uses(found),
        *_check_fallbacks(found),
        *check_hosts(found.services, found.platform or Platform()),
        *check_sizes(found.services, found.platform or Platform()),
        *check_roots(services, found.platform or Platform()),
        *check_writers(found.services),
        *check_default_backend(found.services, found.platform or Platform(), found.platform_document),
        *check_told(found.tenants, found.platform or Platform(), found.platform_document),
        *_check_subnets(found),
        *_check_currencies(found),
        *_check_discounts(found),
    ]


def _error(document: YamlDocument, path: Path, rule: str, message: str, hint: str = "") -> Problem:
    findings = Findings(document.locate)
    findings.error(path, rule, message, hint)
    return findings.problems[0]


def _check_names(found: ServiceSet) -> Iterator[Problem]:
    seen: dict[tuple[str, str, str], YamlDocument] = {}
    for kind, tenant, name, document in found.named:
        only_one = _ONLY_ONE.get(kind, "")
        key = (kind, tenant, "" if only_one else name)
        if not (name or only_one):
            continue
        first = seen.setdefault(key, document)
        if first is document:
            continue
        where = first.locate(_NAME if name else ())
        if only_one:
            yield _error(document, (), f"set.{kind}", f"must be the only {only_one}, another one is at {where}")
        else:
            what = f"{_TENANTS_OWN[kind]} {name} of tenant {tenant}" if kind in _TENANTS_OWN else f"tenant {name}"
            yield _error(document, _NAME, "set.name", f"must be unique, {what} is also at {where}")


def _check_uses(found: ServiceSet) -> Iterator[Problem]:
    names: dict[str, list[str]] = {}
    for kind, tenant, name, _ in found.named:
        if kind == "service" and name:
            names.setdefault(tenant, []).append(name)
    known = {tenant: frozenset(members) for tenant, members in names.items()}
    comparisons = told = 0
    for service, document in found.services:
        for callee in service.uses:
            if callee == service.name:
                yield _error(document, _USES, "uses.self", f"must not name the service itself, got {callee}")
            elif callee not in known[service.tenant]:
                message = f"must name a service of tenant {service.tenant}, got {render_value(callee)}"
                comparisons += len(names[service.tenant])
                hint = closest(callee, names[service.tenant]) if comparisons <= _COMPARISON_LIMIT else ""
                yield _error(document, _USES, "uses.unknown", message, hint)
                told += 1
                if told >= PROBLEM_LIMIT:
                    message = f"is the {PROBLEM_LIMIT}th name of no service; the others are not shown"
                    yield _error(document, _USES, "uses.problems", message)
                    return


def _check_fallbacks(found: ServiceSet) -> Iterator[Problem]:
    known = {(tenant, name) for kind, tenant, name, _ in found.named if kind == "service"}
    for service, document in found.services:
        other = service.fallback.service
        if other == service.name:
            yield _error(document, _FALLBACK, "fallback.self", f"must not name the service itself, got {other}")
        elif other and (service.tenant, other) not in known:
            message = f"must name a service of tenant {service.tenant}, got {render_value(other)}"
            yield _error(document, _FALLBACK, "fallback.unknown", message)


def _check_subnets(found: ServiceSet) -> Iterator[Problem]:
    from ipaddress import IPv4Network

    networks = [(IPv4Network(tenant.subnet), tenant, document) for tenant, document in found.tenants if tenant.subnet]
    # Sorted by first address, networks that overlap are neighbours of one that holds them.
    networks.sort(key=lambda each: (each[0].network_address, each[0].prefixlen))
    widest = None
    for network, tenant, document in networks:
        if widest is not None and network.overlaps(widest[0]):
            message = f"must not overlap the subnet of tenant {widest[1].name} ({widest[0]}), got {network}"
            yield _error(document, ("spec", "subnet"), "set.subnet", message)
        if widest is None or network.broadcast_address > widest[0].broadcast_address:
            widest = (network, tenant)


def _check_currencies(found: ServiceSet) -> Iterator[Problem]:
    currency = found.price_book.currency if found.price_book else DEFAULT_CURRENCY
    for tenant, document in found.tenants:
        if tenant.budget and tenant.budget.currency != currency:
            message = f"must be the price book's currency ({currency}), got {render_value(tenant.budget.currency)}"
            yield _error(document, ("spec", "budget", "currency"), "set.currency", message)


def _check_discounts(found: ServiceSet) -> Iterator[Problem]:
    """Warn of discounts of tenants that are not in the set; a book may be of more sets than one, so it is no error."""
    named = {name if kind == "tenant" else tenant for kind, tenant, name, _ in found.named if kind in _OF_TENANTS}
    # A book by itself is of sets that are elsewhere.
    if found.price_book is None or found.price_book_document is None or not named:
        return
    known = sorted({DEFAULT_TENANT, *named} - {""})
    findings = Findings(found.price_book_document.locate)
    # In the order of the document, as tenants are unique in it.
    for index, tenant in enumerate(found.price_book.discounts):
        if tenant not in known:
            hint = closest(tenant, known) if (index + 1) * len(known) <= _COMPARISON_LIMIT else ""
            message = f"names no tenant of these manifests, got {render_value(tenant)}"
            findings.warning(("spec", "discounts", index, "tenant"), "pricebook.discount-tenant", message, hint)
    yield from findings.problems[:PROBLEM_LIMIT]
