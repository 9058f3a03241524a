"""Pack: the rules of resources and of whole stacks as Pulumi's policies, every one of them mandatory."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache

from pulumi_policy import (
    EnforcementLevel,
    PolicyPack,
    ReportViolation,
    ResourceValidationArgs,
    ResourceValidationPolicy,
    StackValidationArgs,
    StackValidationPolicy,
)

from policies.resource import CONTAINER, RESOURCE_RULES, SERVICE, ResourceRule
from policies.stack import STACK_RULES, Resource, Stack, StackRule
from runyard.errors import HostUnreachable
from runyard.host.capacity import observe_capacity
from runyard.plan.quota import Capacity

Validation = Callable[[ResourceValidationArgs, ReportViolation], None]


def make_pack() -> PolicyPack:
    """Make the pack; Pulumi's engine connects to it as soon as it stands.

    It has two policies and not one for each rule: Pulumi's library takes every resource apart anew for every policy,
    which made a preview of fifty services longer by seconds. Each message begins with its rule.
    """
    resources = ResourceValidationPolicy(
        name="resources",
        description="What no container may be. See docs/policies.md#rules-of-resources",
        validate=validation(RESOURCE_RULES),
    )
    stack = StackValidationPolicy(
        name="stack",
        description="What no stack may be. See docs/policies.md#rules-of-whole-stacks",
        validate=stack_validation(STACK_RULES, _capacity),
    )
    return PolicyPack("runyard", [resources, stack], EnforcementLevel.MANDATORY)


def validation(rules: Sequence[ResourceRule]) -> Validation:
    """Make the function that Pulumi calls for each resource; what it throws fails the update (fail closed)."""

    def validate(args: ResourceValidationArgs, report: ReportViolation) -> None:
        if args.resource_type in (CONTAINER, SERVICE):
            for rule in rules:
                for message in rule.check(args.props, stack_of(args.urn)):
                    report(f"{rule.id}: {args.name}: {message} ({rule.fix})", None)

    return validate


def stack_validation(
    rules: Sequence[StackRule], capacity: Callable[[], Capacity | None]
) -> Callable[[StackValidationArgs, ReportViolation], None]:
    """Make the function that Pulumi calls once for a stack; what it throws fails the update (fail closed)."""

    def validate(args: StackValidationArgs, report: ReportViolation) -> None:
        resources = [Resource(each.resource_type, each.name, each.props) for each in args.resources]
        if resources:
            stack = Stack(stack_of(args.resources[0].urn), resources, capacity())
            for rule in rules:
                for message in rule.check(stack):
                    report(f"{rule.id}: {message} ({rule.fix})", None)

    return validate


@cache
def _capacity() -> Capacity | None:
    """Ask the host what it has; None without one, which the program refuses in an update."""
    try:
        return observe_capacity()
    except HostUnreachable:
        return None


def stack_of(urn: str) -> str:
    """Give the stack's name in a resource's URN, `urn:pulumi:<stack>::<project>::<type>::<name>`."""
    return urn.split("::", 1)[0].removeprefix("urn:pulumi:")
