"""Pack: the rules of resources as Pulumi's policies, every one of them mandatory."""

from __future__ import annotations

from collections.abc import Callable

from pulumi_policy import (
    EnforcementLevel,
    PolicyPack,
    ReportViolation,
    ResourceValidationArgs,
    ResourceValidationPolicy,
)

from policies.resource import CONTAINER, RESOURCE_RULES, SERVICE, ResourceRule

Validation = Callable[[ResourceValidationArgs, ReportViolation], None]


def make_pack() -> PolicyPack:
    """Make the pack; Pulumi's engine connects to it as soon as it stands."""
    return PolicyPack("runyard", [_policy(rule) for rule in RESOURCE_RULES], EnforcementLevel.MANDATORY)


def validation(rule: ResourceRule) -> Validation:
    """Make the function that Pulumi calls for each resource; what it throws fails the update (fail closed)."""

    def validate(args: ResourceValidationArgs, report: ReportViolation) -> None:
        if args.resource_type in (CONTAINER, SERVICE):
            for message in rule.check(args.props, stack_of(args.urn)):
                report(f"{args.name}: {message} ({rule.fix})", None)

    return validate


def stack_of(urn: str) -> str:
    """Give the stack's name in a resource's URN, `urn:pulumi:<stack>::<project>::<type>::<name>`."""
    return urn.split("::", 1)[0].removeprefix("urn:pulumi:")


def _policy(rule: ResourceRule) -> ResourceValidationPolicy:
    return ResourceValidationPolicy(
        name=rule.id,
        description=f"{rule.sentence} Fix: {rule.fix}. See docs/policies.md#{rule.id}",
        validate=validation(rule),
    )
