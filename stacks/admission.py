"""Admission: what must hold of manifests and of the stack before any resource is registered."""

from __future__ import annotations

import datetime
from dataclasses import dataclass
from pathlib import Path

import pulumi

from policies.environment import environment_of
from policies.rule import Context
from policies.rules import RULES
from policies.rules.accounts import SHARED
from policies.verdict import judge
from runyard.contracts import BudgetStatus
from runyard.errors import ContractError, HostError, HostUnreachable, NotFound
from runyard.forecast import Usages, parse_usages
from runyard.git.checkout import check_checkout
from runyard.host import Engine
from runyard.host.capacity import observe_capacity
from runyard.host.ledger import Ledger
from runyard.manifest import load
from runyard.manifest.model import Manifests
from runyard.manifest.sources import find_files, load_text
from runyard.names import service_key
from runyard.plan import Plan, keep_revisions, plan
from runyard.plan.claim import Claim, make_claim
from runyard.plan.quota import Capacity, Use
from runyard.pulumi.deployment import Deployment, check_form, parse_deployment
from runyard.pulumi.export import Export
from runyard.pulumi.project import split_paths
from runyard.secrets import TenantSecrets, check_references, digest_secrets


@dataclass(frozen=True, slots=True)
class Admitted:
    """What policies have let in: manifests and their plan, on an ISO date, and the host's capacity if one answers.

    `deployment` is what the stack's state holds; earlier revisions in it stay in the plan.
    """

    manifests: Manifests
    plan: Plan
    deployment: Deployment
    day: str
    capacity: Capacity | None

    @property
    def claim(self) -> Claim:
        """What the stack's services may use of the host."""
        return make_claim(self.manifests, self.plan)

    def check_shared(self, elsewhere: tuple[Use, ...]) -> None:
        """Ask again about what the host's stacks share, now that the others are known; PolicyError as before."""
        environment = environment_of(self.plan.stack)
        context = Context(self.manifests, self.day, environment, self.capacity, elsewhere=elsewhere, plan=self.plan)
        judge(context, [rule for rule in RULES if rule.id in SHARED]).check()


@dataclass(frozen=True, slots=True)
class Declared:
    """A stack by name, its project's directory, and the settings of ours that are paths from there on.

    `usage` is the usage file on which budgets are judged; without one every service is small, as in a review.
    """

    stack: str
    project: Path
    manifests: str
    usage: str | None


def declared(stack: str, config: pulumi.Config) -> Declared:
    """Give what Pulumi has of the settings of ours."""
    return Declared(stack, Path(pulumi.get_root_directory()), config.require("manifests"), config.get("usage"))


def load_plan(declared: Declared, secrets: TenantSecrets, export: Export) -> Admitted:
    """Load the manifests and plan the stack.

    Raises ManifestError for manifests that break rules, or that a checkout made something else of than was committed.
    """
    stack, usage = declared.stack, declared.usage
    places = split_paths(declared.manifests, str(declared.project))
    loaded = load(places)
    check_checkout(find_files(places)[0])
    for warning in loaded.warnings:
        pulumi.log.warn(warning.text())
    day, capacity = _today(), _capacity()
    deployment = parse_deployment(export.read())
    check_form(stack, deployment)
    usages = load_usages(declared.project / usage, loaded.manifests, deployment) if usage else None
    planned = plan(loaded.manifests, stack, digest_secrets(secrets))
    planned = keep_revisions(planned, loaded.manifests, deployment.pasts)
    admit_manifests(
        Context(
            loaded.manifests,
            day,
            environment_of(stack),
            capacity,
            usages,
            plan=planned,
            budgets=ask_budgets(loaded.manifests, stack),
            deployed=_deployed(deployment),
        )
    )
    check_references(loaded.manifests, secrets)
    return Admitted(loaded.manifests, planned, deployment, day, capacity)


def load_usages(file: Path, manifests: Manifests, deployment: Deployment) -> Usages:
    """Load the usage file; it may name services that the update removes, as in a review."""
    known = {service_key(each.tenant, each.name) for each in manifests.services} | set(deployment.pasts)
    return parse_usages(str(file), load_text(str(file)), known)


def admit_manifests(context: Context) -> None:
    """Ask every policy about manifests and their plan; PolicyError with all reasons if one of them refuses."""
    verdict = judge(context)
    for finding in verdict.warnings:
        pulumi.log.warn(finding.text())
    for finding in verdict.waived:
        pulumi.log.info(finding.text())
    verdict.check()


def _deployed(deployment: Deployment) -> frozenset[str]:
    return frozenset(
        service_key(key.partition("/")[0], each.name) for key, past in deployment.pasts.items() for each in past
    )


def ask_budgets(manifests: Manifests, stack: str) -> tuple[BudgetStatus, ...]:
    """Ask the ledger how budgets stand, where one of them may refuse the update; none where no ledger answers."""
    budgets = [tenant.budget for tenant in manifests.tenants if tenant.budget]
    if not any(each.action == "block" for budget in budgets for each in budget.thresholds):
        return ()
    try:
        with Engine() as engine:
            return Ledger(engine, stack).budgets().budgets
    except NotFound:
        # No ledger yet, or none any more.
        return ()
    except (HostError, ContractError) as error:
        # Who is not known to have spent anything is not refused.
        pulumi.log.warn(f"budgets are not judged: {error}")
        return ()


def _today() -> str:
    return datetime.datetime.now(datetime.UTC).date().isoformat()


def _capacity() -> Capacity | None:
    """Ask the host what it has; None without one, which `prepare_host` refuses in an update."""
    try:
        return observe_capacity()
    except HostUnreachable:
        return None
