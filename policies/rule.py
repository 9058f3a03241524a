"""Rules and findings: what a rule is, what it looks at, and what it says."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Literal

from policies.environment import Environment
from runyard.contracts import BudgetStatus
from runyard.forecast import Usages
from runyard.manifest.model import Location, Manifests, Service
from runyard.plan import Plan
from runyard.plan.quota import Capacity, Use, Uses
from runyard.plan.use import uses_of_plan
from runyard.readable import readable

Severity = Literal["advisory", "mandatory"]
DOCS = "docs/policies.md"


@dataclass(frozen=True, slots=True)
class Context:
    """What rules look at: manifests, an ISO date (UTC), the environment and, where known, the host and the usage.

    `elsewhere` is what is used beside them: by other stacks of the host, and by what was written by hand. `plan` is
    what the manifests make of the stack, with the earlier revisions that stay: of those, manifests tell only the names.
    `budgets` say how tenants' months stand, and `deployed` names the revisions that the stack has, `tenant/revision`.
    """

    manifests: Manifests
    day: str
    environment: Environment = "development"
    capacity: Capacity | None = None
    usages: Usages | None = None
    elsewhere: tuple[Use, ...] = ()
    plan: Plan | None = None
    budgets: tuple[BudgetStatus, ...] = ()
    deployed: frozenset[str] = frozenset()

    @property
    def uses(self) -> Uses:
        """What services use by the plan, by `tenant/service`; nothing where there is no plan."""
        return {} if self.plan is None else uses_of_plan(self.plan)


@dataclass(frozen=True, slots=True)
class Violation:
    """One place where a rule is broken; `tenant` and `service` are empty where it is nobody's.

    `fix` stands for the rule's own where that would not mend this.
    """

    message: str
    tenant: str = ""
    service: str = ""
    location: Location | None = None
    fix: str = ""


Check = Callable[[Context], Iterable[Violation]]


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule: a sentence that holds, how grave a breach is, how to mend it, and the function that looks."""

    id: str
    sentence: str
    severity: Severity
    fix: str
    check: Check
    production_only: bool = False
    # A service waives what protects itself: nothing that protects others from it, such as the Tenant's registries or
    # the stack's lock, no sum, nothing of the Platform or a Tenant, and no rule about waivers.
    waivable: bool = True

    @property
    def page(self) -> str:
        """The rule's page, as a link inside the repository."""
        return f"{DOCS}#{self.id}"


@dataclass(frozen=True, slots=True)
class Finding:
    """A breach with all that a report shows; `until` and `reason` are of the waiver that sets it aside."""

    rule: str
    severity: Severity
    message: str
    fix: str
    page: str
    tenant: str = ""
    service: str = ""
    location: Location | None = None
    until: str = ""
    reason: str = ""

    @property
    def waived(self) -> bool:
        """Whether a waiver sets it aside."""
        return bool(self.until)

    def text(self) -> str:
        """Render as `file:line:column: rule: message (fix)`."""
        where = f"{self.location}: " if self.location else ""
        waiver = f", waived until {self.until} because {self.reason}" if self.waived else ""
        return readable(f"{where}{self.rule}: {self.message} ({self.fix}){waiver}")


def of_service(service: Service, message: str) -> Violation:
    """Say that a service breaks a rule."""
    return Violation(message, service.tenant, service.name, service.location)
