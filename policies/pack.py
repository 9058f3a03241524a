"""Pack: the rules of resources and of whole stacks as Pulumi's policies."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from importlib import import_module
from types import ModuleType

from pulumi_policy import (
    EnforcementLevel,
    PolicyPack,
    ReportViolation,
    ResourceValidationArgs,
    ResourceValidationPolicy,
    StackValidationArgs,
    StackValidationPolicy,
)

from policies import analyzer
from policies.handwritten import HANDWRITTEN_RULES
from policies.resource import RESOURCE_RULES, ResourceRule, stack_of

Validation = Callable[[ResourceValidationArgs, ReportViolation], None]


def make_pack() -> PolicyPack:
    """Make the pack; Pulumi's engine connects to it as soon as it stands.

    It has three policies, one of them advice, and not one for each rule: Pulumi's library takes every resource apart
    anew for every policy, which made a preview of fifty services longer by seconds. Each message begins with its rule.
    """
    # What only the end of a preview needs is half of all that the pack imports, so that is done while the program runs.
    # Where it fails, it fails again at the end, and the pack refuses.
    threading.Thread(target=_at_the_end, daemon=True).start()
    resources = ResourceValidationPolicy(
        name="resources",
        description="What no container or volume may be. See docs/policies.md#rules-of-resources",
        # Environment and command last: where a preview does not know them yet, the other rules have been asked.
        validate=validation([*RESOURCE_RULES, *(each for each in HANDWRITTEN_RULES if each.severity == "mandatory")]),
    )
    advice = ResourceValidationPolicy(
        name="advice",
        description="What no container should be. See docs/policies.md#rules-of-resources",
        validate=validation([each for each in HANDWRITTEN_RULES if each.severity == "advisory"]),
        enforcement_level=EnforcementLevel.ADVISORY,
    )
    stack = StackValidationPolicy(
        name="stack",
        description="What no stack may be. See docs/policies.md#rules-of-whole-stacks",
        validate=_validate_stack,
    )
    analyzer.install()
    return PolicyPack("runyard", [resources, advice, stack], EnforcementLevel.MANDATORY)


def validation(rules: Sequence[ResourceRule]) -> Validation:
    """Make the function that Pulumi calls for each resource; what it throws fails the update (fail closed)."""

    def validate(args: ResourceValidationArgs, report: ReportViolation) -> None:
        for rule in rules:
            if rule.type == args.resource_type:
                for message in rule.check(args.props, stack_of(args.urn)):
                    report(f"{rule.id}: {args.name}: {message} ({rule.fix})", None)

    return validate


def _validate_stack(args: StackValidationArgs, report: ReportViolation) -> None:
    _at_the_end().validate(args, report)


def _at_the_end() -> ModuleType:
    return import_module("policies.stack_validation")
