"""Stack while its resources register: what manifests make of it, and sums that grow with what is written beside them.

Whatever breaks a rule is told as it registers, before it is made. One owner adds everything up: the rules of manifests,
which are asked again with each resource that they did not foresee.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Literal

from policies import document, exclusive
from policies.image import full_name
from policies.kind import KIND_FIX, KIND_RULE, check_kind
from policies.owner import OWNER_FIX, OWNER_RULE, Declared
from policies.part import PARTS, labels_of, part_of
from policies.property import UnknownValue
from policies.resource import CONTAINER, SERVICE, Resource
from policies.resource_rules import RESOURCE_RULES
from policies.rule import DOCS, Context, Finding, Rule
from policies.rules import RULES
from policies.rules.accounts import SHARED
from policies.rules.images import REGISTRY_RULE, is_from
from policies.service import is_same, parse_service, service_of
from policies.verdict import ERROR_RULE, judge
from runyard import names
from runyard.errors import ContractError
from runyard.names import service_key
from runyard.plan import RevisionPlan, ServicePlan
from runyard.plan.history import Pasts
from runyard.plan.quota import Use

Severity = Literal["advisory", "mandatory"]
UNKNOWN_RULE = "not-known-yet"
UNKNOWN_FIX = "nothing to mend: the update asks again before it makes anything of this"
READABLE_RULE = "service-readable"
READABLE_FIX = "declare it as the platform does, by components.service"
_MEBIBYTE = 1024 * 1024
# The kernel's default, where a container names none.
_CPU_PERIOD_US = 100_000
# A callee may register later than its caller.
_OF_SERVICES = tuple(rule for rule in RULES if rule.id != "callee-known")
_OF_SUMS = tuple(rule for rule in RULES if rule.id in SHARED)


class Stack:
    """A stack of which resources register, one after the other."""

    def __init__(self, context: Context, told: Iterable[Finding], pasts: Callable[[], Pasts], *, dry_run: bool) -> None:
        """Begin with what `context` has of the manifests, its plan among it, of which `told` is said already.

        `pasts` reads the revisions that the state keeps, once they are needed.
        """
        if context.plan is None:
            raise ValueError("a stack must have a plan, got none")
        self._context, self._plan = context, context.plan
        self._planned = {service_key(each.tenant, each.name): each for each in context.plan.services}
        self._told = set(told)
        self._pasts = pasts
        self._dry_run = dry_run
        self._holders = exclusive.Holders()
        self._declared = Declared()
        self._tenants = context.manifests.tenants

    def judge(self, resource: Resource) -> list[Finding]:
        """Say what a resource breaks, as it registers."""
        stack = self._plan.stack
        findings = self._ask(KIND_RULE, "mandatory", KIND_FIX, resource, check_kind(resource))
        findings += self._ask(REGISTRY_RULE.id, "mandatory", REGISTRY_RULE.fix, resource, self._find_foreign(resource))
        findings += self._ask(OWNER_RULE, "mandatory", OWNER_FIX, resource, self._declared.check(resource))
        for rule in RESOURCE_RULES:
            if resource.type in rule.types:
                findings += self._ask(rule.id, rule.severity, rule.fix, resource, rule.broken_by(resource, stack))
        if resource.type == SERVICE:
            services: list[ServicePlan] = []
            unread = self._ask(READABLE_RULE, "mandatory", READABLE_FIX, resource, _read(resource, stack, services))
            if unread:
                # No other rule could be asked about it.
                return unread
            resource = replace(resource, service=services[0])
            for one in document.RULES:
                said = one.check(services[0].revision.document)
                findings += self._ask(one.id, "mandatory", one.fix, resource, said)
        for each in exclusive.RULES:
            findings += self._ask(each.id, "mandatory", each.fix, resource, self._holders.take(each, resource))
        try:
            return [*findings, *self._weigh(resource)]
        except UnknownValue:
            return [*findings, self._unknown(resource, "quota-kept")]
        except Exception as error:
            return [*findings, _failed(resource, "quota-kept", error)]

    def _ask(
        self, rule: str, severity: Severity, fix: str, resource: Resource, messages: Iterator[str]
    ) -> list[Finding]:
        page = f"{DOCS}#{rule}"
        try:
            return [Finding(rule, severity, f"{resource.name}: {each}", fix, page) for each in list(messages)]
        except UnknownValue:
            return [self._unknown(resource, rule)]
        except Exception as error:
            # Whatever a rule stumbles over, the resource was not judged: that refuses it (fail closed).
            return [_failed(resource, rule, error)]

    def _unknown(self, resource: Resource, rule: str) -> Finding:
        """Say that only the update will tell; where this is the update, that refuses it."""
        message = f"{resource.name}: {rule} cannot be asked before the update, got a value that is not known yet"
        severity: Severity = "advisory" if self._dry_run else "mandatory"
        return Finding(UNKNOWN_RULE, severity, message, UNKNOWN_FIX, f"{DOCS}#{UNKNOWN_RULE}")

    def _find_foreign(self, resource: Resource) -> Iterator[str]:
        """Find a tenant's container of an image from elsewhere than its registries."""
        tenant = labels_of(resource.properties).get(names.TENANT, "") if resource.type == CONTAINER else ""
        allowed = next((each.allowed_registries for each in self._tenants if each.name == tenant), ())
        image = full_name(str(resource.properties.get("image") or ""))
        if allowed and not any(is_from(image, each) for each in allowed):
            yield f"image must be from {' or '.join(allowed)} (tenant {tenant}), got {image}"

    def _weigh(self, resource: Resource) -> list[Finding]:
        """Add a resource to the sums, unless they have it, and ask the rules of manifests anew."""
        if resource.type == CONTAINER:
            use = _use_of(resource, self._plan.stack)
            self._context = replace(self._context, elsewhere=(*self._context.elsewhere, use))
            return self._ask_again(_OF_SUMS)
        service = resource.service
        planned = service and self._planned.get(service_key(service.tenant, service.name))
        if service is None or (planned is not None and is_same(planned, service)):
            return []
        self._add(replace(service, kept=self._kept(service)))
        found = self._ask_again(_OF_SERVICES)
        # What is of this service stands in no file.
        own = (service.tenant, service.name)
        return [
            replace(each, location=None, message=f"{resource.name}: {each.message}")
            if (each.tenant, each.service) == own
            else each
            for each in found
        ]

    def _add(self, service: ServicePlan) -> None:
        """Put a service among those of the manifests, in the place of the one that has its name there."""
        own = (service.tenant, service.name)
        manifests = self._context.manifests
        written = [each for each in manifests.services if (each.tenant, each.name) != own]
        planned = [each for each in self._plan.services if (each.tenant, each.name) != own]
        self._plan = replace(self._plan, services=(*planned, service))
        manifests = replace(manifests, services=(*written, service_of(service)))
        self._context = replace(self._context, manifests=manifests, plan=self._plan)

    def _kept(self, service: ServicePlan) -> tuple[RevisionPlan, ...]:
        """Find the earlier revisions that a service's traffic names; ContractError for one that nobody keeps."""
        named = {share.revision for share in service.rollout.traffic} - {service.revision.name}
        if not named:
            return ()
        past = self._pasts().get(service_key(service.tenant, service.name), ())
        kept = tuple(each for each in past if each.name in named)
        if unknown := sorted(named - {each.name for each in kept}):
            raise ContractError(f"traffic must name revisions that are kept, got {', '.join(unknown)}")
        return kept

    def _ask_again(self, rules: Sequence[Rule]) -> list[Finding]:
        found = [each for each in judge(self._context, rules).findings if each not in self._told]
        self._told.update(found)
        return found


