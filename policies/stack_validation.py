"""Stack validation: the rules of whole stacks as a policy of Pulumi's, asked when a preview or an update ends."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache

from pulumi_policy import ReportViolation, StackValidationArgs

from policies.resource import stack_of
from policies.stack import STACK_RULES, Resource, Stack, StackRule
from runyard.errors import HostUnreachable
from runyard.host.capacity import observe_capacity
from runyard.plan.quota import Capacity


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


validate = stack_validation(STACK_RULES, _capacity)
