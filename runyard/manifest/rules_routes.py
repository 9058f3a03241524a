"""Rules of routes: the grammar of one service's, and which service may answer which place of the whole set."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from runyard.manifest.documents import YamlDocument
from runyard.manifest.model import Platform, Service
from runyard.manifest.problems import Findings, Path, Problem, render_value
from runyard.manifest.raw import SERVICE_ANNOTATIONS, Raw, mapping_at, text_at
from runyard.manifest.routes import HOST_LIMIT, parse_routes, render_place
from runyard.names import DEFAULT_TENANT, INTERNAL_DOMAIN, service_host, tagged_host

ANNOTATION = "runyard.dev/routes"
ROUTES = (*SERVICE_ANNOTATIONS, ANNOTATION)
_INGRESS = "run.googleapis.com/ingress"
_DEFAULT_BACKEND = ("spec", "gateway", "defaultBackend")


def check_routes(service: Raw, findings: Findings) -> None:
    """Check the routes of one Service."""
    annotations = mapping_at(service, *SERVICE_ANNOTATIONS)
    text = text_at(annotations, ANNOTATION)
    if not text:
        return
    try:
        routes = parse_routes(text)
    except ValueError as error:
        findings.error(ROUTES, "routes.form", str(error))
        return
    for route in routes:
        if route.host == INTERNAL_DOMAIN or route.host.endswith("." + INTERNAL_DOMAIN):
            message = f"must not be below {INTERNAL_DOMAIN}, by which services call each other, got {route.host}"
            findings.error(ROUTES, "routes.internal", message)
    if annotations.get(_INGRESS) == "internal":
        message = f"must not be given with {_INGRESS} internal: nobody outside could use them"
        findings.error(ROUTES, "routes.ingress", message, "remove one of the two")


@dataclass(frozen=True, slots=True)
class _Claim:
    """A place that a service answers: what it is called, and where the manifest says so."""

    service: Service
    document: YamlDocument
    where: Path
    host: str
    path: str
    place: str

    def error(self, rule: str, message: str) -> Problem:
        """Make a problem of this claim."""
        findings = Findings(self.document.locate)
        findings.error(self.where, rule, message)
        return findings.problems[0]

    @property
    def owner(self) -> str:
        """The service, as messages about another name it."""
        return f"service {self.service.name} of tenant {self.service.tenant}"

    @property
    def location(self) -> str:
        """Where the claim stands; a host that comes from the service's name stands with the service."""
        return str(self.document.locate(self.where) if self.where == ROUTES else self.service.location)


def check_hosts(services: Sequence[tuple[Service, YamlDocument]], platform: Platform) -> Iterator[Problem]:
    """Check that no two services answer one place, and that a host is of one tenant, which may have it."""
    places: dict[tuple[str, str], _Claim] = {}
    hosts: dict[str, _Claim] = {}
    for service, document in services:
        for claim in _claims(service, document, platform.domain):
            first = places.setdefault((claim.host, claim.path), claim)
            if (first.service.tenant, first.service.name) != (service.tenant, service.name):
                message = f"{_verb(claim)} {claim.place}, which {first.owner} has already ({first.location})"
                yield claim.error("set.host", message)
            else:
                yield from _check_host(claim, hosts.setdefault(claim.host, claim), platform.domain)
    yield from _check_patterns(hosts)


def check_default_backend(
    services: Sequence[tuple[Service, YamlDocument]], platform: Platform, document: YamlDocument | None
) -> Iterator[Problem]:
    """Check that the service that answers unknown hosts exists and is open to the public."""
    backend = platform.gateway.default_backend
    if not backend or document is None:
        return
    findings = Findings(document.locate)
    found = next((each for each, _ in services if f"{each.tenant}/{each.name}" == backend), None)
    if found is None:
        findings.error(_DEFAULT_BACKEND, "platform.backend", f"must name a service, got {render_value(backend)}")
    elif found.ingress == "internal":
        message = f"must name a service with public ingress, got {render_value(backend)} ({found.location})"
        findings.error(_DEFAULT_BACKEND, "platform.backend", message)
    yield from findings.problems


def _claims(service: Service, document: YamlDocument, domain: str) -> Iterator[_Claim]:
    host = service_host(service.name, service.tenant, domain)
    yield _Claim(service, document, ("metadata", "name"), host, "/", f"the host {host}")
    for index, target in enumerate(service.traffic):
        if target.tag:
            tagged = tagged_host(target.tag, host)
            yield _Claim(service, document, ("spec", "traffic", index, "tag"), tagged, "/", f"the host {tagged}")
    for route in service.routes:
        yield _Claim(service, document, ROUTES, route.host, route.path, render_place(route))


def _verb(claim: _Claim) -> str:
    return "answers" if claim.where == ROUTES else "makes"


def _check_host(claim: _Claim, first: _Claim, domain: str) -> Iterator[Problem]:
    if len(claim.host) > HOST_LIMIT:
        message = f"makes a host of {len(claim.host)} characters, must be at most {HOST_LIMIT}"
        yield claim.error("set.host", message)
    if first.service.tenant != claim.service.tenant:
        message = f"must not answer a part of {claim.host}, a host of {first.owner} ({first.location})"
        yield claim.error("set.host-tenant", message)
    elif claim.where == ROUTES and _tenant_of(claim.host, domain) not in (None, claim.service.tenant):
        message = f"must not answer {claim.host}, which stands below {domain} for another tenant than its own"
        yield claim.error("set.host-tenant", f"{message} ({claim.service.tenant})")


def _tenant_of(host: str, domain: str) -> str | None:
    """Give the tenant whose services may be named so below the platform's domain; None for any other host."""
    if host == domain:
        return DEFAULT_TENANT
    if not host.endswith("." + domain):
        return None
    labels = host.removesuffix("." + domain).split(".")
    # <service>.<domain> is the default tenant's, <service>.<tenant>.<domain> each other's.
    return DEFAULT_TENANT if len(labels) == 1 else labels[-1]


def _check_patterns(hosts: dict[str, _Claim]) -> Iterator[Problem]:
    """Find hosts that take a piece out of another tenant's pattern."""
    for host, claim in hosts.items():
        pattern = hosts.get("*." + host.partition(".")[2])
        if pattern and claim.where == ROUTES and pattern.service.tenant != claim.service.tenant:
            message = f"must not answer {host}, which {pattern.host} of {pattern.owner} covers ({pattern.location})"
            yield claim.error("set.host-tenant", message)
