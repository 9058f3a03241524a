"""Plans: manifests turned into networks, revisions, routes and traffic, by pure functions."""

from __future__ import annotations

from collections import ChainMap
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from runyard import names
from runyard.accounts import Quotas
from runyard.contracts import Budgets, Handling, Limits, RolloutRequest, RouteRequest, TrafficShare
from runyard.manifest.model import Manifests, Platform, Service
from runyard.manifest.pricebook import default_book
from runyard.manifest.routes import is_whole_host
from runyard.plan.alerting import plan_alerting
from runyard.plan.facts import describe_service
from runyard.plan.history import keep_revisions
from runyard.plan.model import NetworkPlan, Plan, RevisionPlan, ServicePlan
from runyard.plan.network import plan_networks
from runyard.plan.part import PartPlan
from runyard.plan.parts import plan_parts
from runyard.plan.revision import RevisionContext, plan_revision
from runyard.plan.secret import LazyDigests, values_of_manifests
from runyard.pricing.settings import BillingSettings

__all__ = [
    "NetworkPlan",
    "PartPlan",
    "Plan",
    "RevisionPlan",
    "ServicePlan",
    "keep_revisions",
    "plan",
]


def plan(
    manifests: Manifests, stack: str = "dev", secret_digests: Mapping[str, Mapping[str, str]] | None = None
) -> Plan:
    """Plan a stack from its manifests; equal arguments give an equal plan.

    `secret_digests` maps a tenant to `name/key` to a hash of the secret's value; what manifests hold is hashed here.
    Raises ManifestError where manifests that are each sound cannot stand together, such as tenants whose subnets
    overlap, or where two listeners of the platform have one address.
    """
    networks = plan_networks(stack, manifests)
    by_name = {network.name: network for network in networks}
    quotas = {tenant.name: tenant.quotas for tenant in manifests.tenants}
    tenants = {each.tenant for each in manifests.services}
    held = {each: LazyDigests(each, values_of_manifests(manifests, each)) for each in tenants}
    services = []
    for service in sorted(manifests.services, key=lambda each: (each.tenant, each.name)):
        internal = service.egress == "none"
        # The stack's before those of the manifests; a chain of mappings that nobody changes.
        known: list[Any] = [(secret_digests or {}).get(service.tenant, {}), held[service.tenant]]
        context = RevisionContext(
            stack=stack,
            network=by_name[names.tenant_network(stack, service.tenant, internal=internal)],
            gateway_address=networks[0].host_address,
            secret_digests=ChainMap(*known),
            caller_identity=manifests.platform.gateway.caller_identity,
        )
        services.append(_plan_service(service, manifests, quotas.get(service.tenant, Quotas()), context))
    billing = _plan_billing(manifests, services)
    budgets = {each.name: each.budget for each in manifests.tenants if each.budget and each.budget.thresholds}
    parts = plan_parts(manifests.platform, stack, networks[0].host_address, billing, Budgets(budgets))
    return Plan(stack, manifests.platform, networks, parts, tuple(services), plan_alerting(manifests))


def _plan_billing(manifests: Manifests, services: Sequence[ServicePlan]) -> BillingSettings:
    """Say what the ledger must know of manifests; places in files would change it without a change."""
    by_request = {(each.tenant, each.name): each.template.billed_by_request for each in manifests.services}
    return BillingSettings(
        issuer=manifests.platform.name,
        prices=replace(manifests.price_book or default_book(), location=None),
        by_instance=tuple(
            f"{each.tenant}/{each.name}/{each.revision.name}"
            for each in services
            if not by_request[each.tenant, each.name]
        ),
    )


def _plan_service(service: Service, manifests: Manifests, quotas: Quotas, context: RevisionContext) -> ServicePlan:
    revision = plan_revision(service, context)
    return ServicePlan(
        tenant=service.tenant,
        name=service.name,
        revision=revision,
        route=_plan_route(service, manifests.platform, quotas),
        rollout=_plan_rollout(service, revision),
        facts=describe_service(service, manifests.values),
        location=service.location,
    )


def _plan_limits(service: Service, quotas: Quotas) -> Limits:
    own = service.request_limits
    return Limits(
        requests_per_second=service.max_requests_per_second or 0,
        # Every service carries its tenant's, and all of a tenant's name the same bucket at the gateway.
        tenant_requests_per_second=quotas.requests_per_second or 0,
        client_requests_per_second=own.client_requests_per_second or 0,
        client_burst=own.client_burst or 0,
        client_header=own.client_header,
        concurrent_requests=own.concurrent_requests or 0,
        queue_size=Limits().queue_size if own.queue_size is None else own.queue_size,
        queue_timeout_s=own.queue_timeout_s or 0,
    )


def _plan_route(service: Service, platform: Platform, quotas: Quotas) -> RouteRequest:
    return RouteRequest(
        tenant=service.tenant,
        service=service.name,
        hosts=_plan_hosts(service, platform),
        # The load balancer of Cloud Run's third value is the gateway here, so it may come from outside.
        ingress="internal" if service.ingress == "internal" else "all",
        timeout_s=service.template.timeout_s,
        session_affinity=service.template.session_affinity,
        paths=tuple(route for route in service.routes if not is_whole_host(route)),
        limits=_plan_limits(service, quotas),
        fallback=service.fallback,
        handling=_plan_handling(service),
        retries=service.retries,
        breaker=service.breaker,
        objective=service.objective,
    )


def _plan_handling(service: Service) -> Handling:
    template = service.template
    return Handling(
        response_start_s=template.response_start_timeout_s or 0,
        idle_s=template.idle_timeout_s,
        max_request_bytes=service.max_request_bytes or 0,
        max_response_bytes=service.max_response_bytes or 0,
        request_buffering=service.request_buffering,
        cache=service.cache,
    )


def _plan_hosts(service: Service, platform: Platform) -> tuple[str, ...]:
    """Name the hosts that are the service's alone, its own first: URLs are made of it."""
    own = names.service_host(service.name, service.tenant, platform.domain)
    hosts = [own, *(route.host for route in service.routes if is_whole_host(route))]
    if platform.gateway.default_backend == names.service_key(service.tenant, service.name):
        hosts.append(names.EVERY_HOST)
    return tuple(dict.fromkeys(hosts))


def _plan_rollout(service: Service, revision: RevisionPlan) -> RolloutRequest:
    shares = tuple(
        TrafficShare(revision=target.revision or revision.name, percent=target.percent, tag=target.tag)
        for target in service.traffic
        # One with neither reaches nobody; Cloud Run's exports list them.
        if target.percent or target.tag
    )
    follows_latest = any(target.percent and target.revision is None for target in service.traffic)
    return RolloutRequest(
        tenant=service.tenant,
        service=service.name,
        traffic=shares,
        deadline_s=service.template.progress_deadline_s,
        history=(revision.name,),
        min_instances=service.min_scale or 0,
        max_instances=service.max_scale or 0,
        manual_instances=service.manual_instance_count,
        schedule=service.schedule,
        priority=service.priority,
        # As in Knative: what is asked for by name, such as a way back, is moved at once.
        duration_s=service.rollout_duration_s if follows_latest else 0,
    )
