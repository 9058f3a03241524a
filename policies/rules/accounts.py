"""Rules of accounts: quotas, the host's capacity, budgets, and tenants that somebody answers for."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal

from policies.rule import Context, Rule, Violation, of_service
from runyard.forecast import Costs, price
from runyard.forecast.report import render_money
from runyard.manifest.model import Location, Tenant
from runyard.manifest.schema import closest
from runyard.names import DEFAULT_TENANT, service_key
from runyard.plan.quota import check_capacity, check_quotas


def check_quota(context: Context) -> Iterator[Violation]:
    """Find quotas that the tenants' services break."""
    for finding in check_quotas(context.manifests, context.elsewhere, context.uses):
        yield Violation(finding.message, finding.tenant, location=finding.location, fix=finding.fix)


def check_host(context: Context) -> Iterator[Violation]:
    """Find what does not fit the host; nothing where the host is not known."""
    if context.capacity is not None:
        for finding in check_capacity(context.manifests, context.capacity, context.elsewhere, context.uses):
            yield Violation(finding.message, location=finding.location)


def check_expected(context: Context) -> Iterator[Violation]:
    """Find tenants whose expected cost is above their budget."""
    for tenant, _, expected, _ in _budgeted(context):
        if tenant.budget and expected > tenant.budget.amount:
            yield _over(tenant, "expected", expected)


def check_ceiling(context: Context) -> Iterator[Violation]:
    """Find tenants who could spend more than their budget with every service at its maxScale."""
    for tenant, _, _, ceiling in _budgeted(context):
        if tenant.budget and (ceiling is None or ceiling > tenant.budget.amount):
            yield _over(tenant, "highest possible", ceiling)


def check_spent(context: Context) -> Iterator[Violation]:
    """Find tenants who get new revisions although what they spent has come to where their budget lets them have none.

    It is the budget of the manifests that counts: one that is raised enough is let in with what it is raised for.
    """
    tenants = {tenant.name: tenant for tenant in context.manifests.tenants}
    for status in context.budgets:
        tenant = tenants.get(status.tenant)
        if tenant is None or tenant.budget is None:
            continue
        crossed = set(tenant.budget.crossed(status.spend))
        if status.budget == tenant.budget:
            # A forecast may have come back from there.
            crossed |= {each.threshold for each in status.crossings}
        blocking = sorted((each for each in crossed if each.action == "block"), key=lambda each: each.percent)
        new = _renewed(context, tenant.name)
        if blocking and new:
            message = (
                f"tenant {tenant.name} must have no new revisions once its {blocking[-1].spending} cost of "
                f"{status.month} is {blocking[-1].percent} % of its budget of {render_money(tenant.budget.amount)} "
                f"{tenant.budget.currency}, got one of {', '.join(new)}"
            )
            yield Violation(message, tenant.name, location=tenant.location)


def _renewed(context: Context, tenant: str) -> list[str]:
    planned = [each for each in (context.plan.services if context.plan else ()) if each.tenant == tenant]
    return sorted(each.name for each in planned if service_key(tenant, each.revision.name) not in context.deployed)


def check_known(context: Context) -> Iterator[Violation]:
    """Find namespaces that no Tenant declares although others do: one wrong letter would leave every limit behind."""
    declared = [tenant.name for tenant in context.manifests.tenants if tenant.location is not None]
    for service in context.manifests.services if declared else ():
        if service.tenant not in (DEFAULT_TENANT, *declared):
            message = f"namespace must be {DEFAULT_TENANT} or a declared tenant, got {service.tenant}"
            hint = closest(service.tenant, declared)
            yield of_service(service, f"{message}, {hint}" if hint else message)


def check_declared(context: Context) -> Iterator[Violation]:
    """Find tenants that are only named, so that nothing bounds them."""
    for tenant in context.manifests.tenants:
        used = [service for service in context.manifests.services if service.tenant == tenant.name]
        if used and tenant.location is None:
            message = f"tenant {tenant.name} must be declared, got only its name"
            yield Violation(message, tenant.name, location=used[0].location)


def check_owner(context: Context) -> Iterator[Violation]:
    """Find tenants that nobody answers for."""
    for tenant in context.manifests.tenants:
        if tenant.location is not None and not any(member.role == "owner" for member in tenant.members):
            message = f"tenant {tenant.name} must have an owner among its members, got none"
            yield Violation(message, tenant.name, location=tenant.location)


def _budgeted(context: Context) -> Iterator[tuple[Tenant, Decimal, Decimal, Decimal | None]]:
    if not any(tenant.budget for tenant in context.manifests.tenants):
        return
    costs: Costs = price(context.manifests, context.day, context.usages)
    totals = {tenant.tenant: tenant.totals for tenant in costs.tenants}
    for tenant in context.manifests.tenants:
        if tenant.budget and tenant.name in totals:
            yield (tenant, *totals[tenant.name])


def _over(tenant: Tenant, which: str, amount: Decimal | None) -> Violation:
    location: Location | None = tenant.location
    budget = render_money(tenant.budget.amount) if tenant.budget else ""
    currency = tenant.budget.currency if tenant.budget else ""
    message = (
        f"tenant {tenant.name}'s {which} cost must be at most its budget of {budget} {currency} a month, "
        f"got {render_money(amount)}"
    )
    return Violation(message, tenant.name, location=location)


# What more stacks than one may share, so that they are asked again when the others are known.
SHARED = frozenset({"quota-kept", "host-large-enough"})
_MORE = "ask for less, or raise it in the Tenant: reviewers see that as a change"
RULES = (
    Rule(
        "quota-kept",
        "A tenant keeps within its quotas, with the earlier revisions that its traffic names.",
        "mandatory",
        _MORE,
        check_quota,
        waivable=False,
    ),
    Rule(
        "host-large-enough",
        "Platform and services fit the host at minScale, with an instance of each active revision.",
        "mandatory",
        "ask for less, or use a larger host",
        check_host,
        waivable=False,
    ),
    Rule(
        "budget-kept",
        "A tenant's expected cost is within its budget.",
        "mandatory",
        _MORE,
        check_expected,
        waivable=False,
    ),
    Rule(
        "budget-cannot-be-passed",
        "A tenant's cost with every service at its maxScale is within its budget.",
        "advisory",
        "lower the maxScale of the largest services",
        check_ceiling,
        waivable=False,
    ),
    Rule(
        "budget-not-used-up",
        "A tenant whose budget blocks at what it has spent this month gets no new revisions.",
        "mandatory",
        "raise the budget in the Tenant, or wait for the next month",
        check_spent,
        waivable=False,
    ),
    Rule(
        "tenant-known",
        f"Where Tenants are declared, a service's namespace is one of them or `{DEFAULT_TENANT}`.",
        "mandatory",
        "mend the namespace, or add a Tenant with quotas and members",
        check_known,
        waivable=False,
    ),
    Rule(
        "tenant-declared",
        f"A tenant in production is declared, `{DEFAULT_TENANT}` too.",
        "advisory",
        "add a Tenant with quotas and members",
        check_declared,
        production_only=True,
        waivable=False,
    ),
    Rule(
        "tenant-owned",
        "Somebody owns a tenant in production.",
        "advisory",
        "add a member with the role owner",
        check_owner,
        production_only=True,
        waivable=False,
    ),
)