def _read(resource: Resource, stack: str, into: list[ServicePlan]) -> Iterator[str]:
    """Read a service; a message where it cannot be read."""
    try:
        into.append(parse_service(resource.properties, stack))
    except ContractError as error:
        yield f"document, rollout and route must be readable, got {error}"
    except KeyError as error:
        yield f"document, rollout and route must be readable, got no input {error}"


def _failed(resource: Resource, rule: str, error: Exception) -> Finding:
    message = f"{resource.name}: rule {rule} failed: {type(error).__name__}: {error}"
    return Finding(ERROR_RULE, "mandatory", message, "mend the rule, or what it looked at", f"{DOCS}#{ERROR_RULE}")


def _use_of(container: Resource, stack: str) -> Use:
    """Give what a container uses: one for which a tenant answers counts to its quotas, and any to the host."""
    given = container.properties
    part = PARTS.get(part_of(given, stack))
    tenant = "" if part else labels_of(given).get(names.TENANT, "")
    quota = float(given.get("cpuQuota") or 0)
    # The provider counts in mebibytes, and Pulumi hands every number over as a float.
    memory = int(float(given.get("memory") or 0) * _MEBIBYTE)
    # What the platform's parts have by plan is in the sums already.
    amounts = {
        "cpu": int(quota * 1000 / float(given.get("cpuPeriod") or _CPU_PERIOD_US)),
        "memory": max(0, memory - part.memory_bytes) if part else memory,
        "instances": 1,
    }
    return Use(stack, tenant, container.name, amounts, amounts)
